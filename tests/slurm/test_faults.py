"""What goes wrong on a cluster, done on purpose to jobs in a real SLURM; then the end state is that of a quiet run."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from blur.core.manifest import made
from tests.slurm.cluster import Cluster, run, wait_for
from tests.slurm.conftest import LONG, SCALE, SlurmWorkspace, accounted, jobs, signal_all

pytestmark = [pytest.mark.slurm, pytest.mark.long]
METHODS = ("npo", "graddiff", "simnpo", "ga_klr", "blur_npo")
TABLE: list[tuple[str, str, float]] = []


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    """Print what was done and what came of it."""
    yield
    print("\n\n| fault | what happened; the end state is that of a quiet run | seconds |\n|---|---|---|")
    for fault, outcome, seconds in TABLE:
        print(f"| {fault} | {outcome} | {seconds:.0f} |")


@dataclass(frozen=True)
class Storm:
    """One run of snakemake in which every job met a fault."""

    said: str
    rows: list[dict[str, str]]
    numbers: dict[str, str]
    seconds: float
    waited_for_node: bool
    saved: int

    def lives(self, method: str) -> list[dict[str, str]]:
        """What accounting says of a method's unlearning: each submission, and each life of it, in turn."""
        numbers = re.findall(rf"rule_unlearn/{SCALE}_{LONG}_{method}_default_0/(\d+)\.log", self.said)
        wanted = list(dict.fromkeys(numbers[numbers.index(self.numbers[method]) :]))
        return [row for number in wanted for row in self.rows if row["JobID"] == number]


@pytest.fixture(scope="module")
def storm(cluster: Cluster, finished: tuple[SlurmWorkspace, float]) -> Storm:
    workspace, _ = finished
    before = {method: workspace.hashes("models", method) for method in METHODS}
    metrics = workspace.hashes("metrics", "blur_npo")
    for method in METHODS:
        (workspace.path("models", method) / "manifest.json").unlink()
    began = time.time()
    cluster.update_node(State="DRAIN", Reason="test")
    targets = [str(workspace.path("models", m).relative_to(workspace.root) / "manifest.json") for m in METHODS]
    last = workspace.path("metrics", "blur_npo").relative_to(workspace.root) / "manifest.json"
    process = workspace.slurm(*targets, str(last))
    wait_for(lambda: len(jobs("PENDING")) == len(METHODS), 120)
    time.sleep(2)
    idle = not jobs("RUNNING")
    numbers = {name.split()[1]: number for name, number in jobs().items()}
    run("scontrol", "update", f"JobId={numbers['graddiff']}", "MinMemoryNode=200")
    for method in METHODS[1:]:
        run("scontrol", "hold", numbers[method])
    cluster.update_node(State="RESUME")
    kill_controller(cluster, workspace.frozen("unlearn", METHODS[0]))

    for method in METHODS[1:-1]:
        run("scontrol", "release", numbers[method])
    faults = {"simnpo": end_time, "ga_klr": cancel}
    while faults:  # a job is stopped when it appears, so that the fault is sure to meet it
        for method in [method for name in jobs("RUNNING") if (method := name.split()[1]) in faults]:
            workspace.frozen("unlearn", method)
            faults.pop(method)(numbers[method])
        time.sleep(0.2)
    made = [workspace.path("models", method) / "manifest.json" for method in METHODS[:-1]]
    wait_for(lambda: all(path.is_file() for path in made), 240, lambda: run("squeue", "-l"))
    run("scontrol", "release", numbers["blur_npo"])
    _, saved = frozen_in_training(workspace)
    preempt(cluster, numbers["blur_npo"])
    said = workspace.finish(process)

    assert {method: workspace.hashes("models", method) for method in METHODS} == before
    assert workspace.hashes("metrics", "blur_npo") == metrics
    return Storm(said, accounted(began), numbers, time.time() - began, idle, saved)


def frozen_in_training(workspace: SlurmWorkspace) -> tuple[set[int], int]:
    """Stop BLUR's job with a checkpoint behind it; return its processes and the checkpoint's step."""
    folder = workspace.root / f"work/{SCALE}/unlearn/{LONG}/blur_npo/default/seed0"
    wait_for(lambda: list(folder.glob("*/step0*")), 120)
    pids = workspace.frozen("unlearn", "blur_npo")
    return pids, max(int(path.name.removeprefix("step")) for path in folder.glob("*/step0*"))


def end_time(number: str) -> None:
    """The time of the job is up in a second; SLURM looks every half a minute."""
    run(
        "scontrol",
        "update",
        f"JobId={number}",
        time.strftime("EndTime=%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + 2)),
    )


def cancel(number: str) -> None:
    run("scancel", number)


def kill_controller(cluster: Cluster, pids: set[int]) -> None:
    """Kill it while the one job that runs is stopped and the others are held."""
    time.sleep(8)  # it saves its state within five seconds; a job it forgot it launches twice, and drains the node
    cluster.stop_daemon("slurmctld", signal.SIGKILL)
    time.sleep(2)
    cluster.start_daemon("slurmctld")
    signal_all(pids, signal.SIGCONT)


def preempt(cluster: Cluster, number: str) -> None:
    """A job of more importance wants the whole node."""
    run("sbatch", "-p", "urgent", "--cpus-per-task=2", "--mem=100", "-o", "/dev/null", "--wrap", "sleep 1")


def report(fault: str, storm: Storm, method: str) -> list[str]:
    lives = storm.lives(method)
    TABLE.append((fault, " -> ".join(f"{x['State']} ({x['ReqMem']}, {x['Timelimit']})" for x in lives), storm.seconds))
    return [life["State"].split()[0] for life in lives]


def test_cancelled(storm: Storm) -> None:
    assert report("scancel", storm, "ga_klr") == ["CANCELLED", "COMPLETED"]


def test_out_of_time_is_tried_again_with_more(storm: Storm) -> None:
    assert report("time limit", storm, "simnpo") == ["TIMEOUT", "COMPLETED"]
    assert storm.lives("simnpo")[1]["Timelimit"] == "01:00:00"


def test_out_of_memory_is_tried_again_with_more(storm: Storm) -> None:
    states = report("memory limit", storm, "graddiff")
    assert states[0] in ("OUT_OF_MEMORY", "CANCELLED", "FAILED")
    assert states[1:] == ["COMPLETED"]
    assert [life["ReqMem"] for life in storm.lives("graddiff")] == ["200M", "4000M"]


def test_scheduler_killed_and_started_again(storm: Storm) -> None:
    assert report("slurmctld killed", storm, "npo") == ["COMPLETED"]


def test_drained_node(storm: Storm) -> None:
    assert storm.waited_for_node
    TABLE.append(("node drained, resumed", "5 jobs waited, then ran", storm.seconds))


def test_preempted_job_saves_and_goes_on(storm: Storm, finished: tuple[SlurmWorkspace, float]) -> None:
    assert report("preemption", storm, "blur_npo") == ["PREEMPTED", "COMPLETED"]
    resumed = made(finished[0].path("models", "blur_npo"))["resumed_from"]
    assert resumed > storm.saved, "SIGTERM made it save, past the last epoch's checkpoint"


def test_snakemake_killed_while_its_job_lives(cluster: Cluster, finished: tuple[SlurmWorkspace, float]) -> None:
    workspace, _ = finished
    before, began = workspace.hashes("models", "blur_npo"), time.time()
    manifest = workspace.path("models", "blur_npo") / "manifest.json"
    manifest.unlink()
    target = str(manifest.relative_to(workspace.root))
    process = workspace.slurm(target)
    pids, _ = frozen_in_training(workspace)
    process.kill()
    process.wait(timeout=60)
    assert list(jobs("RUNNING")) == ["unlearn blur_npo"]

    locked = workspace.slurm(target)
    assert locked.wait(timeout=60) != 0
    workspace.run("blur", "unlock")
    second = workspace.slurm(target)
    wait_for(lambda: workspace.stage("unlearn", "blur_npo") - pids, 120)
    wait_for(lambda: "waiting for" in workspace.log("unlearn", "blur_npo"), 60)
    signal_all(pids, signal.SIGCONT)
    workspace.finish(second)
    assert workspace.hashes("models", "blur_npo") == before
    assert "already there" in workspace.log("unlearn", "blur_npo")
    TABLE.append(("snakemake killed", "the second job waited for the first, and took its result", time.time() - began))
