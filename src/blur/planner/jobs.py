"""All jobs of a scale by rule, counted from the plan as the workflow does, each with its time and the disk it fills."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from blur.config.drawn import drawn
from blur.config.plan import Plan
from blur.config.stages import STAGES
from blur.config.task import Run
from blur.edits.base import EditSettings
from blur.planner.catalogue import Catalogue, Gpu
from blur.planner.cost import Clock, forward, update_operations
from blur.planner.memory import Layout
from blur.planner.workload import Stream, steps, stream
from blur.planner.workplace import Workplace, fitting
from blur.unlearn.losses.base import LIVE
from blur.unlearn.settings import UnlearnSettings

KEPT_STATES = 2  # resume states of a run, blur.unlearn.checkpoint._KEPT


@dataclass(frozen=True)
class JobCost:
    """One job.

    Attributes:
        gpus: of the fewest that its memory fits on; 0 for a rule without; None where eight are too few.
        gpu_hours: with its start-up on each GPU; None where it does not fit.
        disk: bytes that stay.
        scratch: bytes of resume states while it runs.
    """

    rule: str
    task: str
    run: Run | None = None
    gpus: int | None = 0
    gpu_hours: float | None = 0.0
    disk: float = 0.0
    scratch: float = 0.0


def jobs(plan: Plan, catalogue: Catalogue, gpu: Gpu) -> list[JobCost]:
    """Return every job that ``snakemake all`` has at a scale, but ``all`` itself."""
    found: list[JobCost] = []
    for name in plan.tasks:
        place = Workplace.of(plan, catalogue, name)
        clock = Clock(gpu, catalogue.assumptions, place.element)
        found += [*_models(place, clock), *_unlearning(place, clock), *_reading(place, clock), *_attacks(place, clock)]
    return found


def _models(place: Workplace, clock: Clock) -> Iterator[JobCost]:
    task, name = place.task, place.task.name
    size = float(place.architecture.num_parameters * place.element)
    yield JobCost("data", name)
    roles = [run for run in (task.target, task.retrained) if run]
    trained = [run for run in roles if getattr(task.config, run.method).kind == "train"]
    if trained:
        yield JobCost("base", name, Run(name, "base"), disk=size)
    for run in roles:
        if run in trained:
            yield _training(place, clock, run)
        else:
            yield JobCost("train", name, run, disk=size)


def _training(place: Workplace, clock: Clock, run: Run) -> JobCost:
    settings, found = place.training(run.method)
    layout, _ = fitting(place, settings, found, clock.gpu)
    seconds = _learning(place, clock, settings, getattr(place.task.benchmark.training, run.method))
    trained = place.trained(settings)
    disk, moved = float(trained.weights), 2.0 * trained.weights
    scratch = KEPT_STATES * (trained.gradients + trained.optimizer)
    return _cost("train", run, layout, seconds, clock.overhead(moved), disk, scratch)


def _unlearning(place: Workplace, clock: Clock) -> Iterator[JobCost]:
    name, weights = place.task.name, place.architecture.num_parameters * place.element
    for job in STAGES["derive"].jobs(place.plan, name):
        assert job.run is not None
        kind = place.plan.derived_settings(name, job.derived)
        request, _, alternates = job.request.partition("@")
        sets, rows = place.plan.requested(name, request), 2 if alternates else 1  # each text, and its alternate
        read = [stream(place.task, place.sizes, sets[one]) for one in kind.streams]
        ahead = (one.total * _forward(place, one) for one in read)
        seconds = clock.forward(kind.passes * rows * sum(ahead))
        if kind.recipe:
            seconds += _learning(place, clock, kind.recipe, _all_sets(sets, kind.streams))
        if kind.measures:
            seconds += clock.measuring(place.architecture, place.measuring_epoch())
        disk = weights if kind.recipe else 0
        yield _cost("derive", job.run, Layout(), seconds, clock.overhead(weights * kind.reads_weights + disk), disk)
    for run in place.plan.runs(name):
        yield _unlearn(place, clock, run)


def _forward(place: Workplace, one: Stream) -> float:
    """Return the operations of a forward pass for each token of a stream."""
    return forward(place.architecture, one.tokens, one.scored)


def _all_sets(streams: Mapping[str, Mapping[str, Sequence[str]]], names: Iterable[str]) -> tuple[str, ...]:
    return tuple(one for name in names for sets in streams[name].values() for one in sets)


def _unlearn(place: Workplace, clock: Clock, run: Run) -> JobCost:
    chosen = place.plan.method_settings(run)
    if isinstance(chosen, EditSettings):
        measuring = clock.measuring(place.architecture, place.measuring_epoch())
        read = {name: place.texts(run)[name] for name in chosen.streams}
        passed = (chosen.edit.passed(name, one.total) * _forward(place, one) for name, one in read.items())
        seconds = (1 + chosen.edit.times) * measuring + clock.forward(sum(passed))  # measured before, and after each
        weights = float(place.architecture.num_parameters * place.element)
        return _cost("unlearn", run, Layout(), seconds, clock.overhead(weights + place.editing(chosen)), weights)
    settings, found = place.unlearning(run)
    layout, _ = fitting(place, settings, found, clock.gpu)
    job = place.job(settings, found, Layout())
    first = found.get(settings.streams[0]) or next(iter(found.values()))
    lengths = {name: found.get(name, first).tokens for name in settings.streams}
    number = steps(settings, first)
    seconds = clock.training(number * update_operations(job, lengths))
    looks = settings.wrapper.passes * sum(one.total * _forward(place, one) for one in found.values())
    seconds += clock.forward(looks)
    # measured before the first update, and at each epoch's end
    epoch = steps(settings.model_copy(update={"steps": None, "epochs": 1}), first)
    seconds += (1 + max(1, -(-number // epoch))) * clock.measuring(place.architecture, place.measuring_epoch())
    weights = place.architecture.num_parameters * place.element
    moved = weights * (2 + bool(settings.needs & LIVE))
    scratch = KEPT_STATES * (job.trained.gradients + job.trained.optimizer)
    return _cost("unlearn", run, layout, seconds, clock.overhead(moved), float(job.trained.weights), scratch)


def _reading(place: Workplace, clock: Clock) -> Iterator[JobCost]:
    """Yield evaluations, and what only reads their results."""
    plan, name = place.plan, place.task.name
    weights = place.architecture.num_parameters * place.element
    seconds = clock.measuring(place.architecture, place.measuring())
    loaded = weights * (1 + bool(plan.measure_settings(name).fluency))  # then the target, which judges the answers
    for run in plan.evaluated(name):
        yield _cost("evaluate", run, Layout(), seconds, clock.overhead(loaded))
        yield JobCost("metrics", name, run)
    yield from (JobCost("figures", name) for _ in drawn(plan, name))
    yield JobCost("table", name)


def _attacks(place: Workplace, clock: Clock) -> Iterator[JobCost]:
    plan, name = place.plan, place.task.name
    weights = place.architecture.num_parameters * place.element
    pairs = plan.attacks.pairs(name)
    for run, attack in pairs:
        settings = plan.attacks.settings(name, attack)
        seconds = settings.num_points * clock.measuring(place.architecture, place.measuring_attack(attack))
        seconds += sum(_learning(place, clock, recipe, sets) for recipe, sets in settings.trainings)
        layout = Layout() if place.attack(attack) <= place.catalogue.usable(clock.gpu) else None
        yield _cost("attack", run, layout, seconds, clock.overhead(weights * len(settings.arms)))
        yield JobCost("attack_metrics", name, run)
    if pairs:
        yield JobCost("robustness", name)


def _learning(place: Workplace, clock: Clock, settings: UnlearnSettings, sets: tuple[str, ...]) -> float:
    """Return the seconds of plain fine-tuning on sets."""
    found = place.learning(sets)
    job = place.job(settings, found, Layout())
    lengths = dict.fromkeys(job.tokens, found["retain"].tokens)
    return clock.training(steps(settings, found["retain"]) * update_operations(job, lengths))


def _cost(
    rule: str,
    run: Run,
    layout: Layout | None,
    seconds: float,
    overhead: float,
    disk: float = 0.0,
    scratch: float = 0.0,
) -> JobCost:
    """Return a GPU job's cost: its work, shared out over its GPUs, and its overhead on each of them."""
    gpus = layout.gpus if layout else None
    hours = None if gpus is None else (seconds + overhead * gpus) / 3600
    return JobCost(rule, run.task, run, gpus, hours, disk, scratch)
