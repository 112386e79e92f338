"""A finished run of the `ci` scale in a copy of the checkout, made once for all workers of pytest."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from blur.core.locking import exclusive
from tests.processes import HANG
from tests.workflow.forked import snakemake

ROOT = Path(__file__).resolve().parents[2]
SCALE = "ci"


class Workspace:
    """A checkout of its own, with the commands a person types in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.env = {**os.environ, "PYTHONPATH": str(root / "src"), "OMP_NUM_THREADS": "1"}

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the workspace; its output is shown if it fails."""
        done = subprocess.run(command, cwd=self.root, env=self.env, capture_output=True, text=True, timeout=HANG)
        if check and done.returncode:
            raise AssertionError(f"{command} gave {done.returncode}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}")
        return done

    def forked(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Do what the command `snakemake` with these arguments does, without paying for its start-up."""
        done = snakemake(self.root, self.env, arguments)
        assert not (check and done.returncode), f"{done.args} gave {done.returncode}\n{done.stdout[-12000:]}"
        return done

    def snakemake(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run snakemake at the test's scale."""
        return self.forked(*arguments, "--config", f"scale={SCALE}", check=check)

    def plan(self, *arguments: str) -> set[str]:
        """Return the jobs a dry run plans, as ``rule task/method/variant/seed`` or ``rule task``."""
        done = self.snakemake("all", "--dry-run", *arguments)
        return set(parse_jobs(done.stdout + done.stderr))

    @contextmanager
    def changed(self, path: str, old: str, new: str) -> Iterator[None]:
        """Replace a piece of a file for the length of a block."""
        file = self.root / path
        before = file.read_text(encoding="utf-8")
        assert before.count(old) >= 1, f"{old!r} is not in {path}"
        file.write_text(before.replace(old, new, 1), encoding="utf-8")
        try:
            yield
        finally:
            file.write_text(before, encoding="utf-8")

    @contextmanager
    def added(self, path: str, text: str) -> Iterator[None]:
        """Add a file for the length of a block."""
        file = self.root / path
        file.write_text(text, encoding="utf-8")
        try:
            yield
        finally:
            file.unlink()


def parse_jobs(output: str) -> Iterator[str]:
    """Read jobs from the text of a dry run."""
    for block in re.split(r"\n(?=(?:local)?rule )", output):
        rule = re.match(r"(?:local)?rule (\w+):", block)
        if not rule or rule[1] == "all":
            continue
        found = re.search(r"wildcards: (.+)", block)
        wildcards = dict(part.split("=", 1) for part in found[1].split(", ")) if found else {}
        names = [wildcards.get("task"), wildcards.get("method") or wildcards.get("role")]
        names += [wildcards.get("variant") if "method" in wildcards else None]
        names += [wildcards["request"]] if wildcards.get("request", "own") != "own" else []
        names += [wildcards["attack"]] if "attack" in wildcards else []
        names += [f"seed{wildcards['seed']}"] if "seed" in wildcards else []
        yield " ".join(filter(None, [wildcards.get("derived", rule[1]), "/".join(filter(None, names))]))


def copy_checkout(target: Path) -> None:
    """Copy what git tracks or would track, as a repository of its own."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        source, goal = ROOT / name, target / name
        if not source.exists() and not source.is_symlink():
            continue
        goal.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            goal.symlink_to(os.readlink(source))
        else:
            shutil.copy2(source, goal)
    for command in (
        ("init", "-q", "-b", "main"),
        ("config", "user.email", "tests@example.org"),
        ("config", "user.name", "tests"),
        ("add", "-A"),
        ("commit", "-qm", "checkout"),
    ):
        subprocess.run(["git", *command], cwd=target, check=True, capture_output=True)


def copy(workspace: Workspace, root: Path) -> Workspace:
    """Copy a workspace with all that git ignores."""
    shutil.copytree(workspace.root, root, symlinks=True)
    return Workspace(root)


def noting(workspace: Workspace, folder: Path) -> Workspace:
    """The workspace with processes that note in ``folder`` which modules their jobs run (``executed``)."""
    folder.mkdir()
    hooked = Workspace(workspace.root)
    hooked.env["PYTHONPATH"] = f"{Path(__file__).parent / 'executed'}{os.pathsep}{hooked.env['PYTHONPATH']}"
    hooked.env["BLUR_EXECUTED"] = str(folder)
    return hooked


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace in which `snakemake all --config scale=ci` has run to its end. The first worker makes it for all."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made"
    workspace, done = Workspace(folder / "checkout"), folder / "done"
    with exclusive(folder):
        if not done.exists():
            workspace.root.mkdir()
            copy_checkout(workspace.root)
            noting(workspace, folder / "executed").run("snakemake", "all", "--config", f"scale={SCALE}")
            done.touch()
    return workspace


@pytest.fixture(scope="session")
def finished(made: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """This worker's finished workspace: a test may change its files for as long as it runs."""
    return copy(made, tmp_path_factory.mktemp("finished") / "checkout")


@pytest.fixture(scope="session")
def long_run(made: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace whose BLUR run is long enough to be interrupted (``tests.workflow.long_run``), finished once."""
    from tests.workflow.long_run import MANIFEST

    workspace = copy(made, tmp_path_factory.mktemp("long").resolve() / "checkout")
    scale = workspace.root / "config/scales/ci.yaml"
    scale.write_text(scale.read_text().replace("\n  epochs: 3\n", "\n  epochs: 12\n"))
    workspace.snakemake(MANIFEST)
    return workspace


@pytest.fixture
def copied(made: Workspace, tmp_path: Path) -> Workspace:
    """A finished workspace that a test may spoil."""
    return copy(made, tmp_path / "checkout")


@pytest.fixture(scope="session")
def committed(made: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A finished workspace with its results recorded in DVC and in git, and pushed to a folder."""
    base = tmp_path_factory.mktemp("committed")
    workspace = copy(made, base / "checkout")
    workspace.run("blur", "commit", "--scale", SCALE)
    workspace.run("dvc", "remote", "add", "--local", "--default", "store", str(base / "store"))
    workspace.run("dvc", "push")
    workspace.run("git", "add", "-A")
    workspace.run("git", "commit", "-qm", "results")
    return workspace


@pytest.fixture(scope="session")
def pulled(committed: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A fresh clone that pulled the results from the folder they were pushed to."""
    root = tmp_path_factory.mktemp("pulled") / "checkout"
    committed.run("git", "clone", "-q", str(committed.root), str(root))
    workspace = Workspace(root)
    workspace.run("blur", "pull", "--scale", SCALE, "--remote", str(committed.root.parent / "store"))
    return workspace
