"""What `blur commit` and `blur pull` stand: an S3 remote whose line is cut, kills, one cache for two people."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from blur.core.manifest import check_files, read
from tests.processes import HANG
from tests.workflow import tiny_graph
from tests.workflow.conftest import ROOT, Workspace, parse_jobs

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("tiny")]
SCALE = ("--scale", tiny_graph.SCALE)
DATA = f"data/{tiny_graph.SCALE}"
INSTALLED = all(find_spec(name) for name in ("dvc_s3", "moto", "flask"))
PLANNED = ("all_data", "--config", f"scale={tiny_graph.SCALE}", "workers=cold")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The data of the tiny graph, made by Snakemake in a repository of git and DVC that keeps these alone."""
    workspace = tiny_graph.make(tmp_path_factory.mktemp("store").resolve() / "checkout")
    for name in (".dvcignore", ".gitignore", ".dvc/config", ".dvc/.gitignore"):
        (workspace.root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, workspace.root / name)
    graph = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    kept = {"data": graph["stages"]["data"] | {"foreach": [tiny_graph.SCALE]}}
    others = [{f"results/${{item}}/{name}": {"persist": True}} for name in ("provenance", "attacks")]  # attacks: none
    kept["others"] = kept["data"] | {"do": {"cmd": "true", "outs": others}}
    (workspace.root / "dvc.yaml").write_text(yaml.safe_dump({"stages": kept}), encoding="utf-8")
    workspace.forked(*PLANNED)
    for command in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-qm", "checkout")):
        workspace.run("git", "-c", "user.email=tests@example.org", "-c", "user.name=tests", *command)
    return workspace


@pytest.fixture
def stored(made: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the data's checkout; what DVC notes of it outside lies beside it."""
    root = tmp_path.resolve() / "checkout"
    shutil.copytree(made.root, root, symlinks=True)
    workspace = Workspace(root)
    path = filter(None, (str(root / "src"), os.environ.get("PYTHONPATH")))
    workspace.env |= {"DVC_SITE_CACHE_DIR": str(tmp_path / "site"), "PYTHONPATH": os.pathsep.join(path)}
    return workspace


def clone(workspace: Workspace, name: str) -> Workspace:
    """Commit what git tracks, and clone it."""
    git = ("git", "-c", "user.email=tests@example.org", "-c", "user.name=tests")
    workspace.run("git", "add", "-A")
    workspace.run(*git, "commit", "-qm", "results")
    root = workspace.root.with_name(name)
    workspace.run("git", "clone", "-q", str(workspace.root), str(root))
    other = Workspace(root)
    other.env = workspace.env | {"PYTHONPATH": workspace.env["PYTHONPATH"].replace(str(workspace.root), str(root))}
    return other


def killed(workspace: Workspace, at: str, within: Path, *command: str) -> None:
    """Run a command that is killed, with all that it started, at a call of a function (``killed/sitecustomize``)."""
    hook = f"{Path(__file__).parent / 'killed'}{os.pathsep}{workspace.env['PYTHONPATH']}"
    env = workspace.env | {"PYTHONPATH": hook, "BLUR_KILLED_AT": at, "BLUR_KILLED_IN": str(within)}
    done = subprocess.run(command, cwd=workspace.root, env=env, capture_output=True, text=True, start_new_session=True)
    assert done.returncode == -signal.SIGKILL, (done.returncode, done.stdout, done.stderr)


def contents(workspace: Workspace) -> dict[str, bytes]:
    """All files of the data, by name."""
    files = (path for path in (workspace.root / DATA).rglob("*") if path.is_file())
    return {str(path.relative_to(workspace.root)): path.read_bytes() for path in files}


def plan(workspace: Workspace) -> set[str]:
    jobs = parse_jobs(workspace.forked(*PLANNED, "--dry-run").stdout)
    return {job for job in jobs if not job.startswith("all")}


def telling(root: Path, *secrets: str) -> set[str]:
    """The files below a folder that hold one of the secrets."""
    found = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(root)) for path in found if any(one.encode() in path.read_bytes() for one in secrets)}


@pytest.mark.skipif(not INSTALLED, reason="`make s3` installs DVC's S3 plugin, and a server")
def test_through_s3_to_a_clone_with_a_push_that_was_cut(stored: Workspace, tmp_path: Path) -> None:
    from tests.workflow.s3_server import KEY, SECRET, URL, serving

    with serving() as s3:
        stored.env |= s3.environment()
        stored.run("blur", "commit", *SCALE)
        stored.run("dvc", "remote", "add", "--default", "store", URL)
        stored.run("dvc", "remote", "modify", "--local", "store", "endpointurl", s3.address)
        s3.taken_before_cut = 3
        assert stored.run("dvc", "push", check=False).returncode
        s3.taken_before_cut = None
        assert len(s3.objects()) == 3

        cloned = clone(stored, "clone")
        cloned.run("dvc", "remote", "modify", "--local", "store", "endpointurl", s3.address)
        done = cloned.run("blur", "pull", *SCALE, check=False)
        assert done.returncode == 2
        assert f"the remote has not all of {DATA}/" in done.stderr
        assert contents(cloned) == {}, "nothing was touched"

        stored.run("dvc", "push")
        cloned.run("blur", "pull", *SCALE, "--remote", "store")
        assert contents(cloned) == contents(stored)
        assert plan(cloned) == set()
        assert telling(tmp_path, KEY, SECRET) == set()
        assert s3.address.encode() in (cloned.root / ".dvc/config.local").read_bytes()
        assert cloned.run("git", "status", "--short").stdout == ""


@pytest.mark.long
@pytest.mark.parametrize("at", ["replace:1", "replace:5"])
def test_a_commit_that_is_killed_loses_nothing_and_is_done_again(stored: Workspace, at: str) -> None:
    expected = contents(stored)
    stored.run("dvc", "config", "--local", "cache.type", "symlink")
    killed(stored, at, stored.root / ".dvc/cache", "blur", "commit", *SCALE)
    assert contents(stored) == expected
    stored.run("blur", "commit", *SCALE)
    assert contents(stored) == expected
    assert not [path for path in (stored.root / DATA).rglob("*") if path.is_symlink()]
    stored.run("dvc", "checkout", "--relink")
    assert contents(stored) == expected
    assert [path for path in (stored.root / DATA).rglob("*") if path.is_symlink()]
    assert plan(stored) == set()


@pytest.mark.long
def test_dvc_lock_is_as_it_was_until_a_commit_has_ended(stored: Workspace) -> None:
    stored.run("blur", "commit", *SCALE)
    before = (stored.root / "dvc.lock").read_bytes()
    journal = stored.root / "work/store/dvc.lock"
    journal.write_bytes(before)
    os.link(stored.root / "dvc.lock", journal.with_name("written"))
    (stored.root / "dvc.lock").write_bytes(before[:40])  # DVC overwrites it in place
    stored.run("blur", "pull", *SCALE, "--remote", str(stored.root.parent))
    assert (stored.root / "dvc.lock").read_bytes() == before
    assert not journal.exists()


@pytest.mark.long
@pytest.mark.parametrize("at", ["replace:1", "replace:5"])
def test_a_pull_that_is_killed_is_done_again(stored: Workspace, at: str, tmp_path: Path) -> None:
    stored.run("dvc", "remote", "add", "--default", "store", str(tmp_path / "remote"))
    stored.run("blur", "commit", *SCALE)
    stored.run("dvc", "push")
    cloned = clone(stored, "clone")
    cloned.run("dvc", "config", "--local", "cache.type", "copy")
    killed(cloned, at, cloned.root / DATA, "blur", "pull", *SCALE)
    expected, found = contents(stored), contents(cloned)
    assert {name for name in found if not name.endswith(".tmp")} < expected.keys()
    assert all(found[name] == expected[name] for name in found.keys() & expected.keys()), "each is whole or not there"
    cloned.run("blur", "pull", *SCALE)
    assert contents(cloned) == expected
    assert plan(cloned) == set()


@pytest.mark.long
def test_two_people_share_a_cache_and_gc_keeps_what_the_lock_names(stored: Workspace, tmp_path: Path) -> None:
    cache, remote = tmp_path / "cache", tmp_path / "remote"
    for setting in (("cache.dir", str(cache)), ("cache.shared", "group"), ("cache.type", "hardlink")):
        stored.run("dvc", "config", *setting)
    stored.run("dvc", "remote", "add", "--default", "store", str(remote))
    stored.run("blur", "commit", *SCALE)
    stored.run("dvc", "push")
    other = clone(stored, "other")
    committing = subprocess.Popen(["blur", "commit", *SCALE], cwd=stored.root, env=stored.env)
    other.run("blur", "pull", *SCALE)
    assert committing.wait(timeout=HANG) == 0
    stored.run("dvc", "checkout", "--relink")
    assert contents(other) == contents(stored)
    assert {path.stat().st_mode & 0o7777 for path in (cache / "files/md5").iterdir()} == {0o2775}
    linked = next(path for path in (other.root / DATA).rglob("manifest.json"))
    assert linked.samefile(stored.root / linked.relative_to(other.root))

    # A job that runs again in one checkout writes a file of its own.
    before = contents(stored)
    other.forked(*PLANNED, "--forceall")
    assert contents(stored) == before

    named = {path.relative_to(cache) for path in cache.rglob("*") if path.is_file()}
    for place in (cache, remote):
        litter = place / "files/md5/00" / ("0" * 30)
        litter.parent.mkdir(exist_ok=True)
        litter.write_bytes(b"in no commit")
    stored.run("dvc", "gc", "--workspace", "--cloud", "--force")
    assert {path.relative_to(cache) for path in cache.rglob("*") if path.is_file()} <= named
    for folder in (other.root / "data", other.root / "results", cache):
        shutil.rmtree(folder)
    other.run("blur", "pull", *SCALE)
    assert contents(other) == before
    for manifest in (other.root / DATA).rglob("manifest.json"):
        check_files(manifest.parent, read(manifest.parent))
