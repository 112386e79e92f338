"""A plan's unlearning and training runs as memory jobs: model, method, micro-batches, layout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from blur.config.plan import Plan
from blur.config.task import Run, Task
from blur.edits.base import EditSettings
from blur.planner.architecture import ELEMENT_BYTES, Architecture, architecture_of
from blur.planner.catalogue import Catalogue, Gpu
from blur.planner.memory import Job, Layout, Sharding, evaluation_memory, plan_memory
from blur.planner.trainable import Trained
from blur.planner.workload import Measured, Sizes, Stream, measured, micro_batch, sizes_of, spread, stream, streams
from blur.unlearn.settings import UnlearnSettings

COUNTS = (1, 2, 4, 8)  # GPUs of a job
SHARDINGS: tuple[Sharding, ...] = ("ddp", "fsdp2")


@dataclass(frozen=True)
class Workplace:
    """A task with all that planning asks of it again and again."""

    plan: Plan
    catalogue: Catalogue
    task: Task
    architecture: Architecture
    sizes: Sizes

    @classmethod
    def of(cls, plan: Plan, catalogue: Catalogue, name: str) -> Workplace:
        """Read a task."""
        task = plan.task(name)
        return cls(plan, catalogue, task, architecture_of(task.model, catalogue), sizes_of(task, catalogue))

    @property
    def element(self) -> int:
        """Bytes of an element of the weights."""
        return ELEMENT_BYTES[self.task.model.dtype]

    def trained(self, settings: UnlearnSettings) -> Trained:
        """Return the model under a method. ``master_weights`` is read where settings have it."""
        masters = bool(getattr(settings, "master_weights", False))
        return Trained(self.architecture, settings, self.element, masters)

    def measuring(self) -> Measured:
        """Return what evaluating a finished model takes."""
        settings = self.plan.measure_settings(self.task.name)
        return measured(self.task, settings, self.sizes, self.catalogue)

    def measuring_epoch(self) -> Measured:
        """Return what is measured at each epoch's end."""
        settings = self.plan.epoch_settings(self.task.name)
        return measured(self.task, settings, self.sizes, self.catalogue)

    def measuring_attack(self, attack: str) -> Measured:
        """Return what measuring an attacked model once takes."""
        settings = self.plan.attacks.measure(self.task.name, attack)
        return measured(self.task, settings, self.sizes, self.catalogue)

    @property
    def trained_runs(self) -> list[Run]:
        """The runs of methods that train."""
        runs = self.plan.runs(self.task.name)
        return [run for run in runs if isinstance(self.plan.method_settings(run), UnlearnSettings)]

    def unlearning(self, run: Run) -> tuple[UnlearnSettings, dict[str, Stream]]:
        """Return the settings and streams of a run that trains."""
        settings = self.plan.method_settings(run)
        assert isinstance(settings, UnlearnSettings), f"{run.path} is an edit"
        return settings, self.texts(run)

    def texts(self, run: Run) -> dict[str, Stream]:
        """Return the streams of an unlearning run."""
        return streams(self.plan, run, self.sizes)

    def editing(self, settings: EditSettings) -> float:
        """Return the bytes of whole models that an edit holds."""
        return float(settings.edit.copies * self.architecture.num_parameters * self.element)

    def training(self, role: str) -> tuple[UnlearnSettings, dict[str, Stream]]:
        """Return the settings and the stream of the target or retrained model's training."""
        sets = list(getattr(self.task.benchmark.training, role))
        return self.plan.training_settings(self.task.name), self.learning(sets)

    def learning(self, sets: Iterable[str]) -> dict[str, Stream]:
        """Return the stream of plain fine-tuning on sets."""
        return {"retain": stream(self.task, self.sizes, {"": sets})}

    def job(self, settings: UnlearnSettings, found: Mapping[str, Stream], layout: Layout) -> Job:
        """Return the memory job of settings on streams; named streams the data lack count as the first."""
        micro, accumulation = spread(settings, layout.gpus)
        first = next(iter(found.values()))
        tokens = {name: micro_batch(self.task, found.get(name, first), micro) for name in settings.streams}
        trained = self.trained(settings)
        return Job(trained, tokens, accumulation, layout, self._between_epochs(trained))

    def attack(self, name: str) -> float:
        """Return the bytes at the peak of an attack's fine-tuning, which is for one GPU; 0 where it trains nothing."""
        trainings = self.plan.attacks.settings(self.task.name, name).trainings
        jobs = (self.job(recipe, self.learning(sets), Layout()) for recipe, sets in trainings)
        return max((plan_memory(job).peak.total for job in jobs), default=0.0)

    def evaluation(self, settings: UnlearnSettings) -> float:
        """Return the bytes that evaluating a finished model needs, weights included."""
        asked: Any = self.plan.measure_settings(self.task.name)
        trained = self.trained(settings.model_copy(update={"gradient_checkpointing": False}))
        return trained.weights + self._measure(trained, asked, self.measuring(), bool(asked.gradnorm))

    def _between_epochs(self, trained: Trained) -> float:
        asked: Any = self.plan.epoch_settings(self.task.name)
        what = self.measuring_epoch()
        return self._measure(trained, asked, what, False) if what.tokens or what.decode_steps else 0.0

    def _measure(self, trained: Trained, asked: Any, what: Measured, gradnorm: bool) -> float:
        length = max(2, round(what.longest))
        tokens = micro_batch(self.task, Stream((1,), what.longest, length, what.scored), 1)
        cache = asked.max_cache_tokens if asked.generation else 0
        batch = asked.max_batch_tokens if asked.likelihood else 0
        return evaluation_memory(trained, tokens, cache, batch, gradnorm)


def fitting(
    place: Workplace, settings: UnlearnSettings, found: Mapping[str, Stream], gpu: Gpu
) -> tuple[Layout | None, dict[Layout, float]]:
    """Return the layout of fewest GPUs that fits, None where none does, and the peak bytes of each layout.

    What cannot be trained by several processes is for one GPU.
    """
    limit = place.catalogue.usable(gpu)
    counts = [count for count in COUNTS[1:] if count <= settings.batch_size]  # a GPU without a sequence waits
    several = [Layout(count, sharding) for sharding in SHARDINGS for count in counts]
    layouts = [Layout(), *several]
    if not settings.wrapper.distributed:
        layouts = layouts[:1]
    peaks = {one: plan_memory(place.job(settings, found, one)).peak.total for one in layouts}
    fit = [one for one in layouts if peaks[one] <= limit]
    return min(fit, key=lambda one: (one.gpus, one.sharding), default=None), peaks
