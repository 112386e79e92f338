"""Settings of one run of the loop, unlearning or fine-tuning. Imports no torch, so that configuration loads fast."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from blur.core.choice import Axis
from blur.core.settings import Count, Flag, Positive, Seed, StreamName, Strict
from blur.unlearn.combine.base import Combination
from blur.unlearn.losses.base import AlternatesLoss, LossBase, Need
from blur.unlearn.optimizers.base import OptimizerBase
from blur.unlearn.schedule import Schedule
from blur.unlearn.scopes.base import ScopeBase


class Objective(Strict):
    """One term of a side: a loss on a stream. ``weight`` multiplies it."""

    loss: Annotated[LossBase, Axis("blur.unlearn.losses", "Loss")]
    stream: StreamName
    weight: Positive = 1.0


class ForgetObjective(Objective):
    """A term of the forget side."""

    stream: StreamName = "forget"


class RetainObjective(Objective):
    """A term of the retain side."""

    stream: StreamName = "retain"


class UnlearnSettings(Strict):
    """A method: its point on the five axes, and how long and how fast.

    Plain fine-tuning is the same loop without a forget side. ``batch_size`` is the global batch, over all processes and
    ``accumulation`` micro-batches a process: neither changes the result, unless ``dropout`` is on.
    """

    forget: tuple[ForgetObjective, ...] = ()
    retain: tuple[RetainObjective, ...] = ()
    combine: Annotated[Combination, Axis("blur.unlearn.combine", "Combine")] = Field("weighted", validate_default=True)
    optimizer: Annotated[OptimizerBase, Axis("blur.unlearn.optimizers", "Optimizer")] = Field(
        "adamw", validate_default=True
    )
    scope: Annotated[ScopeBase, Axis("blur.unlearn.scopes", "Scope")] = Field("all", validate_default=True)
    schedule: Schedule = Schedule()
    epochs: Count | None = Field(None, description="passes over the forget stream (or the first retain stream)")
    steps: Count | None = Field(None, description="updates, instead of epochs")
    batch_size: Count = 16
    accumulation: Count = 1
    max_grad_norm: Positive | None = Field(None, description="clips the combined update u")
    log_gradients: Flag = Field(False, description="keep the two gradients apart, and log them, under `weighted` too")
    gradient_checkpointing: Flag = False
    dropout: Flag = Field(
        False,
        description="on, at the rates of the model's configuration and of LoRA's `dropout`; for plain fine-tuning only",
    )
    master_weights: Flag = Field(
        False,
        description="float32 copies of bfloat16 weights, which the optimizer moves: no small step is rounded away",
    )
    seed: Seed = 0

    @model_validator(mode="after")
    def _consistent(self) -> UnlearnSettings:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give exactly one of epochs and steps")
        if not self.forget and not self.retain:
            raise ValueError("give at least one objective, in forget or in retain")
        one_sided = not self.forget or not self.retain
        if one_sided and self.combine.separate:
            raise ValueError(f"combine {self.combine.name!r} needs a forget and a retain objective")
        return self

    @model_validator(mode="after")
    def _alternates_are_of_one_kind(self) -> UnlearnSettings:
        for term in self.objectives:
            if isinstance(term.loss, AlternatesLoss) and self.alternates[term.stream] != term.loss.alternates:
                raise ValueError(f"losses on the stream {term.stream!r} name different `alternates`")
        return self

    @model_validator(mode="after")
    def _dropout_has_a_place(self) -> UnlearnSettings:
        if self.dropout and (self.forget or self.needs):
            raise ValueError("`dropout: true` is for plain fine-tuning: losses compare the model with one without it")
        if getattr(self.scope, "dropout", 0) and not self.dropout:
            raise ValueError("`scope.dropout` does nothing without `dropout: true`, which is for plain fine-tuning")
        return self

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """All terms, the forget side first."""
        return (*self.forget, *self.retain)

    @property
    def streams(self) -> list[str]:
        """Names of the streams that the objectives read; the first one sets the epochs."""
        return list(dict.fromkeys(objective.stream for objective in self.objectives))

    @property
    def alternates(self) -> dict[str, str]:
        """Where alternates come from, by stream, for those whose losses read them."""
        return {one.stream: one.loss.alternates for one in self.objectives if isinstance(one.loss, AlternatesLoss)}

    @property
    def needs(self) -> frozenset[Need]:
        """References of the original model that the losses read."""
        return frozenset(need for objective in self.objectives for need in objective.loss.needs)

    @property
    def modules(self) -> list[str]:
        """Modules that this run's axes and schedule name, for the code fingerprint (which leaves settings out)."""
        parts = (self.combine, self.optimizer, self.scope, self.schedule, *(one.loss for one in self.objectives))
        return sorted({type(part).__module__ for part in parts})
