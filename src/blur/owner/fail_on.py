"""What an audit's exit code can be made to depend on, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from blur.core.errors import ConfigError, did_you_mean
from blur.owner.report import Name, Report, Verdict

FINDINGS: tuple[Name, ...] = get_args(Name)
VERDICTS: dict[str, Verdict] = {
    {"partly forgotten": "partly", "cannot be told": "undecided"}.get(verdict, verdict): verdict
    for verdict in get_args(Verdict)
    if verdict != "forgotten"
}


def parse(given: str) -> tuple[str, ...]:
    """Return the names in a list with commas.

    Raises:
        ConfigError: a name is not known, or there is none.
    """
    names = tuple(name.strip() for name in given.split(",") if name.strip())
    known = (*FINDINGS, *VERDICTS)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        what = f"{unknown[0]!r} is nothing that an audit finds" if unknown else "it names nothing"
        raise ConfigError(
            what, "--fail-on", did_you_mean(unknown[0] if unknown else "", known, f"Known: {', '.join(known)}")
        )
    return names


def failed(report: Report, names: Sequence[str]) -> list[str]:
    """Return those of the names that the report found: an answer that is yes or partly, or the verdict."""
    found = {one.name for one in report.findings if one.answer in ("yes", "partly")}
    return [name for name in names if name in found or VERDICTS.get(name) == report.verdict]
