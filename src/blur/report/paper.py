"""The paper's tables and figures in three columns, never mixed: what is known of it, what others measured, ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blur.report import wording
from blur.report.published import Figure, Measure, Part, Published, Reading, Row, Table, factor
from blur.report.runs import Run
from blur.report.summary import summarise
from blur.report.tables import ARROWS

PAPER, OTHERS = "Known of the paper", "Measured by others"
USED = "Used by others"
NOT_RUN, NOT_PLANNED = "not run", "not planned"
THEIRS = "The caption is in our words; what the paper's says is above"
OWN = "**The caption is ours.** The paper's is not known, nor whether it has a figure like this one"
Form = Callable[[str, str], str]


@dataclass(frozen=True)
class Making:
    """How one model came about; None where that is not told, as of a model from the hub.

    Attributes:
        planned: updates that its settings ask for.
        real: updates that its log has.
        commit: of the checkout that made it.
    """

    planned: int | None = None
    real: int | None = None
    commit: str | None = None


@dataclass(frozen=True)
class Found:
    """What a scale has of one row.

    Attributes:
        title: of the row's method, with its variant.
        asked: seeds that the scale plans; 0 where it has no such run.
        runs: those that are done.
        makings: of these.
        settings: as they resolve, by dotted name, whether or not anything has run.
    """

    title: str
    asked: int = 0
    runs: tuple[Run, ...] = ()
    makings: tuple[Making, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Image:
    """What a scale has of one figure.

    Attributes:
        path: of its file.
        caption_file, caption: where its caption is written, and the text with task and scale filled in.
        asked: whether the scale draws it.
        commit: of the checkout that drew it; None where it is not drawn or that is not told.
        is_drawn: whether it is there.
        makings: of the unlearned models that it shows.
    """

    path: Path
    caption_file: Path
    caption: str
    asked: bool
    is_drawn: bool = False
    commit: str | None = None
    makings: tuple[Making, ...] = ()


@dataclass(frozen=True)
class Ours:
    """What a scale has beside what is published.

    Attributes:
        scale: its name.
        meaning: what stands instead of each result, where results mean nothing.
        rows: by table, part and run.
        images: by figure.
        directions: which way a metric is better, by benchmark and metric.
    """

    scale: str
    meaning: str | None
    rows: Mapping[tuple[str, str, str], Found]
    images: Mapping[str, Image]
    directions: Mapping[str, Mapping[str, str]]


class Notes:
    """Footnotes in the order of their first use, each text once."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def letter(self, text: str) -> str:
        """Return the letter of a note."""
        return self._known.setdefault(text, chr(ord("a") + len(self._known)))

    def lines(self) -> list[str]:
        """Return the notes, each behind its letter."""
        return [f"({letter}) {text}." for text, letter in self._known.items()]


def page(published: Published, ours: Ours) -> str:
    """Return the page as Markdown."""
    parts = [
        f"# The paper beside us: scale `{ours.scale}`",
        f"Written by `blur paper --scale {ours.scale}` from `config/published.yaml` and stored results: change those.",
        _INTRODUCTION.format(paper=PAPER, others=OTHERS, not_run=NOT_RUN, not_planned=NOT_PLANNED),
        f"Results of this scale read *{ours.meaning}*." if ours.meaning else "",
        _grid(["Form", "Is", PAPER, OTHERS, "Ours"], _overview(published, ours)),
    ]
    for key, table in published.tables.items():
        parts += _table(published, ours, key, table)
    for key, figure in published.figures.items():
        parts += _figure(published, ours.images[key], figure, ours.meaning)
    sources = (f"- **{source.title}**: {source.what}. <{source.url}>" for source in published.sources.values())
    return "\n\n".join(filter(None, [*parts, "## Sources", "\n".join(sources)])) + "\n"


_INTRODUCTION = """\
The paper is BLUR (arXiv 2506.08164). Its full text was not at hand: most cells of its tables and six of its captions
are not known. Three columns, never mixed:

- **{paper}**: each number behind which stands, in square brackets, who quotes it, or its authors' code.
- **{others}**: each with a name. Where several measured one thing, *apart* is the largest minus the smallest.
- **Ours**: mean over seeds ± half the width of the 95% t interval; of settings what they resolve to, run or not.

An empty cell is not known. *{not_run}* is planned at this scale and has no result yet; *{not_planned}* is not planned.
All columns of a table stand in one unit. Settings and definitions differ from source to source, and the notes say what
is told of them. We checked none of the others' numbers."""


def _overview(published: Published, ours: Ours) -> Iterator[list[str]]:
    for key, table in published.tables.items():
        yield [
            _link(f"{table.label}: {table.title}", table.label),
            f"{table.title} ({table.identified})" if table.known else table.title,
            _coverage(published, table),
            _names(published, (reading for part in table.parts.values() for r in part.rows for reading in r.rerun)),
            _progress(ours, key, table),
        ]
    for key, figure in published.figures.items():
        link = _link(f"{figure.label}: {figure.title}", figure.label)
        known = "what it shows" if figure.known else ""
        yield [link, figure.title, known, "", _state(ours.images[key], ours.meaning)]


def _coverage(published: Published, table: Table) -> str:
    """Say how many cells of a form are known of the paper, and from whom."""
    cells = [(row, column) for part in table.parts.values() for row in part.rows for column in part.columns]
    known = sum(any(column in reading.values for reading in row.paper) for row, column in cells)
    names = _names(published, (reading for row, _ in cells for reading in row.paper))
    return (f"{known} of {len(cells)} cells" + (f" [via {names}]" if names else "")) if cells else ""


def _names(published: Published, readings: Iterable[Reading]) -> str:
    return ", ".join(dict.fromkeys(published.sources[reading.who].title for reading in readings))


def _progress(ours: Ours, key: str, table: Table) -> str:
    measured = {name: part for name, part in table.parts.items() if part.metrics}
    if not measured:
        return "settings" if table.parts else ""
    found = [ours.rows[key, name, row.run] for name, part in measured.items() for row in part.rows]
    asked, done = sum(one.asked for one in found), sum(len(one.runs) for one in found)
    return (f"{done} of {asked} runs" if done else NOT_RUN) if asked else NOT_PLANNED


def _table(published: Published, ours: Ours, key: str, table: Table) -> Iterator[str]:
    yield f"## {table.label}: {table.title}"
    yield _facts(table.identified, table.known, table.unknown)
    for name, part in table.parts.items():
        yield from _part(published, ours, part, {row.run: ours.rows[key, name, row.run] for row in part.rows})


def _facts(identified: str, known: str, unknown: str) -> str:
    said = [f"*What it is: {identified}.*" if known else "", known, f"Not known: {unknown}." if unknown else ""]
    return " ".join(filter(None, said)).replace("..", ".")


def _part(published: Published, ours: Ours, part: Part, found: Mapping[str, Found]) -> Iterator[str]:
    yield f"### {part.title}"
    notes = Notes()
    header = ["Run", "Metric", PAPER, OTHERS, "Ours"] if part.metrics else ["Run", "Setting", PAPER, USED, "Ours"]
    body = [
        [
            f"**{found[row.run].title}**" if column == part.columns[0] else "",
            _column(part, column, ours.directions),
            _readings(published, part, row.paper, column, notes, _quoted),
            _readings(published, part, row.rerun, column, notes, _named) + _apart(part, row, column),
            _ours(part, column, found[row.run], ours.meaning, notes),
        ]
        for row in part.rows
        for column in part.columns
    ]
    yield _grid(header, body)
    yield "  \n".join([*_remarks(part), *notes.lines()])
    if part.metrics and any(one.runs for one in found.values()):
        yield _grid(["Our run", "Seeds", "Updates planned", "Updates made", "Commit"], _making_rows(found))


def _remarks(part: Part) -> Iterator[str]:
    if part.metrics:
        yield "In percent." if part.unit == "percent" else "Between 0 and 1."
    yield f"Our task is `{part.task}`." if part.task else "We have no task like it: ours stays empty."
    if part.note:
        yield part.note


def _making_rows(found: Mapping[str, Found]) -> Iterator[list[str]]:
    for one in found.values():
        if one.runs:
            told = ("planned", "real", "commit")
            columns = [_distinct(getattr(making, name) for making in one.makings) for name in told]
            yield [one.title, f"{len(one.runs)} of {one.asked}", *columns]


def _distinct(values: Iterable[int | str | None]) -> str:
    """Return what is told, each once; empty where nothing is."""
    told = {str(value) for value in values if value is not None}
    return ", ".join(sorted(told, key=lambda text: (len(text), text)))


def _column(part: Part, column: str, directions: Mapping[str, Mapping[str, str]]) -> str:
    if part.settings:
        return f"`{column}`"
    return f"{wording.label(column)} {ARROWS.get(directions[part.benchmark].get(column, ''), '')}".strip()


def _readings(
    published: Published, part: Part, readings: Sequence[Reading], column: str, notes: Notes, form: Form
) -> str:
    said = []
    for reading in readings:
        value = part.in_unit(reading, column)
        if value is not None:
            who = published.sources[reading.who].title
            letter = f" ({notes.letter(f'{who}: {reading.note}')})" if reading.note else ""
            said.append(form(who, _value(value, part)) + letter)
    return "; ".join(said)


def _quoted(who: str, value: str) -> str:
    return f"{value} [via {who}]"


def _named(who: str, value: str) -> str:
    return f"{who} {value}"


def _value(value: Measure | str, part: Part) -> str:
    if isinstance(value, str):
        return value
    numbers = [value.value] if value.half is None else [value.value, value.half]
    return " ± ".join(_number(number, bool(part.metrics) and part.unit == "percent") for number in numbers)


def _number(number: float, is_percent: bool) -> str:
    text = re.sub(r"e([+-])0+", r"e\1", f"{number:.6g}")
    return text + ".0" if is_percent and re.fullmatch(r"-?\d+", text) else text


def _apart(part: Part, row: Row, column: str) -> str:
    """Say how far several measurements of one thing are apart; p-values, which span decades, have no such distance."""
    found = [value.value for reading in row.rerun if isinstance(value := part.in_unit(reading, column), Measure)]
    if len(found) < 2 or part.settings or wording.is_p_value(column):
        return ""
    return f"; *apart {_number(max(found) - min(found), part.unit == 'percent')}*"


def _ours(part: Part, column: str, found: Found, meaning: str | None, notes: Notes) -> str:
    if part.task is None:
        return ""
    if not found.asked:
        return NOT_PLANNED
    if part.settings:
        value = found.settings.get(column)
        return _number(value, False) if isinstance(value, int | float) else str(value or "")
    if not found.runs:
        return NOT_RUN
    if meaning:
        return f"*{meaning}*"
    scale = factor(column, "fraction", part.unit)
    values = [run.value(column) for run in found.runs]
    summary = summarise(None if value is None else value * scale for value in values)
    if summary.mean is None:
        reasons = (run.about.get(column, {}).get("reason") for run in found.runs)
        return f"({notes.letter('ours: ' + (next(filter(None, reasons), 'not measured')))})"
    fewer = f" ({summary.n} of {found.asked} seeds)" if summary.n < found.asked else ""
    return wording.spread(summary, column, 1 if part.unit == "percent" else 3) + fewer


def _figure(published: Published, image: Image, figure: Figure, meaning: str | None) -> Iterator[str]:
    yield f"## {figure.label}: {figure.title}"
    known = f"{figure.known} [{published.sources[figure.source].title}]" if figure.source else ""
    row = [known, figure.others, f"`{image.path}`: {_made(image, meaning)}"]
    yield _grid([PAPER, "Drawn by others", "Ours"], [row])
    yield f"Not known: {figure.unknown}."
    yield f"{THEIRS if figure.known else OWN} (`{image.caption_file}`):"
    yield f"> {image.caption}"


def _made(image: Image, meaning: str | None) -> str:
    if not image.is_drawn:
        return _state(image, meaning)
    planned, real = ([getattr(one, name) or 0 for one in image.makings] for name in ("planned", "real"))
    updates = f"; its {len(image.makings)} models made {sum(real)} of {sum(planned)} planned updates"
    return _state(image, meaning) + updates + (f"; commit {image.commit}" if image.commit else "")


def _state(image: Image, meaning: str | None) -> str:
    if not image.asked:
        return NOT_PLANNED
    return (f"*{meaning}*" if meaning else "drawn") if image.is_drawn else NOT_RUN


def _link(heading: str, text: str) -> str:
    """Return a link to a heading of the page, as GitHub names it."""
    return f"[{text}](#{re.sub(r'[^a-z0-9 -]', '', heading.lower()).replace(' ', '-')})"


def _grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |") for line in lines)
