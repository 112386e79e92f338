"""Only what changed runs again: each change plans exactly its jobs, here and in a clone that pulled the results."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from blur.workflow.records import read_records
from tests.workflow.cases import ALL_RUNS, CASES, Case, drawn, unlearned
from tests.workflow.conftest import Workspace, parse_jobs

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("stored")]
Places = dict[str, Workspace]
DONE = ("unlearn", "evaluate", "metrics")  # with every run
PASSING = ("starttime", "endtime", "job_hash")  # of a record: what another run of the same job has otherwise


@pytest.fixture(scope="module")
def places(finished: Workspace, pulled: Workspace) -> Places:
    return {"where it ran": finished, "in a clone": pulled}


def planned(places: Places, change: Callable[[Workspace], AbstractContextManager[Any]] = nullcontext) -> Any:
    """Return what each place plans while it is changed."""

    def plan(workspace: Workspace) -> set[str]:
        with change(workspace):
            return workspace.plan()

    return {name: plan(workspace) for name, workspace in places.items()}


def everywhere(places: Places, jobs: set[str]) -> dict[str, set[str]]:
    return dict.fromkeys(places, jobs)


def test_nothing_changed(places: Places) -> None:
    assert planned(places) == everywhere(places, set())


def test_a_clone_knows_of_every_job_what_the_place_knows_where_it_ran(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Snakemake plans from these and from the files, so what a change plans here it plans there."""
    known = {}
    for name, workspace in places.items():
        monkeypatch.chdir(workspace.root)
        known[name] = {path: record | dict.fromkeys(PASSING) for path, record in read_records()}
    assert len(known["where it ran"]) > 400
    assert known["in a clone"] == known["where it ran"]


BOOKS = ("--config", "scale=ci", "task=muse_books")  # `all` leaves it out at this scale


def test_a_task_that_all_leaves_out_is_planned_where_it_is_asked_for(finished: Workspace) -> None:
    jobs = {job for job in parse_jobs(finished.forked("all", "--dry-run", *BOOKS).stdout) if not job.startswith("all")}
    runs = {f"{rule} muse_books/{method}/default/seed0" for rule in DONE for method in ("npo_gdr", "blur_npo")}
    roles = {f"train muse_books/{role}/seed0" for role in ("target", "retrained")}
    assert jobs >= runs | roles | {"data muse_books", "base muse_books", "table muse_books", "figure_front muse_books"}
    assert {job.split()[1].split("/")[0] for job in jobs} == {"muse_books"}


@pytest.mark.long
def test_a_task_that_all_leaves_out_runs_where_it_is_asked_for(copied: Workspace) -> None:
    copied.run("snakemake", "all", *BOOKS)
    assert (copied.root / "results/ci/summary/muse_books.json").is_file()
    assert "Nothing to be done" in copied.forked("all", "--dry-run", *BOOKS).stdout
    assert copied.plan() == set()


@pytest.mark.parametrize("place", ["where it ran", pytest.param("in a clone", marks=pytest.mark.long)])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_change_plans_exactly_its_jobs(places: Places, case: Case, place: str) -> None:
    with case.change(places[place]):
        assert places[place].plan() == case.jobs


def test_all_files_touched_in_random_order(places: Places) -> None:
    for workspace in places.values():
        files = [
            p
            for folder in ("results", "data/ci", "src", "config", "workflow")
            for p in (workspace.root / folder).rglob("*")
        ]
        files = [p for p in files if p.is_file()]
        random.Random(0).shuffle(files)
        now = time.time()
        for place, path in enumerate(files):
            os.utime(path, (now - len(files) + place, now - len(files) + place))
    assert planned(places) == everywhere(places, set())


@contextmanager
def with_a_new_method(workspace: Workspace) -> Iterator[None]:
    text = (workspace.root / "config/methods/graddiff.yaml").read_text().split("# Figure 1")[0]
    with (
        workspace.added("config/methods/mine.yaml", text.replace("title: GradDiff", "title: Mine")),
        workspace.changed("config/scales/ci.yaml", "[graddiff, ga_klr,", "[graddiff, mine, ga_klr,"),
    ):
        yield


def test_a_new_method_plans_only_its_jobs(places: Places) -> None:
    jobs = unlearned("tofu", "mine/default") | drawn("tofu")
    assert planned(places, with_a_new_method) == everywhere(places, jobs)


def test_one_byte_of_a_weight_file(copied: Workspace) -> None:
    run = "graddiff/default/seed0"
    weights = copied.root / "results/ci/models/tofu" / run / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    stat = weights.stat()
    weights.write_bytes(content)
    os.utime(weights, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert copied.plan() == set(), "nothing tells Snakemake"

    manifest = copied.root / "results/ci/evaluation/tofu" / run / "manifest.json"
    manifest.unlink()
    done = copied.run("blur", "evaluate", "--scale", "ci", "--task", "tofu", "--method", "graddiff", check=False)
    assert done.returncode == 2
    assert str(Path("results/ci/models/tofu") / run / "model.safetensors") in done.stderr
    assert "make verify" in done.stderr

    done = copied.run("blur", "verify", "--scale", "ci", check=False)
    assert done.returncode == 1
    assert str(Path(run) / "model.safetensors") in done.stdout
    assert copied.plan() == unlearned("tofu", "graddiff/default") | drawn("tofu")


def test_a_deleted_weight_file_is_made_again(copied: Workspace) -> None:
    (copied.root / "results/ci/models/tofu/simnpo/default/seed0/model.safetensors").unlink()
    assert copied.plan() == unlearned("tofu", "simnpo/default") | drawn("tofu")


def test_the_plan_names_every_run_once(finished: Workspace) -> None:
    planned = finished.plan("--forceall")
    assert {job for job in planned if job.startswith("unlearn")} == {f"unlearn {run}/seed0" for run in ALL_RUNS}
