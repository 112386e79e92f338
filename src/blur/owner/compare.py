"""Several candidates beside each other: the same questions, about the same texts, against the same models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from blur.owner.frame import framed
from blur.owner.page import ANSWERS, TONES
from blur.owner.report import Finding, Name, Report
from blur.owner.wording import NO_PROOF

COLUMNS: Mapping[Name, str] = {
    "reproduced": "reproduced",
    "answered": "other words",
    "known": "familiar",
    "told_apart": "told apart",
    "relearned": "relearned",
    "resurfaced": "resurfaced",
    "quantized": "4-bit",
    "hinted": "hint",
    "costly": "costly",
}


def table(reports: Mapping[str, Report]) -> str:
    """Return the answers about each candidate as lines of text, by its name."""
    rows = [["", "verdict", *COLUMNS.values()]]
    rows += [
        [name, report.verdict, *(_short(report.finding(column)) for column in COLUMNS)]
        for name, report in reports.items()
    ]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def page(reports: Mapping[str, Report]) -> str:
    """Return the same as one page that needs nothing else."""
    first = next(iter(reports.values()))
    head = "".join(f"<th>{escape(title)}</th>" for title in ("Candidate", "Verdict", *COLUMNS.values()))
    lines = "".join(_line(name, report) for name, report in reports.items())
    questions = "".join(
        f"<tr><td>{escape(title)}</td><td>{escape(first.finding(name).question)}</td></tr>"
        for name, title in COLUMNS.items()
    )
    body = (
        f"<h1>{len(reports)} candidates compared</h1><p class=note>{escape(first.comparison)}</p>"
        f"<div class=wide><table class=said><thead><tr>{head}</tr></thead>{lines}</table></div>"
        "<p class=soft>Shares are of what the model before knew of the texts beyond what a model that never saw them "
        f"would know.</p><p class=note><strong>No proof.</strong> {escape(NO_PROOF)}</p>"
        f"<h2>What was asked</h2><div class=wide><table class=said>{questions}</table></div>"
    )
    return framed("Candidates compared", body)


def _line(name: str, report: Report) -> str:
    cells = "".join(
        f'<td class="{ANSWERS[found.answer][0]}"><span class=answer>{escape(_short(found))}</span></td>'
        for found in map(report.finding, COLUMNS)
    )
    verdict = f'<td class="{TONES[report.verdict]}"><span class=answer>{escape(report.verdict)}</span></td>'
    return f"<tr><td>{escape(name)}</td>{verdict}{cells}</tr>"


def _short(finding: Finding) -> str:
    """Return an answer in a word, with its share."""
    word = "?" if finding.answer == "cannot be told" else finding.answer
    return word if finding.share is None else f"{word} ({max(finding.share.value, 0):.0%})"


def names_of(paths: Sequence[str]) -> list[str]:
    """Return short names of candidates: the last part of each path, or all of it where two end alike."""
    short = [path.rstrip("/").rsplit("/", 1)[-1] or path for path in paths]
    return short if len(set(short)) == len(short) else list(paths)
