"""Whatever is killed, and when: nothing that was finished is made again, and the results are those of a quiet run.

A job is finished once each of its results has its manifest; how they were made (``made.json``) tells a second making
from the first.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Collection
from itertools import cycle
from pathlib import Path

import pytest

from blur.core.kept import INCOMPLETE, KEPT, record_path
from tests.processes import HANG, wait_for
from tests.workflow import tiny_graph
from tests.workflow.conftest import Workspace, copy

pytestmark = [pytest.mark.workflow, pytest.mark.long]
Snakemake = subprocess.Popen[bytes]
LIGHT = ("metrics", "attack_metrics", "drawn")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = tiny_graph.make(tmp_path_factory.mktemp("whole").resolve() / "checkout")
    workspace.run(*tiny_graph.COMMAND)
    return workspace


def kill_snakemake(workspace: Workspace, snakemake: Snakemake) -> None:
    snakemake.kill()


def lose_power(workspace: Workspace, snakemake: Snakemake) -> None:
    tiny_graph.kill_all(workspace)


def interrupt_snakemake(workspace: Workspace, snakemake: Snakemake) -> None:
    snakemake.send_signal(signal.SIGINT)


def interrupt_all_twice(workspace: Workspace, snakemake: Snakemake) -> None:
    """As a person does who types Ctrl-C again."""
    for _ in range(2):
        if snakemake.poll() is None:
            os.killpg(snakemake.pid, signal.SIGINT)
        time.sleep(0.3)


def kill_a_job(workspace: Workspace, snakemake: Snakemake) -> None:
    for pid in tiny_graph.processes(workspace)[-1:]:
        if pid != snakemake.pid:
            os.kill(pid, signal.SIGKILL)


BETWEEN = list(zip(range(10), cycle([kill_snakemake, lose_power, interrupt_snakemake]), strict=False))
ANY_TIME = [kill_snakemake, lose_power, interrupt_snakemake, interrupt_all_twice, kill_a_job]
AT_RANDOM = list(zip(range(10, 30), cycle(ANY_TIME), strict=False))


def of_one_job(name: str, results: Collection[str]) -> set[str]:
    """A result and what the same job makes beside it, without which that job makes both again."""
    return {name, name.replace("/epochs/", "/models/"), name.replace("/models/", "/epochs/")} & {*results}


def started(whole: Workspace, folder: Path, seed: int) -> tuple[Workspace, Snakemake, list[str], random.Random]:
    """Make some results again, in a copy; return them, and the dice. Three times in four they are soon made."""
    chance, workspace = random.Random(seed), copy(whole, folder.resolve() / "checkout")
    any_job, results = seed % 4 == 0, sorted(tiny_graph.manifests(workspace.root))
    chosen = chance.sample([name for name in results if any_job or name.split("/")[2] in LIGHT], 5)
    missing = [name for name in results if of_one_job(name, results) & set(chosen)]
    for name in missing:
        (workspace.root / name / "manifest.json").unlink()
        (workspace.root / name / "made.json").unlink()
    return workspace, tiny_graph.start(workspace, "warm" if any_job else "cold"), missing, chance


def ends_well(whole: Workspace, workspace: Workspace, snakemake: Snakemake, there: set[str]) -> None:
    snakemake.wait(timeout=HANG)
    wait_for(lambda: not tiny_graph.processes(workspace))
    expected, made = tiny_graph.manifests(whole.root), tiny_graph.finished(workspace.root)
    before = {name: made[name] for name in made if of_one_job(name, expected) <= made.keys()}
    assert before.keys() >= there
    tiny_graph.carry_on(workspace)
    after = tiny_graph.finished(workspace.root)
    assert [name for name, made in before.items() if after[name] != made] == [], "made again"
    assert tiny_graph.manifests(workspace.root) == expected
    still_kept = tiny_graph.manifests(workspace.root / KEPT)  # where nothing was left to do, there was no run's end
    assert still_kept.items() <= tiny_graph.manifests(workspace.root).items()


def left(whole: Workspace, missing: list[str]) -> set[str]:
    """The results that were there from the start."""
    return tiny_graph.manifests(whole.root).keys() - set(missing)


def stop_between(workspace: Workspace, snakemake: Snakemake, name: str, results: set[str]) -> None:
    """Wait until a job's results have their manifests, and let Snakemake, which has begun it, hardly run any more."""
    manifests = [workspace.root / result / "manifest.json" for result in results]
    mark = workspace.root / record_path(INCOMPLETE, f"{name}/manifest.json")
    wait_for(mark.exists)
    while not all(one.exists() for one in manifests):  # it may have been stopped before it started the job's process
        assert snakemake.poll() is None, "it gave up before the result was made"
        snakemake.send_signal(signal.SIGCONT)
        time.sleep(0.02)
        snakemake.send_signal(signal.SIGSTOP)
        time.sleep(0.5)
    assert mark.exists(), "Snakemake has not recorded it"


@pytest.mark.parametrize(("seed", "kill"), BETWEEN, ids=lambda value: getattr(value, "__name__", value))
def test_between_a_job_s_manifest_and_snakemake_s_record(
    seed: int, kill: Callable[[Workspace, Snakemake], None], whole: Workspace, tmp_path: Path
) -> None:
    workspace, snakemake, missing, chance = started(whole, tmp_path, seed)
    name = chance.choice(missing)
    results = of_one_job(name, missing)
    stop_between(workspace, snakemake, name, results)
    kill(workspace, snakemake)
    if kill is interrupt_snakemake:
        snakemake.send_signal(signal.SIGCONT)
    ends_well(whole, workspace, snakemake, left(whole, missing) | results)


@pytest.mark.parametrize(("seed", "kill"), AT_RANDOM, ids=lambda value: getattr(value, "__name__", value))
def test_at_random(seed: int, kill: Callable[[Workspace, Snakemake], None], whole: Workspace, tmp_path: Path) -> None:
    workspace, snakemake, missing, chance = started(whole, tmp_path, seed)
    number, delay = chance.randrange(len(missing)), chance.uniform(0, 1.5)
    made = [workspace.root / name / "made.json" for name in missing]
    wait_for(lambda: sum(path.exists() for path in made) > number or snakemake.poll() is not None)
    time.sleep(delay)
    kill(workspace, snakemake)
    ends_well(whole, workspace, snakemake, left(whole, missing))
