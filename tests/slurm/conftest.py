"""A SLURM of this machine's own. Two benchmarks of the `ci` scale go through it: RTT's in CI, TOFU's for the faults."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.slurm.cluster import Cluster, ClusterError, run, wait_for
from tests.workflow.conftest import Workspace, copy_checkout

SCALE, SHORT, LONG = "ci", "rtt", "tofu"
GPUS = {
    "train": 1,
    "derive": 1,
    "unlearn": 2,
    "evaluate": 1,
    "attack": 1,
}  # pretended: the scale itself asks for none
STARTED: list[subprocess.Popen[bytes]] = []
# What is looked at is how jobs go through SLURM: each rule once or twice is enough, and no model need know anything.
SHORTER = {
    "train": {"epochs": 1},
    "retrained": {"kind": "none"},
    "attacks": {"rtt": {"at": [8], "arms": dict.fromkeys(("fold_1", "fold_2", "fold_3", "fold_4", "fold_0_corpus"))}},
}
LONGER = ("    blur_npo: {optimizer: {lr: 1.0e-3}}", "    blur_npo: {epochs: 30, optimizer: {lr: 1.0e-3}}")


class SlurmWorkspace(Workspace):
    """A checkout whose jobs go through SLURM, and the one task that is run in it."""

    task = LONG

    @property
    def options(self) -> tuple[str, ...]:
        """What snakemake is told besides its profile and targets."""
        gpus = (f"{rule}:gpu={number}" for rule, number in GPUS.items())
        waits = ("--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "20")
        return ("--config", f"scale={SCALE}", f"task={self.task}", "--set-resources", *gpus, *waits, "--nocolor")

    def slurm(self, *targets: str) -> subprocess.Popen[bytes]:
        """Start `snakemake --profile slurm` on targets."""
        with open(self.root / "snakemake.out", "a", encoding="utf-8") as output:
            command = ("snakemake", "--profile", "slurm", *targets, *self.options)
            process = subprocess.Popen(command, cwd=self.root, env=self.env, stdout=output, stderr=subprocess.STDOUT)
        STARTED.append(process)
        return process

    def finish(self, process: subprocess.Popen[bytes], seconds: int = 1500) -> str:
        """Wait for snakemake's end; return what it and those before it said."""
        process.wait(timeout=seconds)
        said = (self.root / "snakemake.out").read_text(encoding="utf-8")
        assert process.returncode == 0, said[-8000:]
        return said

    def path(self, phase: str, method: str, variant: str = "default") -> Path:
        """Folder of a run in a phase."""
        return self.root / f"results/{SCALE}/{phase}/{self.task}/{method}/{variant}/seed0"

    def hashes(self, phase: str, method: str) -> dict[str, str]:
        """Hashes of what a run holds and must not depend on what befell it."""
        files = json.loads((self.path(phase, method) / "manifest.json").read_text())["files"]
        return {name: value for name, value in files.items() if name in ("model.safetensors", "metrics.json")}

    def log(self, rule: str, method: str) -> str:
        """Log of a rule's job."""
        return (self.root / f"logs/{SCALE}/{self.task}/{rule}.{method}.default.seed0.log").read_text()

    def stage(self, stage: str, method: str) -> set[int]:
        """Processes of a stage's jobs in this workspace: those that compute, and the launcher of several."""
        found = set()
        for folder in Path("/proc").iterdir():
            try:
                words = (folder / "cmdline").read_bytes().decode().split("\0")
                is_blur = "blur.cli" in words or Path(words[1:2][0]).name == "blur"
                if is_blur and {stage, method} <= {*words} and os.readlink(folder / "cwd") == str(self.root):
                    found.add(int(folder.name))
            except (OSError, UnicodeDecodeError, IndexError):
                continue
        return found

    def frozen(self, stage: str, method: str) -> set[int]:
        """Stop a job's processes as soon as they are there: they neither end nor compute until they are continued."""
        wait_for(lambda: self.stage(stage, method), 90)
        stopped: set[int] = set()
        while new := self.stage(stage, method) - stopped:
            signal_all(new, signal.SIGSTOP)
            stopped |= new
        return stopped


def signal_all(pids: set[int], number: signal.Signals) -> None:
    """Send a signal to processes, some of which may be gone."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def jobs(*states: str) -> dict[str, str]:
    """Jobs in the queue, number by `rule method`; where a run has several, the newest."""
    found = {}
    for line in run("squeue", "-h", "-S", "i", "-o", "%i|%T|%k").splitlines():
        number, state, comment = line.split("|")
        named = re.match(rf"rule_(\w+?)_wildcards_{SCALE}_{LONG}_(\w+)_default_0", comment)
        if named and (not states or state in states):
            found[f"{named[1]} {named[2]}"] = number
    return found


def accounted(since: float, *fields: str) -> list[dict[str, str]]:
    """Jobs as SLURM's accounting has them, each of their lives a row."""
    start = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(since))
    names = ("JobID", "State", "ReqMem", "Timelimit", "AllocTRES", "NTasks", *fields)
    text = run("sacct", "--duplicates", "-P", "-n", "-S", start, "--format", ",".join(names))
    return [dict(zip(names, line.split("|"), strict=True)) for line in text.splitlines()]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """SLURM on this machine. Where it cannot be had, tests are skipped or, with BLUR_NEED_SLURM, fail."""
    made = Cluster(dies_with_parent=True, kill_wait=20)
    try:
        made.start()
    except (ClusterError, OSError) as error:
        with contextlib.suppress(ClusterError):
            made.stop()
        (pytest.fail if os.environ.get("BLUR_NEED_SLURM") else pytest.skip)(f"no SLURM here: {error}")
    yield made
    for process in STARTED:
        if process.poll() is None:
            process.kill()
            process.wait()
    made.stop()


def checkout(folder: Path, task: str) -> SlurmWorkspace:
    """Return a workspace for one task."""
    root = folder.resolve() / "checkout"
    root.mkdir()
    copy_checkout(root)
    workspace = SlurmWorkspace(root)
    workspace.task = task
    return workspace


@pytest.fixture(scope="session")
def short(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> tuple[SlurmWorkspace, float]:
    """A workspace in which the benchmark with the fewest jobs was run by `--profile slurm all`, and when it began."""
    workspace = checkout(tmp_path_factory.mktemp("slurm_short"), SHORT)
    scale = workspace.root / f"config/scales/{SCALE}.yaml"
    content = yaml.safe_load(scale.read_text())
    content["tasks"][SHORT] |= SHORTER
    scale.write_text(yaml.safe_dump(content))
    began = time.time()
    workspace.finish(workspace.slurm("all"))
    return workspace, began


@pytest.fixture(scope="session")
def finished(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> tuple[SlurmWorkspace, float]:
    """A workspace in which the benchmark with most methods was run by `--profile slurm all`, and when it began."""
    workspace = checkout(tmp_path_factory.mktemp("slurm"), LONG)
    task = workspace.root / f"config/tasks/{LONG}.yaml"
    text = task.read_text()
    old, new = (line.strip() for line in LONGER)  # one method runs long enough to be met while it trains
    assert old in text
    task.write_text(text.replace(old, new))
    scale = workspace.root / f"config/scales/{SCALE}.yaml"  # one kind of attack stands for all: they are one rule
    scale.write_text(scale.read_text().replace("[relearn, quantization, prompts, parts]", "[parts]"))
    began = time.time()
    workspace.finish(workspace.slurm("all"))
    return workspace, began
