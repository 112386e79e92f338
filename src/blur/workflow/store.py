"""DVC as the store: commit what a run made, pull what another run made, lose nothing on the way."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import yaml

from blur.core.errors import BlurError
from blur.core.manifest import NAME as MANIFEST
from blur.core.paths import DATA, RESULTS
from blur.workflow.records import export_provenance, import_provenance
from blur.workflow.verify import verify

REMOTE = "pulled"


def stages(scale: str) -> list[str]:
    """Names of a scale's DVC stages, in order."""
    with open("dvc.yaml", encoding="utf-8") as handle:
        return [f"{name}@{scale}" for name in yaml.safe_load(handle)["stages"]]


def commit(scale: str) -> None:
    """Verify all results of a scale, then record them in ``dvc.lock``.

    Raises:
        BlurError: a result failed; nothing was recorded.
    """
    problems = verify(scale)
    if problems:
        raise BlurError("; ".join(problems), f"results/{scale}", f"Type `make run commit SCALE={scale}`")
    export_provenance(scale)
    _dvc("commit", "--force", *stages(scale))


def pull(scale: str, remote: str | None) -> list[str]:
    """Fetch a scale's results, keep what verifies, and hand Snakemake the records of it.

    Args:
        remote: a DVC remote URL or folder; the default remote if None.

    Returns:
        Outputs that were dropped because they are not what their record was made for.

    Raises:
        BlurError: the workspace holds results that are in no commit; lists them, and changes nothing.
    """
    locked = [name for name in stages(scale) if name in _locked_stages()]
    if not locked:
        raise BlurError(
            f"no results of scale {scale!r} are recorded",
            "dvc.lock",
            f"Type `make commit SCALE={scale}` where they are",
        )
    _refuse_unsaved(scale)
    if remote:
        url = str(Path(remote).resolve()) if Path(remote).is_dir() else remote
        _dvc("remote", "add", "--local", "--force", REMOTE, url)
    _dvc("pull", *(("--remote", REMOTE) if remote else ()), *locked)
    problems = verify(scale)
    good, bad = import_provenance(scale)
    unknown = _without_record(scale, set(good))
    for path in unknown:
        path.unlink()
    return sorted({*problems, *bad, *map(str, unknown)})


def _without_record(scale: str, known: set[str]) -> list[Path]:
    found = [*(RESULTS / scale).rglob(MANIFEST), *(DATA / scale).rglob(MANIFEST)]
    return [path for path in found if str(path) not in known]


def _locked_stages() -> set[str]:
    path = Path("dvc.lock")
    return set(yaml.safe_load(path.read_text(encoding="utf-8")).get("stages", {})) if path.is_file() else set()


def _refuse_unsaved(scale: str) -> None:
    """DVC would overwrite or delete results that no commit holds: list them and stop."""
    report = subprocess.run(["dvc", "data", "status", "--granular", "--json"], capture_output=True, text=True)
    if report.returncode:
        raise BlurError(report.stderr.strip(), "dvc data status", "Mend the DVC set-up")
    uncommitted = json.loads(report.stdout).get("uncommitted", {})
    names = [*uncommitted.get("added", []), *(_modified(item) for item in uncommitted.get("modified", []))]
    ours = sorted(n for n in names if n.startswith((f"results/{scale}/", f"data/{scale}/")) and not n.endswith("/"))
    if ours:
        shown = "\n  ".join(ours[:20]) + (f"\n  and {len(ours) - 20} more" if len(ours) > 20 else "")
        what = f"unsaved results would be lost:\n  {shown}\n"
        raise BlurError(what, f"results/{scale}", f"Type `make commit SCALE={scale}` first, or move them away")


def _modified(item: str | dict[str, str]) -> str:
    return item if isinstance(item, str) else item.get("new", item.get("old", ""))


def _dvc(*arguments: str) -> None:
    done = subprocess.run(["dvc", *arguments])
    if done.returncode:
        raise BlurError(f"`dvc {' '.join(arguments)}` failed", None, "Its message stands above")
