"""DVC as the store: commit what a run made, pull what another run made, lose nothing on the way.

Killed at any moment, either command is done again: it removes what the killed one left, and completes. One of them acts
in a checkout at a time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from blur.core.errors import BlurError
from blur.core.files import atomic_write_bytes, remove_litter
from blur.core.locking import exclusive
from blur.core.manifest import NAME as MANIFEST
from blur.core.paths import DATA, RESULTS, WORK
from blur.workflow.records import export_provenance, import_provenance
from blur.workflow.verify import verify

LOCK = Path("dvc.lock")
BEFORE = WORK / "store" / LOCK  # while a commit goes on: `dvc.lock` as it was
WRITTEN = BEFORE.with_name("written")  # a hard link to the file that DVC then overwrites in place; git makes a new one
REMOTE = "pulled"


def stages(scale: str) -> list[str]:
    """Names of a scale's DVC stages, in order."""
    return [f"{name}@{scale}" for name in _stages()]


def _stages() -> dict[str, Any]:
    stages: dict[str, Any] = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
    return stages


def commit(scale: str) -> None:
    """Verify all results of a scale, then record them in ``dvc.lock``, all or none.

    Raises:
        BlurError: a result failed, or DVC did; ``dvc.lock`` is as it was.
    """
    with _alone(scale):
        problems = verify(scale)
        if problems:
            raise BlurError("; ".join(problems), f"results/{scale}", f"Type `make run commit SCALE={scale}`")
        export_provenance(scale)
        for name in (name for stage in _stages().values() for out in stage["do"]["outs"] for name in out):
            # A scale without attacks has nothing there; DVC asks for the folder all the same.
            Path(name.replace("${item}", scale)).mkdir(parents=True, exist_ok=True)
        with _all_or_nothing():
            # To link, DVC removes a result first: `dvc checkout --relink` may do so once it is recorded.
            _dvc("commit", "--force", "--no-relink", *stages(scale))


def pull(scale: str, remote: str | None) -> list[str]:
    """Fetch a scale's results, keep what verifies, and hand Snakemake the records of it.

    Args:
        remote: name of a DVC remote, a URL or a folder; the default remote if None.

    Returns:
        Outputs that were dropped because they are not what their record was made for.

    Raises:
        BlurError: nothing is recorded; the remote lacks something that is; the workspace holds results that are in no
            commit, which DVC lists. No result was touched.
    """
    with _alone(scale):
        locked = [name for name in stages(scale) if name in _locked_stages()]
        if not locked:
            raise BlurError(
                f"no results of scale {scale!r} are recorded",
                str(LOCK),
                f"Type `make commit SCALE={scale}` where they are",
            )
        _dvc("fetch", *(("--remote", _name(remote)) if remote else ()), *locked)
        _refuse_incomplete(scale)
        remedy = f"Type `make commit SCALE={scale}` first, or move away what stands above"
        _dvc("checkout", *locked, remedy=remedy)
        problems = verify(scale)
        good, bad = import_provenance(scale)
        unknown = _without_record(scale, set(good))
        for path in unknown:
            path.unlink()
        return sorted({*problems, *bad, *map(str, unknown)})


@contextmanager
def _alone(scale: str) -> Iterator[None]:
    """Be the only command at the store in this checkout, and undo what a killed one left."""
    with exclusive(BEFORE.parent, lambda holder: print(f"waiting for {holder}", file=sys.stderr)):
        _roll_back()
        for folder in (DATA / scale, RESULTS / scale):
            remove_litter(folder)
        yield


@contextmanager
def _all_or_nothing() -> Iterator[None]:
    """Put ``dvc.lock``, which DVC overwrites stage by stage, back as it was unless the block succeeds."""
    if LOCK.is_file():
        WRITTEN.unlink(missing_ok=True)
        os.link(LOCK, WRITTEN)
        atomic_write_bytes(BEFORE, LOCK.read_bytes())
    try:
        yield
    except BaseException:
        _roll_back()
        raise
    BEFORE.unlink(missing_ok=True)


def _roll_back() -> None:
    """Undo what a commit that did not end wrote; a ``dvc.lock`` that git has brought since is left alone."""
    if BEFORE.is_file() and LOCK.is_file() and LOCK.samefile(WRITTEN):
        atomic_write_bytes(LOCK, BEFORE.read_bytes())
    BEFORE.unlink(missing_ok=True)


def _without_record(scale: str, known: set[str]) -> list[Path]:
    found = [*(RESULTS / scale).rglob(MANIFEST), *(DATA / scale).rglob(MANIFEST)]
    return [path for path in found if str(path) not in known]


def _locked_stages() -> set[str]:
    return set(yaml.safe_load(LOCK.read_text(encoding="utf-8")).get("stages", {})) if LOCK.is_file() else set()


def _refuse_incomplete(scale: str) -> None:
    """DVC would delete each folder of results that it cannot make whole: stop before it does."""
    missing = json.loads(_asked("data", "status", "--json")).get("not_in_cache", [])
    ours = sorted(name for name in missing if name.startswith((f"results/{scale}/", f"data/{scale}/")))
    if ours:
        what = f"the remote has not all of {', '.join(ours)}"
        raise BlurError(what, str(LOCK), "Type `make push` where they are: a push was interrupted or never made")


def _name(remote: str) -> str:
    """Return the name of a remote; a folder or a URL is given one, in the checkout's local configuration."""
    from dvc.config import Config

    if remote in Config.from_cwd()["remote"]:
        return remote
    url = str(Path(remote).resolve()) if Path(remote).is_dir() else remote
    _dvc("remote", "add", "--local", "--force", REMOTE, url)
    return REMOTE


def _asked(*arguments: str) -> str:
    """Return what DVC prints."""
    report = subprocess.run(["dvc", *arguments], capture_output=True, text=True)
    if report.returncode:
        raise BlurError(report.stderr.strip(), f"dvc {' '.join(arguments)}", "Mend the DVC set-up")
    return report.stdout


def _dvc(*arguments: str, remedy: str = "Its message stands above") -> None:
    done = subprocess.run(["dvc", *arguments])
    if done.returncode:
        raise BlurError(f"`dvc {' '.join(arguments)}` failed", None, remedy)
