"""What a job asks of a cluster: memory, time and GPUs, read from ``config/resources.yaml`` by the size of its model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from blur.config.load import read_yaml, validate
from blur.config.plan import Plan
from blur.core.errors import ConfigError

FILE = "resources.yaml"


class Need(BaseModel):
    """What one job asks at its first attempt."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    memory_gb: float = Field(gt=0, description="main memory")
    gpus: int = Field(ge=0, description="GPUs; none where the scale computes on the CPU")
    minutes: int = Field(gt=0, description="time limit")


class Size(BaseModel):
    """What jobs on models of one size ask."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    up_to: float = Field(gt=0, description="largest number of parameters")
    train: Need
    unlearn: Need
    evaluate: Need


class ResourceConfig(BaseModel):
    """``config/resources.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    parameters: dict[str, float] = Field(description="number of parameters of each config/models file with a name")
    sizes: dict[str, Size] = Field(min_length=1)


@dataclass(frozen=True)
class Needs:
    """Resources of a plan's jobs."""

    plan: Plan

    @cached_property
    def config(self) -> ResourceConfig:
        """The file, checked."""
        path = self.plan.folder / FILE
        return validate(ResourceConfig, (str(path), read_yaml(path)))

    def need(self, kind: str, task: str) -> Need:
        """Return what a job asks at its first attempt.

        Args:
            kind: ``train``, ``unlearn`` or ``evaluate``.

        Raises:
            ConfigError: the model is fetched by name and ``parameters`` does not tell its size; or no size holds it.
        """
        need: Need = getattr(self._size(task), kind)
        return need if self.plan.scale.device != "cpu" else need.model_copy(update={"gpus": 0})

    def _size(self, task: str) -> Size:
        where, model = str(self.plan.folder / FILE), self.plan.task(task).config.model
        count = self.config.parameters.get(model, None if self.plan.task(task).model.name_or_path else 0.0)
        if count is None:
            raise ConfigError(f"no number of parameters of model {model!r}", f"{where}: parameters", "Add it")
        for size in sorted(self.config.sizes.values(), key=lambda size: size.up_to):
            if count <= size.up_to:
                return size
        raise ConfigError(f"no size holds the {count:.3g} parameters of {model!r}", f"{where}: sizes", "Add one")

    def of(self, kind: str) -> dict[str, Callable[..., int]]:
        """Return the resources of a rule: functions of a job's wildcards and attempt. Retries ask for more."""

        def memory(wildcards: Any, attempt: int) -> int:
            return round(1000 * attempt * self.need(kind, wildcards.task).memory_gb)

        def minutes(wildcards: Any, attempt: int) -> int:
            return attempt * self.need(kind, wildcards.task).minutes

        def gpus(wildcards: Any) -> int:
            return self.need(kind, wildcards.task).gpus

        return {"mem_mb": memory, "runtime": minutes, "gpu": gpus}
