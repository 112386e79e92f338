"""The results table in Markdown, CSV, LaTeX, JSON and plain text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from blur.core.files import atomic_write_text
from blur.report import wording
from blur.report.cells import Cell, Section, TableRow, all_metrics, rows, sections
from blur.report.escape import escape
from blur.report.rows import to_csv
from blur.report.runs import Run, by_method
from blur.report.settings import TableSettings
from blur.report.summary import summarise

WIDTH = 6  # columns of the headline table that fit a terminal
ARROWS = {"higher": "↑", "lower": "↓", "zero": "→ 0", "match": "≈ retrained"}


def save(
    runs: Sequence[Run],
    out_dir: Path | str,
    *,
    task_title: str | None = None,
    stem: str = "results",
    **options: Any,
) -> list[Path]:
    """Write ``<stem>.md``, ``.csv`` (long form) and ``.tex`` (booktabs).

    Args:
        options: those of ``TableSettings``.
    """
    settings = TableSettings(**options)
    title = task_title or next((run.task for run in runs), "")
    paths = [Path(out_dir) / f"{stem}.{ending}" for ending in ("md", "csv", "tex")]
    atomic_write_text(paths[0], markdown(runs, title, settings))
    atomic_write_text(paths[1], to_csv(long(runs, settings)))
    atomic_write_text(paths[2], latex(runs, title, settings))
    return paths


def long(runs: Sequence[Run], settings: TableSettings) -> list[dict[str, Any]]:
    """Return a row per (method, variant, metric) with mean, interval, extremes over seeds, and direction."""
    return [
        {
            "method": row.first.method,
            "variant": row.first.variant,
            "title": row.first.title,
            "metric": metric,
            "direction": cell.direction,
            "seeds": cell.summary.n,
            **cell.summary.columns("mean"),
            "min": min((value for value in cell.values if value is not None), default=None),
            "max": max((value for value in cell.values if value is not None), default=None),
            "items": row.first.about.get(metric, {}).get("n"),
            "collapsed": row.collapsed,
            "barred": row.barred,
            "unchanged": row.unchanged,
            "reason": cell.reason,
        }
        for row in rows(runs, settings)
        for metric, cell in row.cells.items()
    ]


def summary(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """Return ``{method: {metric: mean}}``; variants under ``method/variant``; metrics not defined are left out."""
    found = {}
    for group in by_method(runs).values():
        means = {name: summarise(run.value(name) for run in group).mean for name in all_metrics(group)}
        found[TableRow(tuple(group), {}, False).key] = {name: mean for name, mean in means.items() if mean is not None}
    return found


def markdown(runs: Sequence[Run], title: str, settings: TableSettings) -> str:
    """Return all tables as Markdown."""
    parts = [f"# {title}: results"]
    for section in sections(runs, settings):
        cells, notes = grid(section, settings, lambda text: f"**{text}**")
        parts += [f"## {section.title}", piped(cells), "  \n".join(notes)]
    return "\n\n".join(parts) + "\n"


def piped(cells: Sequence[Sequence[str]]) -> str:
    """Return lines of cells, the header first, as a table of Markdown."""
    escaped = [[cell.replace("|", "\\|") for cell in line] for line in cells]
    lines = [f"| {' | '.join(line)} |" for line in escaped]
    rule = "|" + "|".join([" :--- ", *[" ---: "] * (len(cells[0]) - 1)]) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def latex(runs: Sequence[Run], title: str, settings: TableSettings) -> str:
    """Return all tables as LaTeX; the preamble needs ``booktabs``."""
    parts = ["% Needs \\usepackage{booktabs}"]
    for section in sections(runs, settings):
        cells, notes = grid(section, settings, lambda text: f"\x02{text}\x03")
        lines = [" & ".join(map(escape, line)) + r" \\" for line in cells]
        references = sum(row.first.is_reference for row in section.rows)
        body = [
            *lines[1 : 1 + references],
            *([r"\midrule"] if 0 < references < len(section.rows) else []),
            *lines[1 + references :],
        ]
        parts += [
            "\n".join(
                [
                    r"\begin{table}",
                    r"\centering",
                    rf"\caption{{{escape(f'{title}: {section.title}')}}}",
                    rf"\begin{{tabular}}{{l{'r' * (len(cells[0]) - 1)}}}",
                    r"\toprule",
                    lines[0],
                    r"\midrule",
                    *body,
                    r"\bottomrule",
                    r"\end{tabular}",
                    *(rf"\par\footnotesize {escape(note)}" for note in notes),
                    r"\end{table}",
                ]
            )
        ]
    return "\n\n".join(parts) + "\n"


def plain(runs: Sequence[Run], **options: Any) -> str:
    """Return the headline table for a terminal, its first columns only; the best of a column carries a star.

    Args:
        options: those of ``TableSettings``.
    """
    settings = TableSettings(**options)
    utility = [name for name in settings.columns if name == settings.utility]
    first = [name for name in settings.columns if name not in utility][: WIDTH - len(utility)]
    shown = tuple(name for name in settings.columns if name in (*first, *utility))
    found = sections(runs, settings.model_copy(update={"columns": shown}))
    if not found:
        return "No model has any of the columns of this table yet.\n"
    cells, notes = grid(found[0], settings, lambda text: f"{text}*")
    tall = [_stack(cells[0]), cells[1:]]
    lines = [*tall[0], *tall[1]]
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]

    def written(line: list[str]) -> str:
        cells = [
            line[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
        ]
        return "  ".join(cells).rstrip()

    if len(shown) < len(settings.columns):
        notes = [*notes, f"{len(settings.columns) - len(shown)} more columns in results.md"]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return (
        "\n".join([*map(written, tall[0]), rule, *map(written, tall[1]), rule, *notes, "* best of its column"]) + "\n"
    )


def _stack(header: list[str]) -> list[list[str]]:
    """Break a header into lines of one word each, aligned at the bottom."""
    words = [name.replace("→ 0", "→0").split() for name in header]
    height = max(map(len, words))
    padded = [[""] * (height - len(parts)) + parts for parts in words]
    return [[parts[level] for parts in padded] for level in range(height)]


def grid(section: Section, settings: TableSettings, bold: Callable[[str], str]) -> tuple[list[list[str]], list[str]]:
    """Return header and cells as text, and the notes below the table."""
    reasons: dict[str, str] = {}
    header = ["Method", *(_head(section, column) for column in section.columns), "Seeds"]
    digits = {column: _digits(section, column) for column in section.columns}
    body = [
        [
            row.name + _marks(row),
            *(_text(row.cells[column], column, digits[column], reasons, bold) for column in section.columns),
            str(len(row.runs)),
        ]
        for row in section.rows
    ]
    return [header, *body], _notes(section, settings, reasons)


def _marks(row: TableRow) -> str:
    """Return what is said of a row, as marks behind its name."""
    fate = "†" if row.collapsed else "‡" if row.unchanged else ""
    return "".join(f" {mark}" for mark in (fate, "¶" if row.barred else "", "§" if row.missed else "") if mark)


def _head(section: Section, column: str) -> str:
    direction = next((row.cells[column].direction for row in section.rows if row.cells[column].direction), "")
    name, _, detail = column.partition(".")
    name = (
        wording.label(column)
        if not detail or name == section.whole
        else f"{wording.label(name)} {wording.label(detail)}"
    )
    return f"{name} {ARROWS.get(direction, '')}".strip()


def _digits(section: Section, column: str) -> int:
    """Three digits after the point; one where a column is in percent."""
    means = [abs(row.cells[column].summary.mean or 0.0) for row in section.rows]
    return 1 if max(means, default=0.0) >= 10 else 3


def _text(cell: Cell, column: str, digits: int, reasons: dict[str, str], bold: Callable[[str], str]) -> str:
    reason = cell.reason or "not measured"
    if cell.summary.mean is None:
        return f"– ({_letter(reasons, reason)})"
    text = wording.spread(cell.summary, column, digits) + ("°" if cell.guessed else "")
    if cell.partial:
        text += f" ({_letter(reasons, f'mean over {cell.summary.n} of {len(cell.values)} seeds; else {reason}')})"
    elif cell.reason:
        text += f" ({_letter(reasons, cell.reason)})"
    return bold(text) if cell.best else text


def _letter(reasons: dict[str, str], reason: str) -> str:
    return reasons.setdefault(reason, chr(ord("a") + len(reasons)))


def _notes(section: Section, settings: TableSettings, reasons: dict[str, str]) -> list[str]:
    found, columns, notes = section.rows, section.columns, []
    if any(len(row.runs) > 1 for row in found):
        notes.append("Mean over seeds of the unlearning run ± half the width of the 95% t interval.")
        notes.append("Target, retrained model and data are the same for all seeds.")
    if any(map(wording.is_p_value, columns)) and "forget_quality" in columns:
        items = next((n for row in found if (n := row.first.about.get("forget_quality", {}).get("n"))), None)
        count = f" over {items} items" if items else ""
        notes.append(
            f"Forget quality is the p-value of a KS test{count}, its mean over seeds; the range is in the CSV."
        )
    notes += [f"{wording.label(name)}: {told}." for name, told in settings.formulas.items() if name in columns]
    notes += _chance(columns, settings)
    if any(cell.guessed for row in found for cell in row.cells.values()):
        notes.append("° within two deviations of guessing, for as many questions.")
    if any(row.collapsed for row in found):
        above = " above chance" if settings.chance.get(settings.utility) else ""
        floor = f"{wording.in_sentence(settings.utility)} below {settings.collapsed:.0%} of the target's{above}"
        notes.append(f"† collapsed: {floor}; not in the running for bold.")
    if any(row.barred for row in found):
        bars = " or ".join(f"{wording.in_sentence(name)} below {share:.0%}" for name, share in settings.gate.items())
        notes.append(f"¶ below the gate: {bars} of the target's; not in the running for bold.")
    if any(row.unchanged for row in found):
        notes.append(
            "‡ unchanged: what it was to forget cannot be told from the target's (95% interval of the paired "
            "difference over groups holds 0); not in the running for bold."
        )
    if any(row.missed for row in found):
        notes.append(
            "§ `select` asks for the first epoch to reach the retrained model; for some seed none did: the last counts."
        )
    return notes + [f"({letter}) {reason}" for reason, letter in reasons.items()]


def _chance(columns: Sequence[str], settings: TableSettings) -> list[str]:
    """Say what guessing gives, the metrics of one level together."""
    levels: dict[float, list[str]] = {}
    for column in columns:
        if column in settings.chance:
            levels.setdefault(settings.chance[column], []).append(wording.label(column))
    return [f"Guessing gives {level:g} in: {', '.join(names)}." for level, names in levels.items()]
