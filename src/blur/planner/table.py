"""What ``blur plan`` prints: the memory that each method of a scale needs, where it fits, and what the scale costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from blur.config.plan import Plan
from blur.config.stages import STAGES
from blur.config.task import Run
from blur.edits.base import EditSettings
from blur.planner.catalogue import Catalogue, Gpu, catalogue_of
from blur.planner.jobs import JobCost, jobs
from blur.planner.memory import TERMS, Layout, plan_memory
from blur.planner.workload import spread
from blur.planner.workplace import COUNTS, Workplace, fitting
from blur.unlearn.settings import UnlearnSettings

DEFAULT_GPU = "h100-80g"
SHORT = ("weights", "ref", "optim", "grads", "activ", "logits", "temp")  # of TERMS
GIB = 2**30


@dataclass(frozen=True)
class Unit:
    """A unit of bytes."""

    name: str
    size: int

    def text(self, size: float) -> str:
        """Return a number of bytes in this unit."""
        return f"{size / self.size:.1f}" if size >= 0.05 * self.size else f"{size / self.size:.3f}" if size else "0"


UNITS = (Unit("GiB", GIB), Unit("MiB", 2**20))  # of large and of small models


def show(plan: Plan, gpu: str = DEFAULT_GPU, catalogue: Catalogue | None = None) -> str:
    """Return memory by method and cost by rule of a plan's tasks, as plain text.

    Args:
        gpu: a kind of GPU of ``config/planner.yaml``.

    Raises:
        ConfigError: no such GPU, or a model or benchmark that nothing is known of; names the nearest and the remedy.
    """
    catalogue = catalogue or catalogue_of(plan)
    kind = catalogue.gpu(gpu)
    places = [Workplace.of(plan, catalogue, name) for name in plan.tasks]
    memory = [_memory(place, kind) for place in places]
    return "\n\n".join([_heading(plan, kind, catalogue), *memory, _cost(jobs(plan, catalogue, kind), catalogue)])


def _heading(plan: Plan, gpu: Gpu, catalogue: Catalogue) -> str:
    usable = catalogue.usable(gpu) / GIB
    return f"Scale {plan.name} on {gpu.title}: {gpu.memory_gib:g} GiB, {usable:.1f} of them for tensors."


def _memory(place: Workplace, gpu: Gpu) -> str:
    """Return one task's table: a row for each method, the terms at its peak on one GPU, totals on several."""
    unit = UNITS[place.architecture.num_parameters * place.element < 2**26]
    several = ["DDP", *(f"FSDP2 x{count}" for count in COUNTS[1:])]
    names = (unit.name, *SHORT, "highest at", "1 GPU", *several, "fits on")
    rows = [_row(place, gpu, run, unit) for run in _one_each(place)]
    task, number = place.task, place.architecture.num_parameters / 1e9
    micro = {spread(settings, 1)[0] for settings in (place.unlearning(run)[0] for run in place.trained_runs)}
    batches = f"micro-batches of {' or '.join(map(str, sorted(micro)))} on one GPU"
    about = f"{task.config.title}: {number:.3g}B parameters in {task.model.dtype}, {batches}"
    note = "" if place.architecture.is_counted else "\n(activations approximate: not counted on this type of model)"
    measured = f"evaluation of a model: {unit.text(place.evaluation(_settings(place)))} {unit.name} on one GPU"
    attacks = dict.fromkeys(attack for _, attack in place.plan.attacks.pairs(task.name))
    peaks = {attack: peak for attack in attacks if (peak := place.attack(attack))}
    attacked = [f"attack {name}: {unit.text(peak)} {unit.name} on one GPU" for name, peak in peaks.items()]
    edits = {run.method: place.plan.method_settings(run) for run in place.plan.runs(task.name)}
    edited = [
        f"edit {name}: {unit.text(place.editing(settings))} {unit.name} on one GPU"
        for name, settings in edits.items()
        if isinstance(settings, EditSettings)
    ]
    return "\n".join([f"{about}{note}", _grid([names, *rows]), measured, *edited, *attacked])


def _settings(place: Workplace) -> UnlearnSettings:
    return place.unlearning(place.trained_runs[0])[0]


def _one_each(place: Workplace) -> list[Run]:
    """Return one run of each method, and of each variant that needs another amount of memory."""
    found: dict[tuple[str, float], Run] = {}
    for run in place.trained_runs:
        settings, streams = place.unlearning(run)
        total = plan_memory(place.job(settings, streams, Layout())).peak.total
        found.setdefault((run.method, round(total / GIB, 1)), run)
    return list(found.values())


def _row(place: Workplace, gpu: Gpu, run: Run, unit: Unit) -> tuple[str, ...]:
    settings, streams = place.unlearning(run)
    layout, peaks = fitting(place, settings, streams, gpu)
    job = place.job(settings, streams, Layout())
    peak = plan_memory(job).peak
    name = run.method if run.variant == "default" else f"{run.method} {run.variant}"
    terms = (unit.text(peak.terms[term]) for term in TERMS)
    replicated = max((size for one, size in peaks.items() if one.gpus > 1 and one.sharding == "ddp"), default=None)
    sharded = [peaks.get(Layout(count, "fsdp2")) for count in COUNTS[1:]]
    totals = ["-" if size is None else unit.text(size) for size in (peaks[Layout()], replicated, *sharded)]
    return (name, *terms, peak.name, *totals, _fits(layout))


def _fits(layout: Layout | None) -> str:
    if layout is None:
        return "none"
    return "1 GPU" if layout.gpus == 1 else f"{layout.gpus} GPUs, {layout.sharding}"


def _cost(found: Sequence[JobCost], catalogue: Catalogue) -> str:
    """Return the table by rule and the sums."""
    by_rule: dict[str, list[JobCost]] = defaultdict(list)
    for job in found:
        by_rule[job.rule].append(job)
    rows = [_rule(rule, by_rule[rule]) for rule in STAGES if by_rule[rule]]
    total = _rule("total", found)
    scratch = max((job.scratch for job in found), default=0.0)
    assumed = catalogue.assumptions
    notes = [
        f"Assumed: {assumed.training_mfu:.0%} of peak FLOP/s in training, {assumed.forward_mfu:.0%} in forward passes, "
        f"{assumed.decode_step_seconds:g} s a decoding step at least, {assumed.startup_seconds:g} s to start a job.",
        f"Disk is that of models; a training run keeps up to {scratch / 1e9:.0f} GB of resume states while it runs.",
    ]
    if unfit := sum(job.gpu_hours is None for job in found):
        notes.append(f"{unfit} jobs fit on no layout of up to {COUNTS[-1]} such GPUs; they are not in the sums.")
    return "\n".join([_grid([("rule", "jobs", "GPU-hours", "GPUs a job", "disk, GB"), *rows, total]), *notes])


def _rule(rule: str, found: Sequence[JobCost]) -> tuple[str, ...]:
    hours = sum(job.gpu_hours or 0.0 for job in found)
    counts = sorted({job.gpus for job in found if job.gpus})
    disk = sum(job.disk for job in found) / 1e9
    return rule, str(len(found)), f"{hours:.1f}", ", ".join(map(str, counts)) or "-", f"{disk:.1f}" if disk else "-"


def _grid(rows: Sequence[Sequence[str]]) -> str:
    """Align columns: the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    )
