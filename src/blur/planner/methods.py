"""What ``blur methods`` prints, docs/paper_index.md: every method's paper, code, settings, cost and faults."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from blur.config.load import validate
from blur.config.plan import KINDS, MethodSettings, Plan
from blur.config.schema import MethodConfig
from blur.core.choice import Choice
from blur.derived import base as derived
from blur.edits.base import EditSettings
from blur.planner.architecture import Architecture
from blur.unlearn.losses.base import LIVE
from blur.unlearn.views import passes

ALTERNATES = "blur.unlearn.alternates"
# So deep that no two layers that a method names are one.
DEEP = Architecture("llama", hidden=1, ffn=1, layers=1000, heads=1, kv_heads=1, head_dim=1, vocab=1, tied=True)
HEAD = """\
# Every method

<!-- Written by `blur methods > docs/paper_index.md`; a test compares. -->

A method is a file of [config/methods](../config/methods), as [methods.md](methods.md) tells; which are held out, and
why, stands there too. The source says where the form and the settings come from; a task's tuned settings are in
[config/tasks](../config/tasks). Code is what the file names on the axes: where it names nothing, the weighted sum,
AdamW, all weights, no wrapper. Costs are those of the default variant, asked of the classes that it names:

- passes: forward and backward passes over a batch in one update; an edit makes no update;
- states: tensors of the size of the parameters that move, kept from update to update;
- buffers: further ones in use in an update, gradients among them, and copies of the whole model.
"""


@dataclass(frozen=True)
class Cost:
    """What a method costs beside the weights; a state and a buffer are as large as the parameters that move.

    Attributes:
        passes: forward and backward passes over a batch, in the mean over updates.
        references: forward passes of the original model, in one update.
        buffers: sets of gradients, and copies of the model.
    """

    passes: float
    references: int
    states: int
    buffers: int


@dataclass(frozen=True)
class Row:
    """A method: its name, what its file says, and what follows from that.

    Attributes:
        code: modules of the values that it names on the axes, and of what is derived for it.
    """

    name: str
    config: MethodConfig
    code: tuple[str, ...]
    cost: Cost


def rows(plan: Plan) -> list[Row]:
    """Return every method that has a file, by its name.

    Raises:
        ConfigError: a method's file is wrong.
    """
    return [_row(plan, name) for name in plan.methods]


def page(plan: Plan) -> str:
    """Return all methods as Markdown: a table, then what each file says."""
    found = rows(plan)
    table = [("method", "title", "family", "passes", "states", "buffers"), *map(_cells, found)]
    return "\n".join([HEAD, *_grid(table), *(line for row in found for line in _entry(row))]) + "\n"


def _row(plan: Plan, name: str) -> Row:
    config = plan.method(name)
    file, content = plan.layer(f"methods/{name}.yaml")
    # A task says how long a method trains, and whatever else is not its own.
    length = {"steps": 1} if config.kind == "train" else {}
    settings = validate(KINDS[config.kind], ("one update", length), (f"{file}: settings", content["settings"]))
    return Row(name, config, tuple(_code(settings)), cost(settings))


def cost(settings: MethodSettings) -> Cost:
    """Return what a method costs, as its parts say."""
    if isinstance(settings, EditSettings):
        return Cost(0, 0, 0, settings.edit.copies - 1)
    made = [(list(passes(terms, DEEP).values()), share) for terms, share in settings.sides]
    live = sum(any(term.loss.needs & LIVE for term in terms) for groups, _ in made for terms in groups)
    buffers = 1 + settings.separate + (live > 0)
    return Cost(sum(len(groups) * share for groups, share in made), live, settings.states, buffers)


def _code(settings: MethodSettings) -> list[str]:
    named = [type(choice).__module__ for choice in _choices(settings)]
    sources = [f"{ALTERNATES}.{name}" for name in settings.alternates.values()]
    return list(dict.fromkeys([*named, *sources, *(f"{derived.PACKAGE}.{kind}" for kind in settings.derived)]))


def _choices(settings: BaseModel) -> Iterator[Choice]:
    """Yield the values on axes that settings name, and those that they name in turn; no field's default."""
    for key, field in type(settings).model_fields.items():
        value = getattr(settings, key)
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Choice) and one.name != field.default:
                yield one
            if isinstance(one, BaseModel):
                yield from _choices(one)


def _cells(row: Row) -> tuple[str, ...]:
    cost = row.cost
    passes = f"{cost.passes:g}" if row.config.kind == "train" else "edit"
    counts = (passes, f"{cost.states}", f"{cost.buffers}")
    return (f"[{row.name}](#{row.name})", row.config.title, row.config.family, *counts)


def _entry(row: Row) -> Iterator[str]:
    config, cost = row.config, row.cost
    yield f"\n## {row.name}\n"
    yield f"{config.title} ({config.family}).\n"
    yield f"- Source: {config.source}"
    if config.reading:
        yield "- Our reading: its form is known second-hand only."
    variants = f", and {len(config.variants)} variants" if config.variants else ""
    yield f"- Settings: [{row.name}.yaml](../config/methods/{row.name}.yaml){variants}"
    yield f"- Code: {', '.join(map(_link, row.code))}"
    if config.kind == "edit":
        yield f"- Cost: an edit, {cost.buffers} further models in memory"
    else:
        live = f", {cost.references} of them with the original model run as well" * (cost.references > 0)
        yield f"- Cost: {cost.passes:g} passes an update{live}; {cost.states} states; {cost.buffers} buffers"
    yield from (f"- Fault of the authors' code: {fault}" for fault in config.faults)


def _link(module: str) -> str:
    path = module.replace(".", "/")
    return f"[{path.removeprefix('blur/').removeprefix('unlearn/')}](../src/{path}.py)"


def _grid(table: Sequence[Sequence[str]]) -> list[str]:
    """Return a table's lines, aligned, so that they can be read in a terminal as well."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    aligned = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in table]
    lines = [f"| {' | '.join(row)} |" for row in aligned]
    return [lines[0], f"|{'|'.join('-' * (width + 2) for width in widths)}|", *lines[1:]]
