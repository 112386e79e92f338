"""The stages that measure models, whole or attacked, and sum up what was measured."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from blur.config.drawn import describe
from blur.config.plan import Plan
from blur.config.stages.base import (
    LIKELIHOOD,
    RUN,
    WEIGHTS,
    Result,
    Settings,
    Stage,
    data_of,
    encoding,
    folder,
)
from blur.config.task import JobName, Run
from blur.metrics.specs import Given, Spec


class Evaluate(Stage):
    """A model's raw measurements."""

    name = "evaluate"
    help = "Measure a model: likelihoods, answers, gradient norms."
    options = RUN
    resources = "evaluate"
    content: ClassVar = {"model": WEIGHTS, "target": WEIGHTS}

    def jobs(self, plan: Plan, task: str) -> Iterable[JobName]:
        """Target, retrained model, and all runs."""
        return [JobName(task, run) for run in plan.evaluated(task)]

    def settings(self, plan: Plan, job: JobName) -> Settings:
        """What is measured."""
        measure = plan.measure_settings(job.task)
        tasks, length = measure.task_files(), plan.task(job.task).model.max_length
        return {"measure": measure.model_dump(mode="json"), "tasks": tasks, "max_length": length}

    def modules(self, plan: Plan, job: JobName) -> Iterable[str]:
        """Those of what is measured, and that of what is around the model."""
        return [*plan.measure_settings(job.task).modules, *_around(plan, job)]

    def inputs(self, plan: Plan, job: JobName) -> dict[str, Path]:
        """Data and model, and the target where it judges the model's answers."""
        inputs = {**data_of(plan, job.task), "model": folder("models", plan, job.run)}
        target = plan.task(job.task).target
        if plan.measure_settings(job.task).fluency and target != job.run:
            inputs["target"] = folder("models", plan, target)
        return inputs

    def results(self, plan: Plan, job: JobName) -> tuple[Result, ...]:
        """The folder of the measurements."""
        return (Result.of(folder("evaluation", plan, job.run), LIKELIHOOD),)


def _around(plan: Plan, job: JobName) -> list[str]:
    """Return the module of what the loader puts around a run's model, or takes off it."""
    assert job.run is not None
    unlearned = job.run in plan.runs(job.task)
    return [type(plan.method_settings(job.run).wrapper).__module__] if unlearned else []


class Metrics(Stage):
    """Numbers with names, from measurements."""

    name = "metrics"
    help = "Compute metrics from a model's measurements."
    options = RUN
    content: ClassVar = {"evaluation": LIKELIHOOD}

    def jobs(self, plan: Plan, task: str) -> Iterable[JobName]:
        """One for each model that is evaluated."""
        return Evaluate().jobs(plan, task)

    def settings(self, plan: Plan, job: JobName) -> Settings:
        """Definitions, and the title that the results carry."""
        assert job.run is not None
        metrics, trajectory = plan.metrics(job.task), plan.metrics(job.task, "trajectory")
        return {"metrics": _given(metrics), "trajectory": _given(trajectory), "run": describe(plan, job.run)}

    def modules(self, plan: Plan, job: JobName) -> Iterable[str]:
        """Those of the metrics."""
        return _modules([*plan.metrics(job.task), *plan.metrics(job.task, "trajectory")])

    def inputs(self, plan: Plan, job: JobName) -> dict[str, Path]:
        """Measurements of the model, of the retrained one and what metrics compare it with; of its unlearning."""
        others = _references(plan, job, plan.metrics(job.task))
        inputs = {"evaluation": folder("evaluation", plan, job.run)}
        inputs |= {role: folder("evaluation", plan, run) for role, run in others.items() if run != job.run}
        if job.run in plan.runs(job.task):
            inputs |= {"model": folder("models", plan, job.run), "epochs": folder("epochs", plan, job.run)}
        return inputs

    def results(self, plan: Plan, job: JobName) -> tuple[Result, ...]:
        """The folder of the metrics."""
        return (Result.of(folder("metrics", plan, job.run), "metrics.json"),)


def _references(plan: Plan, job: JobName, specs: Iterable[Spec]) -> dict[str, Run]:
    """Return the models that metrics compare one with, by role: the retrained one; the target where one asks for it."""
    task, asked = plan.task(job.task), {getattr(spec.metric, "reference", None) for spec in specs}
    found = {"retrained": task.retrained, "target": task.target if "target" in asked else None}
    return {role: run for role, run in found.items() if run}


def _given(specs: Iterable[Spec]) -> list[Given]:
    return [spec.given for spec in specs]


def _modules(specs: Iterable[Spec]) -> list[str]:
    return sorted({type(spec.metric).__module__ for spec in specs})


class Attack(Stage):
    """One kind of attack on one model."""

    name = "attack"
    help = (
        "Attack a copy of a model, and measure what comes back.\n\n"
        "After an interruption it carries on from the last arm."
    )
    options = (*RUN, "attack")
    resources = "attack"
    content: ClassVar = {"model": WEIGHTS, "target": WEIGHTS}

    def jobs(self, plan: Plan, task: str) -> Iterable[JobName]:
        """All pairs of model and attack."""
        return [JobName(task, run, attack=attack) for run, attack in plan.attacks.pairs(task)]

    def settings(self, plan: Plan, job: JobName) -> Settings:
        """The arms, and what is measured."""
        chosen, measure = plan.attacks.settings(job.task, job.attack), plan.attacks.measure(job.task, job.attack)
        return {
            "attack": chosen.model_dump(mode="json"),
            "measure": measure.model_dump(mode="json"),
            "tasks": measure.task_files(),
            **encoding(plan.task(job.task)),
        }

    def modules(self, plan: Plan, job: JobName) -> Iterable[str]:
        """Those of the arms, and that of what is around the model."""
        measured = plan.attacks.measure(job.task, job.attack).modules
        return [*plan.attacks.settings(job.task, job.attack).modules, *measured, *_around(plan, job)]

    def inputs(self, plan: Plan, job: JobName) -> dict[str, Path]:
        """Data, the model, and the target where the attack reads it."""
        inputs = {**data_of(plan, job.task), "model": folder("models", plan, job.run)}
        if plan.attacks.settings(job.task, job.attack).of_target:
            inputs["target"] = folder("models", plan, plan.task(job.task).target)
        return inputs

    def results(self, plan: Plan, job: JobName) -> tuple[Result, ...]:
        """A folder for each attack."""
        return (Result.of(folder("attacks", plan, job.run) / job.attack, LIKELIHOOD),)


class AttackMetrics(Stage):
    """What came back, from an attack's measurements."""

    name = "attack_metrics"
    help = "Compute metrics from an attack's measurements."
    options = (*RUN, "attack")
    content: ClassVar = {"attack": LIKELIHOOD}

    def jobs(self, plan: Plan, task: str) -> Iterable[JobName]:
        """One for each attack."""
        return Attack().jobs(plan, task)

    def settings(self, plan: Plan, job: JobName) -> Settings:
        """The metrics, and what tables and figures read."""
        specs, judges = plan.attacks.metrics(job.task, job.attack)
        on = plan.attacks.on(job.task, job.attack)
        told = {"title": plan.attacks.config(job.attack).title, "items": on.items, "chance": on.chance}
        arms = list(plan.attacks.settings(job.task, job.attack).arms)
        return {"metrics": _given(specs), "judged_by": judges, "attack": {**told, "arms": arms}}

    def modules(self, plan: Plan, job: JobName) -> Iterable[str]:
        """Those of the metrics, and the settings that tell whose records were measured."""
        measured = type(plan.attacks.measure(job.task, job.attack)).__module__
        return [measured, *_modules(plan.attacks.metrics(job.task, job.attack)[0])]

    def inputs(self, plan: Plan, job: JobName) -> dict[str, Path]:
        """Measurements of the attacked model and of those it is compared with; the data tell whom items are about."""
        others = _references(plan, job, plan.attacks.metrics(job.task, job.attack)[0])
        inputs = {"attack": folder("attacks", plan, job.run) / job.attack, **data_of(plan, job.task)}
        return inputs | {role: folder("evaluation", plan, run) for role, run in others.items()}

    def results(self, plan: Plan, job: JobName) -> tuple[Result, ...]:
        """A folder for each attack."""
        return (Result.of(folder("attack_metrics", plan, job.run) / job.attack, "attack.json"),)
