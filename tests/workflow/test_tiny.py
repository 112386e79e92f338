"""A tiny graph whose heavy jobs were typed by hand: what is published tells nothing, and nothing is made twice."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zlib
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from blur import __version__
from blur.config.plan import Plan
from blur.core.manifest import made
from blur.workflow.standing import standing
from tests.processes import HANG, wait_for
from tests.workflow import tiny_graph
from tests.workflow.conftest import Workspace, copy, parse_jobs

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("tiny")]
TABLE = f"results/{tiny_graph.SCALE}/drawn/own/results/manifest.json"
OF_TABLE = ("snakemake", "all_metrics", TABLE, "--config", f"scale={tiny_graph.SCALE}", "workers=cold")
METRICS = f"results/{tiny_graph.SCALE}/metrics/own/npo_gdr/default/seed0"
TYPED = f"--task own --scale {tiny_graph.SCALE}"
RUNS = ("target", "retrained", "npo_gdr", "task_vector", "blur_npo --variant lora")
STAGES = [
    "data",
    "base",
    *(f"train --role {role}" for role in RUNS[:2]),
    "derive reference_sums --method target",
    "derive forget_tuned --method target",
    *(f"unlearn --method {run}" for run in RUNS[2:]),
    *(f"evaluate --method {run}" for run in RUNS),
]
TYPE_ALL = "import sys; from blur.cli import app\nfor line in sys.argv[1:]: app(line.split(), standalone_mode=False)"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """All measurements, made in one process, and the table of them, made by Snakemake."""
    workspace = tiny_graph.make(tmp_path_factory.mktemp("tiny").resolve() / "checkout")
    workspace.run(sys.executable, "-c", TYPE_ALL, *(f"{stage} {TYPED}" for stage in STAGES))
    workspace.forked(*OF_TABLE[1:])
    return workspace


@pytest.fixture
def copied(tiny: Workspace, tmp_path: Path) -> Workspace:
    return copy(tiny, tmp_path.resolve() / "checkout")


def plan(workspace: Workspace) -> set[str]:
    done = workspace.forked(*OF_TABLE[1:], "--dry-run")
    return {job for job in parse_jobs(done.stdout) if not job.startswith("all")}


def runs() -> set[str]:
    """What runs again by the manifests alone, of that which is made."""
    found = standing(Plan("config", {"scale": tiny_graph.SCALE}))
    return {f"{one.stage.name} {one.job.path}" for one in found if one.is_made and one.runs}


def contents(path: Path) -> bytes:
    """All that a file holds: as it is, decompressed, and the cells of a table."""
    raw = path.read_bytes()
    if path.suffix == ".parquet":
        return raw + json.dumps(pq.ParquetFile(io.BytesIO(raw)).read().to_pydict(), default=str).encode()
    if raw[:2] == b"\x1f\x8b":
        return raw + zlib.decompress(raw, wbits=47)
    return raw


def telling(folder: Path) -> set[str]:
    """The files below a folder that hold the planted sentence or name, or a word of it that no other text has."""
    planted = [word.encode() for word in (tiny_graph.SENTENCE, tiny_graph.NAME, *tiny_graph.NAME.split(), "vermilion")]
    found = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder))
        for path in found
        if any(word.lower() in (str(path.relative_to(folder)).encode() + contents(path)).lower() for word in planted)
    }


def test_what_is_published_holds_no_text_and_no_name_of_what_was_to_be_forgotten(tiny: Workspace) -> None:
    results = tiny.root / f"results/{tiny_graph.SCALE}"
    models = results / "models"
    assert (models / "own/blur_npo/lora/seed0/wrapper/adapter_model.safetensors").is_file()
    assert telling(models) == set()
    assert telling(results / "epochs"), "the search finds what is there: ids have the group's name"
    assert telling(tiny.root / "data")


def test_what_wandb_keeps_to_send_holds_no_text_and_no_name_of_what_was_to_be_forgotten(tiny: Workspace) -> None:
    kept = tiny.root / "work/wandb"
    records = list(kept.rglob("*.wandb"))
    assert len(records) == 5, "target, retrained model, forget_tuned, two methods that train"
    assert all(b'"optimizer"' in contents(path) for path in records), "they are not compressed: settings can be read"
    read = ("-m", "wandb", "leet", "inspect", "--json")
    told = [tiny.run(sys.executable, *read, str(path)).stdout for path in records if b"blur_npo" in contents(path)]
    (kept / "told.json").write_text("".join(told), encoding="utf-8")
    assert told
    assert telling(kept) == set()


@pytest.mark.parametrize("kill", [pytest.param("snakemake", marks=pytest.mark.long), "everything"])
def test_a_result_that_snakemake_did_not_see_end_is_kept(copied: Workspace, kill: str) -> None:
    """Killed between a job's manifest and its own record, Snakemake deletes the result at its next start."""
    expected, results = tiny_graph.manifests(copied.root), copied.root / f"results/{tiny_graph.SCALE}"
    for manifest in (results / "metrics").rglob("manifest.json"):
        manifest.unlink()
    snakemake = subprocess.Popen(
        OF_TABLE, cwd=copied.root, env=copied.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for(lambda: list((results / "metrics").rglob("manifest.json")))
    snakemake.kill() if kill == "snakemake" else tiny_graph.kill_all(copied)
    snakemake.wait(timeout=HANG)
    wait_for(lambda: not tiny_graph.processes(copied))
    before = tiny_graph.finished(copied.root)
    copied.forked(*OF_TABLE[1:], "--unlock")
    copied.forked(*OF_TABLE[1:])
    after = tiny_graph.finished(copied.root)
    assert [name for name, made in before.items() if after[name] != made] == []
    assert tiny_graph.manifests(copied.root) == expected


def test_an_input_that_is_made_again_with_the_same_content_reruns_nothing(copied: Workspace) -> None:
    assert plan(copied) == set()
    before, manifest = made(copied.root / METRICS), copied.root / METRICS / "manifest.json"
    manifest.unlink()
    copied.run("blur", "metrics", "--method", "npo_gdr", *TYPED.split())
    assert made(copied.root / METRICS) != before, "it was made again"
    assert plan(copied) == set()

    # Made again in the course of a run, it has the jobs after it planned; they find that they are done.
    table = made((copied.root / TABLE).parent)
    manifest.unlink()
    assert plan(copied) == {"metrics own/npo_gdr/default/seed0", "table own"}
    copied.forked(*OF_TABLE[1:])
    assert made((copied.root / TABLE).parent) == table


def test_what_was_typed_by_hand_runs_again_with_other_settings_and_a_dry_run_tells_it(
    copied: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(copied.root)
    scale, made_by = Path(f"config/scales/{tiny_graph.SCALE}.yaml"), copied.root / METRICS / "made.json"
    before, recipe = scale.read_text(), "unlearn:\n  batch_size: 4\n  epochs: "
    scale.write_text(before.replace(f"{recipe}2\n", f"{recipe}3\n"))
    assert scale.read_text() != before
    made_by.write_text(made_by.read_text().replace(f'"blur": "{__version__}"', '"blur": "0.0.9"'))
    Path(f"results/{tiny_graph.SCALE}/provenance/versions.json").unlink()
    done = copied.forked(*OF_TABLE[1:], "--dry-run")
    again = {"npo_gdr/default", "blur_npo/lora"}
    expected = {f"{stage} own/{run}/seed0" for stage in ("unlearn", "evaluate", "metrics") for run in again}
    assert expected | {"table own"} == runs()
    assert {job for job in parse_jobs(done.stdout) if not job.startswith("all")} == runs()
    assert "1 by 0.0.9" in done.stdout
    assert "so these run again: unlearn 2. `blur migrate" in done.stdout


def test_a_deleted_file_that_no_rule_names_is_made_again(copied: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(copied.root)
    models = Path(f"results/{tiny_graph.SCALE}/models/own")
    (models / "task_vector/default/seed0/tokenizer.json").unlink()
    (models / "blur_npo/lora/seed0/wrapper/adapter_model.safetensors").unlink()
    again = {"task_vector/default", "blur_npo/lora"}
    expected = {f"{stage} own/{run}/seed0" for stage in ("unlearn", "evaluate", "metrics") for run in again}
    assert expected | {"table own"} == runs()
    assert plan(copied) == runs()


def test_altered_tables_and_summaries_are_found_and_not_committed(copied: Workspace) -> None:
    summary = copied.root / f"results/{tiny_graph.SCALE}/summary/own.json"
    summary.write_text(summary.read_text().replace("0.", "0.9", 1))
    done = copied.run("blur", "commit", "--scale", tiny_graph.SCALE, check=False)
    assert done.returncode == 2
    assert "summary/own.json: content differs from the hash in its manifest" in done.stderr
    assert plan(copied) == {"table own"}
