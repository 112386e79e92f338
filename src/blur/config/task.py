"""What a plan is made of: runs, the names of jobs, and tasks with everything they name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from blur.config.load import Layer, speaker, under
from blur.config.schema import BenchmarkConfig, FigureConfig, TaskConfig
from blur.config.sizes import Sizes
from blur.data.benchmarks.base import DataBase
from blur.models.settings import ModelSettings


@dataclass(frozen=True, order=True)
class Run:
    """One model of a task: ``base``, ``target``, ``retrained`` or a method's result."""

    task: str
    method: str
    variant: str = "default"
    seed: int = 0

    @property
    def path(self) -> str:
        """Path of the run below each phase's folder."""
        return f"{self.task}/{self.method}/{self.variant}/seed{self.seed}"


@dataclass(frozen=True, order=True)
class JobName:
    """What tells a job from the others of its stage.

    Attributes:
        task: that it belongs to.
        run: the model that it makes, or that it looks at.
        derived, request: what is derived from the run's model, and for which request to forget.
        attack: made on the run's model.
        figure: that it draws.
    """

    task: str
    run: Run | None = None
    derived: str = ""
    request: str = ""
    attack: str = ""
    figure: str = ""

    @property
    def path(self) -> str:
        """The name as a path, and as a person reads it."""
        run = self.run.path if self.run else self.task
        return "/".join(filter(None, (self.derived, self.request, run, self.attack, self.figure)))


@dataclass(frozen=True)
class Task:
    """A task with the files it names, as they stand at one scale.

    Attributes:
        benchmark_file: what the benchmark's file says.
        figures: the benchmark's, with what all benchmarks share of them.
        shared_figures: what the file of shared figures says.
        sizes: width and depth of the model, where its configuration is at hand.
        model_file: what the model's file says.
        typed: what the task's file says, and what the scale, or those that it extends, changes of it.
    """

    name: str
    config: TaskConfig
    benchmark: BenchmarkConfig
    benchmark_file: Layer
    figures: Mapping[str, FigureConfig]
    shared_figures: Layer
    data: DataBase
    model: ModelSettings
    sizes: Sizes
    model_file: Layer
    typed: tuple[Layer, ...]

    @property
    def file(self) -> str:
        """The task's own file."""
        return self.typed[0][0]

    def said(self, *keys: str) -> list[Layer]:
        """Return what the task's file, and then the scale, say below ``keys``."""
        return [under(layer, *keys) for layer in self.typed]

    def place(self, *keys: str) -> str:
        """Return how an error names a key: where it was typed."""
        return speaker(self.said(*keys))

    def said_of_figure(self, *keys: str) -> list[Layer]:
        """Return what the file of shared figures, and then the benchmark's, say below ``keys`` of figures."""
        return [under(layer, "figures", *keys) for layer in (self.shared_figures, self.benchmark_file)]

    @property
    def target(self) -> Run:
        """The model that knows everything; unlearning starts from it."""
        return Run(self.name, "target", seed=self.config.target.seed)

    @property
    def retrained(self) -> Run | None:
        """The model that never saw the forget set; None where the task has none."""
        source = self.config.retrained
        return None if source.kind == "none" else Run(self.name, "retrained", seed=source.seed)
