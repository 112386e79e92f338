"""The body of ``blur push``: a model to the hub, under a card that carries its audit, and nothing besides.

Only what the model's manifest lists is sent, so that no text can lie among it, and how it was made, but not on which
machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from blur.core import manifest as manifests
from blur.core.errors import ArtifactError, ConfigError, DataError, one_line
from blur.core.files import read_json
from blur.owner.auditing import HTML, JSON
from blur.owner.models import open_model
from blur.owner.page import page
from blur.owner.report import Report

CARD = "README.md"
_FRONT = "---\nlibrary_name: transformers\npipeline_tag: text-generation\ntags: [unlearning, blur]\n---\n\n"


@dataclass(frozen=True)
class Parcel:
    """What is sent: files as they lie in the folder, and texts that are made for the hub, by name."""

    folder: Path
    files: tuple[str, ...]
    made: dict[str, str]

    @property
    def told(self) -> Iterator[str]:
        """Yield a line for each file: its size in bytes, and its name."""
        sizes = {name: (self.folder / name).stat().st_size for name in self.files}
        sizes |= {name: len(text.encode()) for name, text in self.made.items()}
        yield from (f"{size:>14,}  {name}" for name, size in sorted(sizes.items()))


def pack(folder: Path, audit: Path | None = None) -> Parcel:
    """Return what is to be sent of a model's folder.

    Args:
        audit: a report's folder, by ``blur audit`` of this very model.

    Raises:
        ArtifactError: the folder is no finished model, a file in it is not what the manifest says, or is in none.
        DataError: the audit is not readable, or is of another model.
    """
    manifest = manifests.read(folder)
    manifests.check_files(folder, manifest)
    listed = {*manifest["files"], manifests.NAME}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    if stray := sorted(found - listed - {manifests.MADE}):
        what = "no part of the model: the manifest does not list it"
        raise ArtifactError(what, str(folder / stray[0]), "Move it away: only the model is sent")
    card = (folder / CARD).read_text(encoding="utf-8") if CARD in listed else f"# {folder.name}\n"
    how = {key: value for key, value in manifests.made(folder).items() if key != "host"}
    made = {CARD: _FRONT + card, manifests.MADE: json.dumps(how, indent=1)}
    if audit is not None:
        report = _report(folder, audit)
        # Both are made anew of what was read: a page with the texts on it (--show-texts) is never sent.
        made[f"audit/{JSON}"] = report.model_dump_json(indent=1)
        made[f"audit/{HTML}"] = page(report)
        made[CARD] += _section(report)
    return Parcel(folder, tuple(sorted(listed - made.keys())), made)


def send(parcel: Parcel, to: str, public: bool = False) -> str:
    """Send it in one commit to a repository of the hub, private unless ``public`` where it is new; return its address.

    Raises:
        ConfigError: the hub refuses, or is out of reach.
    """
    from httpx2 import TransportError
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    operations = [CommitOperationAdd(name, str(parcel.folder / name)) for name in parcel.files]
    operations += [CommitOperationAdd(name, text.encode()) for name, text in parcel.made.items()]
    api = HfApi()
    try:
        api.create_repo(to, private=not public, exist_ok=True)
        return str(api.create_commit(to, operations, commit_message="A model that was made to forget").commit_url)
    except (HfHubHTTPError, HFValidationError, TransportError, RuntimeError) as error:
        raise ConfigError(one_line(error), f"--to {to}", "Give owner/name, and type `hf auth login`") from None


def _report(folder: Path, audit: Path) -> Report:
    place = audit / JSON if audit.is_dir() else audit
    if not place.is_file():
        raise DataError("no report is there", str(place), "Give the folder that `blur audit --out` named")
    try:
        report = Report.model_validate(read_json(place))
    except (ValidationError, ValueError) as error:
        raise DataError(f"no report of `blur audit` ({type(error).__name__})", str(place), "Make it again") from None
    audited = next(one.sha256 for one in report.models if one.role == "after")
    if audited != open_model(str(folder), device="cpu").sha256:
        raise DataError("the audit is of another model", str(place), f"Type `blur audit --after {folder} ...`")
    # A model's name may be a path of this machine.
    models = [one.model_copy(update={"name": Path(one.name).name}) for one in report.models]
    return report.model_copy(update={"models": tuple(models)})


def _section(report: Report) -> str:
    """Return the audit as a part of the card."""
    lines = [
        "",
        "## Audit",
        "",
        f"**{report.headline}** {report.reason}",
        "",
        "| question | answer |",
        "|---|---|",
        *(f"| {one.question} | {one.answer} |" for one in report.findings),
        "",
        f"{report.comparison} The whole report: `audit/{HTML}`, `audit/{JSON}`.",
        "",
        "What it cannot show:",
        "",
        *(f"- {one}" for one in report.cannot_show),
    ]
    return "\n".join(lines) + "\n"
