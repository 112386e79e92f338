"""Warm jobs in a run of the graph: whatever is killed or edited, no stale result, no orphan, nothing finished lost."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from blur.core.files import read_json
from blur.core.manifest import made
from blur.core.processes import start_time
from tests.processes import HANG, living, wait_for
from tests.workflow.conftest import SCALE, Workspace, copy_checkout
from tests.workflow.long_run import MANIFEST, RUN, start_again, weights_hash

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("interrupted")]
COMMAND = ("snakemake", MANIFEST, "--config", f"scale={SCALE}")
LOG = f"logs/{SCALE}/tofu/unlearn.blur_npo.default.seed0.log"
OWN_PROCESS = "blur: a process of its own for this job: "


def processes(workspace: Workspace, word: str) -> list[int]:
    """Living processes in this workspace with a word in their command."""
    return [one.pid for one in living(workspace.root) if any(word in part for part in one.words)]


class Interrupted:
    """A long run under way: what can be killed, and the hash of the weights it must end with."""

    def __init__(self, workspace: Workspace, snakemake: subprocess.Popen[bytes], before: str) -> None:
        self.workspace, self.snakemake, self.before = workspace, snakemake, before

    @property
    def job(self) -> int:
        """The process that unlearns: it holds the run's lock."""
        lock = self.workspace.root / f"work/{SCALE}/unlearn/{RUN}/lock"
        return int(lock.read_text().strip().rpartition(":")[2])

    @property
    def server(self) -> int:
        """The process that forked it."""
        (found,) = {pid for pid in processes(self.workspace, "blur.warm.server") if pid != self.job}
        return found

    @property
    def client(self) -> int:
        """The command that the rule typed."""
        (found,) = processes(self.workspace, "bin/blur")
        return found

    def log(self) -> str:
        return (self.workspace.root / LOG).read_text()

    def ends_as_it_was(self) -> None:
        """The weights are those of a quiet run, the run went on from a checkpoint, and no process is left."""
        assert weights_hash(self.workspace) == self.before
        assert made((self.workspace.root / MANIFEST).parent)["resumed_from"] > 0
        wait_for(lambda: not processes(self.workspace, "blur"))
        assert "Nothing to be done" in self.workspace.forked(*COMMAND[1:], "--dry-run").stdout


@pytest.fixture
def under_way(long_run: Workspace, tmp_path: Path) -> Interrupted:
    return Interrupted(*start_again(long_run, tmp_path, *COMMAND), weights_hash(long_run))


@pytest.mark.long  # CI kills one without a graph (tests/warm: a_killed_job_ends_its_client_alike_and_no_other)
def test_kill_of_the_job(under_way: Interrupted) -> None:
    os.kill(under_way.job, signal.SIGKILL)
    assert under_way.snakemake.wait(timeout=HANG) != 0
    assert not (under_way.workspace.root / MANIFEST).exists()
    under_way.workspace.run(*COMMAND)
    under_way.ends_as_it_was()


@pytest.mark.long  # CI kills one without a graph (tests/warm: a_killed_client_ends_its_job)
def test_kill_of_the_client_ends_its_job(under_way: Interrupted) -> None:
    job = under_way.job
    os.kill(under_way.client, signal.SIGKILL)
    assert under_way.snakemake.wait(timeout=HANG) != 0
    wait_for(lambda: not start_time(job))
    assert not (under_way.workspace.root / MANIFEST).exists()
    under_way.workspace.run(*COMMAND)
    under_way.ends_as_it_was()


@pytest.mark.long  # CI kills one without a graph (tests/warm: a_killed_server_ends_its_jobs_and_the_client_does_them)
def test_kill_of_the_warm_process_costs_nothing_but_time(under_way: Interrupted) -> None:
    os.kill(under_way.server, signal.SIGKILL)
    assert under_way.snakemake.wait(timeout=HANG) == 0
    assert OWN_PROCESS + "the warm process ended" in under_way.log()
    under_way.ends_as_it_was()


@pytest.mark.long  # CI kills it with a cold job (test_resume), and a warm one's owner without a graph (tests/warm)
def test_kill_of_snakemake_leaves_the_job_to_finish(under_way: Interrupted) -> None:
    under_way.snakemake.kill()
    under_way.snakemake.wait(timeout=HANG)
    wait_for((under_way.workspace.root / MANIFEST).exists)
    assert weights_hash(under_way.workspace) == under_way.before
    wait_for(lambda: not processes(under_way.workspace, "blur"))


@pytest.mark.parametrize("times", [pytest.param(1, marks=pytest.mark.long), 2])
def test_interrupt_from_the_keyboard(under_way: Interrupted, times: int) -> None:
    """A terminal sends SIGINT to the whole process group."""
    for _ in range(times):
        os.killpg(under_way.snakemake.pid, signal.SIGINT)
        time.sleep(0.3)
    assert under_way.snakemake.wait(timeout=HANG) != 0
    wait_for(lambda: not processes(under_way.workspace, "blur"))
    assert not (under_way.workspace.root / MANIFEST).exists()
    under_way.workspace.run("blur", "unlock")
    under_way.workspace.run(*COMMAND)
    under_way.ends_as_it_was()


@pytest.mark.long  # CI asks two warm processes without a graph (tests/warm)
def test_two_graphs_at_once(under_way: Interrupted) -> None:
    """Each Snakemake has a warm process of its own."""
    workspace = under_way.workspace
    figure = "results/ci/metrics/tofu/target/default/seed0/metrics.json"
    (workspace.root / figure).unlink(missing_ok=True)
    (workspace.root / figure).with_name("manifest.json").unlink(missing_ok=True)
    command = ("snakemake", figure, "--nolock", "--config", f"scale={SCALE}")
    other = subprocess.Popen(command, cwd=workspace.root, env=workspace.env, stdin=subprocess.DEVNULL)
    addresses = set[str]()

    def both() -> bool:
        for pid in processes(workspace, "blur.warm.server"):
            with suppress(OSError):
                addresses.add(Path(f"/proc/{pid}/cmdline").read_text().split("\0")[4])
        return len(addresses) == 2

    wait_for(both)
    assert other.wait(timeout=HANG) == 0
    assert (workspace.root / figure).is_file()
    assert under_way.snakemake.wait(timeout=HANG) == 0
    assert weights_hash(workspace) == under_way.before
    wait_for(lambda: not processes(workspace, "blur"))


def test_a_source_file_edited_in_mid_run_gives_no_stale_result(long_run: Workspace, tmp_path: Path) -> None:
    """The running job keeps its old code; the next one is not forked from a process that has it in memory."""
    evaluation = f"results/{SCALE}/evaluation/{RUN}/manifest.json"
    command = ("snakemake", evaluation, "--config", f"scale={SCALE}")
    workspace, snakemake = start_again(long_run, tmp_path, *command, missing=[evaluation])
    with workspace.changed(
        "src/blur/measure/likelihood.py", "vocab_mean=mean.numpy()", "vocab_mean=mean.numpy() * 0 - 7"
    ):
        snakemake.wait(timeout=HANG)
        log = workspace.root / f"logs/{SCALE}/tofu/evaluate.blur_npo.default.seed0.log"
        assert OWN_PROCESS + "another code" in log.read_text()
        assert not (workspace.root / evaluation).exists(), "planned with one code, run with another: no result"
        workspace.run(*command)
    found = pq.ParquetFile(workspace.root / evaluation.replace("manifest.json", "likelihood.parquet")).read()
    assert {value for row in found["vocab_mean"].to_pylist() for value in row} == {-7.0}


def contents(root: Path) -> dict[str, str]:
    """What a run made, by file: hashes in manifests; the fonts in a PDF are now and then packed in another way."""
    return {
        f"{path.parent.relative_to(root)}/{name}": digest
        for path in root.glob(f"*/{SCALE}/**/manifest.json")
        for name, digest in read_json(path)["files"].items()
        if not name.endswith(".pdf")
    }


@pytest.mark.long
def test_all_results_are_the_same_bytes_warm_and_cold(made: Workspace, tmp_path: Path) -> None:
    copy_checkout(tmp_path)
    cold = Workspace(tmp_path)
    cold.run("snakemake", "all", "--config", f"scale={SCALE}", "workers=cold")
    expected, found = contents(made.root), contents(cold.root)
    assert len(expected) > 500
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []
