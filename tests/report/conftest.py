from dataclasses import replace
from pathlib import Path

import pytest

from blur.report.runs import Run, read_runs
from tests.report.made_up import MUSE, TOFU, WMDP
from tests.report.made_up_attacks import attacked
from tests.report.results_tree import write_all, write_requests


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_all(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="session")
def runs(tree: Path) -> list[Run]:
    return [attacked(run) for run in read_runs([tree])]


@pytest.fixture(scope="session")
def all_runs(runs: list[Run], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Run]]:
    """Results by benchmark, requests included."""
    root = tmp_path_factory.mktemp("others")
    for bench in (MUSE, WMDP):
        write_all(root / bench.task, bench=bench)
    write_requests(root / MUSE.task)
    write_requests(root / "requests", bench=TOFU)
    others = (read_runs([root / name / "metrics"]) for name in (MUSE.task, WMDP.task, "requests"))
    muse, wmdp, asked = ([attacked(run) for run in found] for found in others)
    tofu = sorted([*runs, *asked, *_pruned(runs)], key=lambda r: (r.method, r.variant, r.seed))
    return {"tofu": tofu, "muse": muse, "wmdp": wmdp}


def _pruned(runs: list[Run]) -> list[Run]:
    """What an edit in steps leaves, with the numbers of another method."""
    settings = {"edit": {"name": "selective_pruning", "fraction": 0.02}}
    return [
        replace(run, variant="pruned", settings=settings)
        for run in runs
        if (run.method, run.variant) == ("graddiff", "default")
    ]
