"""What a job asks of a cluster: memory, time and GPUs, read from ``config/resources.yaml`` by the size of its model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from pydantic import Field

from blur.config.load import require_known, validate
from blur.config.plan import Plan
from blur.config.stages import Stage
from blur.config.task import JobName
from blur.core.errors import ConfigError
from blur.core.settings import Count, Positive, Size, Strict, Whole
from blur.planner.architecture import architecture_of
from blur.planner.catalogue import catalogue_of

FILE = "resources.yaml"


class Need(Strict):
    """What one job asks at its first attempt."""

    memory_gb: Positive = Field(description="main memory")
    gpus: Whole = Field(description="GPUs; none where the scale computes on the CPU")
    minutes: Count = Field(description="time limit")


class ModelSize(Strict):
    """What jobs on models of one size ask."""

    up_to: Size = Field(description="largest number of parameters")
    train: Need
    unlearn: Need
    evaluate: Need
    attack: Need


class ResourceConfig(Strict):
    """``config/resources.yaml``."""

    sizes: dict[str, ModelSize] = Field(min_length=1)


@dataclass(frozen=True)
class Needs:
    """Resources of a plan's jobs."""

    plan: Plan

    @cached_property
    def config(self) -> ResourceConfig:
        """The file, checked."""
        return validate(ResourceConfig, self.plan.layer(FILE))

    def check(self) -> None:
        """Read both files.

        Raises:
            ConfigError: one of them, or the scale's size, is at fault; names file and key.
        """
        _ = self.config, catalogue_of(self.plan)
        if self.plan.scale.size is not None:
            place = self.plan.scale_place("size")
            require_known("size of config/resources.yaml", self.plan.scale.size, self.config.sizes, place)

    def need(self, kind: str, task: str) -> Need:
        """Return what a job asks at its first attempt.

        Args:
            kind: ``train``, ``unlearn``, ``evaluate`` or ``attack``.

        Raises:
            ConfigError: the model is fetched by name and its architecture is not known here; or no size holds it.
        """
        need: Need = getattr(self._size(task), kind)
        return need if self.plan.scale.device != "cpu" else need.model_copy(update={"gpus": 0})

    @cache  # noqa: B019 - lives as long as its plan
    def _size(self, task: str) -> ModelSize:
        if self.plan.scale.size is not None:
            return self.config.sizes[self.plan.scale.size]
        count = self._num_parameters(task)
        for size in sorted(self.config.sizes.values(), key=lambda size: size.up_to):
            if count <= size.up_to:
                return size
        what = f"no size holds the {count:.3g} parameters of {self.plan.task(task).config.model!r}"
        raise ConfigError(what, f"{self.plan.layer(FILE)[0]}: sizes", "Add one")

    def _num_parameters(self, task: str) -> int:
        """Return the size of a model that is fetched by name; one built here counts as the smallest."""
        model = self.plan.task(task).model
        if model.name_or_path is None:
            return 0
        return architecture_of(model, catalogue_of(self.plan)).num_parameters

    def of(self, stage: Stage, name: Callable[[Any], JobName]) -> dict[str, Callable[..., int]]:
        """Return the resources of a stage's rule: functions of a job's wildcards and attempt. Retries ask for more.

        Args:
            name: the job that wildcards name.
        """

        def asked(wildcards: Any) -> Need:
            job = name(wildcards)
            need = self.need(stage.asks(self.plan, job) or "", job.task)
            most = int(stage.runs_model(self.plan, job))
            sharded = stage.is_sharded(self.plan, job)
            return need if sharded else need.model_copy(update={"gpus": min(need.gpus, most)})

        def memory(wildcards: Any, attempt: int) -> int:
            return round(1000 * attempt * asked(wildcards).memory_gb)

        def minutes(wildcards: Any, attempt: int) -> int:
            return attempt * asked(wildcards).minutes

        def gpus(wildcards: Any) -> int:
            return asked(wildcards).gpus

        return {"mem_mb": memory, "runtime": minutes, "gpu": gpus}
