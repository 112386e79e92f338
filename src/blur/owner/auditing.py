"""The bodies of `blur audit` and `blur compare`: from the files that were named to a folder with the report."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from blur.core.errors import ConfigError
from blur.core.files import atomic_write_text, temporary_folder, write_json
from blur.core.progress import Progress
from blur.core.runtime import make_deterministic, set_threads
from blur.owner import compare, fail_on
from blur.owner.audit import Audit
from blur.owner.evidence.settings import DEFAULT, AuditSettings
from blur.owner.models import OwnModel, default_device, open_model, require_place
from blur.owner.page import page
from blur.owner.report import Report
from blur.owner.texts import parse_columns, read_texts

JSON, HTML = "report.json", "report.html"
FAILED = 1  # exit code where something was found that --fail-on names; 2 is a fault of the input


@dataclass(frozen=True)
class Given:
    """What both commands are given."""

    before: str
    forget: str
    out: Path
    keep: str | None = None
    unseen: str | None = None
    base: str | None = None
    reference: str | None = None
    columns: Sequence[str] = ()
    seed: int = 0
    device: str | None = None
    settings: AuditSettings = DEFAULT

    def audit(self) -> Audit:
        """Read the texts and the models that all candidates share.

        Raises:
            BlurError: a file or model is at fault.
        """
        if self.base and self.reference:
            remedy = "Give the reference alone: it says directly what a model that never saw the texts knows"
            raise ConfigError("there is a --reference too", "--base", remedy)
        threads = int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))
        set_threads(threads)
        make_deterministic(threads, self.device or default_device())
        texts = read_texts(self.forget, self.keep, self.unseen, parse_columns(self.columns))
        for line in texts.told:
            print(line)
        base, reference = (self.model(name) if name else None for name in (self.base, self.reference))
        settings = self.settings.model_copy(update={"seed": self.seed})
        return Audit(
            self.model(self.before),
            texts,
            base=base,
            reference=reference,
            settings=settings,
            progress=Progress("audit"),
        )

    def model(self, name: str) -> OwnModel:
        """Open a model where the others are."""
        return open_model(name, device=self.device)


def run_audit(given: Given, after: str, names: Sequence[str] = (), show_texts: bool = False) -> int:
    """Audit one model, write the report and print what it says; return the exit code.

    Args:
        names: what makes the exit code 1 where it is found.
        show_texts: write on the page, and nowhere else, what the models say to each forget text.
    """
    require_place(after)
    with _whole(given.out) as folder:
        audit = given.audit()
        candidate = given.model(after)
        report = audit.of(candidate)
        write_report(folder, report, audit.words(candidate) if show_texts else ())
    print(told(report))
    print(f"report: {given.out / HTML}, {given.out / JSON}")
    found = fail_on.failed(report, names)
    if found:
        print(f"failed, since --fail-on names what was found: {', '.join(found)}")
    return FAILED if found else 0


def run_compare(given: Given, candidates: Sequence[str]) -> None:
    """Audit several models, write a page of all and the report of each, and print the table.

    Raises:
        BlurError: a file or model is at fault.
    """
    names = compare.names_of(candidates)
    if len(set(names)) < len(names):
        raise ConfigError("a candidate is named twice", "candidates", "Name each once")
    for path in candidates:  # before the first is audited
        require_place(path)
    with _whole(given.out) as folder:
        audit = given.audit()
        reports = {name: audit.of(given.model(path)) for name, path in zip(names, candidates, strict=True)}
        for number, report in enumerate(reports.values(), start=1):
            write_report(folder / str(number), report)
        atomic_write_text(folder / HTML, compare.page(reports))
    print(compare.table(reports))
    print(f"page: {given.out / HTML}; the report of candidate n: {given.out}/n/{HTML}")


def write_report(folder: Path, report: Report, words: Sequence[Mapping[str, str]] = ()) -> None:
    """Write the report as JSON and as a page; ``words`` on the page alone."""
    write_json(folder / JSON, report.model_dump(mode="json"))
    atomic_write_text(folder / HTML, page(report, words))


def told(report: Report) -> str:
    """Return what a report says in some lines."""
    answers = [f"  {one.answer:14}  {one.question}" for one in report.findings]
    return "\n".join([report.headline, report.reason, *answers])


@contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """Yield a folder that becomes ``out`` if the block succeeds, and is gone if not.

    Raises:
        ConfigError: there is something at ``out``.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError("there is something already", f"--out {out}", "Name another folder, or remove it")
    with temporary_folder(out.absolute()) as temporary:
        made = temporary / "report"
        made.mkdir()
        yield made
        made.rename(out)
