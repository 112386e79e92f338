"""Settings of one run of the loop, unlearning or fine-tuning. Imports no torch, so that configuration loads fast."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from blur.core.choice import Axis
from blur.core.settings import Count, Flag, Positive, Seed, StreamName, Strict
from blur.models.anatomy import Anatomy
from blur.models.wrappers import base as wrappers
from blur.models.wrappers.base import WrapperBase
from blur.unlearn.asked import Asked
from blur.unlearn.combine.base import Combination
from blur.unlearn.losses.base import LIVE, AlternatesLoss, LossBase, Need
from blur.unlearn.optimizers.base import OptimizerBase
from blur.unlearn.schedule import Schedule
from blur.unlearn.scopes.base import ScopeBase
from blur.unlearn.select import Select
from blur.unlearn.smooth.base import SIDES, SmoothBase

if TYPE_CHECKING:
    from torch.nn import Module

    from blur.models.encode import Example


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
    """A method: its point on the axes, and how long and how fast.

    Plain fine-tuning is the same loop without a forget side. ``batch_size`` is the global batch, over all processes and
    ``accumulation`` micro-batches a process: neither changes the result, unless ``dropout`` is on.
    """

    forget: tuple[ForgetObjective, ...] = ()
    retain: tuple[RetainObjective, ...] = ()
    combine: Annotated[Combination, Axis("blur.unlearn.combine", "Combine")] = Field("weighted", validate_default=True)
    optimizer: Annotated[OptimizerBase, Axis("blur.unlearn.optimizers", "Optimizer")] = Field(
        "adamw", validate_default=True
    )
    texts: dict[StreamName, str] = Field(
        default_factory=dict, description="what is derived to take the place of a stream's texts, by stream"
    )
    scope: Annotated[ScopeBase, Axis("blur.unlearn.scopes", "Scope")] = Field("all", validate_default=True)
    wrapper: Annotated[WrapperBase, Axis(wrappers.PACKAGE, "Wrapper")] = Field("none", validate_default=True)
    smooth: Annotated[SmoothBase, Axis("blur.unlearn.smooth", "Smooth")] = Field("none", validate_default=True)
    schedule: Schedule = Schedule()
    epochs: Count | None = Field(None, description="passes over the forget stream (or the first retain stream)")
    steps: Count | None = Field(None, description="updates, instead of epochs")
    select: Select = Select()
    batch_size: Count = 16
    accumulation: Count = 1
    max_grad_norm: Positive | None = Field(None, description="clips the combined update u")
    log_gradients: Flag = Field(False, description="keep the two gradients apart, and log them, under `weighted` too")
    large_batch: Count | None = Field(
        None, description="log, at each epoch's end, the cosine of the gradients of the first N texts of each stream"
    )
    gradient_checkpointing: Flag = False
    dropout: Flag = Field(
        False,
        description="on, at the rates of the model's configuration and of the wrapper; for plain fine-tuning only",
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
        if self.one_sided and self.combine.separate:
            raise ValueError(f"combine {self.combine.name!r} needs a forget and a retain objective")
        if not self.forget and self.combine.factors()[1] != 1:
            raise ValueError("`combine.lam` weighs the retain side against a forget side, and there is none")
        if self.one_sided and self.large_batch:
            raise ValueError("large_batch: the cosine is that of a forget and a retain gradient")
        if not self.forget and self.smooth.separate:
            raise ValueError(f"`smooth: {self.smooth.name}` is around a forget loss, and there is none")
        if not self.forget and self.select.name != "last":
            raise ValueError("`select` looks at what is to be forgotten, and plain fine-tuning forgets nothing")
        return self

    @model_validator(mode="after")
    def _alternates_are_of_one_kind(self) -> UnlearnSettings:
        for term in self.objectives:
            if isinstance(term.loss, AlternatesLoss) and self.alternates[term.stream] != term.loss.alternates:
                raise ValueError(f"losses on the stream {term.stream!r} name different `alternates`")
        return self

    @model_validator(mode="after")
    def _texts_are_read(self) -> UnlearnSettings:
        if unread := [stream for stream in self.texts if stream not in self.streams]:
            raise ValueError(f"`texts` names the stream {unread[0]!r}, which no loss reads")
        if self.texts and not self.forget:
            raise ValueError("`texts` is for methods: plain fine-tuning reads its sets whole")
        return self

    @model_validator(mode="after")
    def _dropout_has_a_place(self) -> UnlearnSettings:
        if self.dropout and (self.forget or self.needs):
            raise ValueError("`dropout: true` is for plain fine-tuning: losses compare the model with one without it")
        if self.wrapper.draws and not self.dropout:
            raise ValueError("`wrapper.dropout` does nothing without `dropout: true`, which is for plain fine-tuning")
        return self

    @model_validator(mode="after")
    def _scope_has_a_meaning(self) -> UnlearnSettings:
        if self.wrapper.freezes and self.scope.name != "all":
            raise ValueError(
                f"`scope` chooses weights of the model, and `wrapper: {self.wrapper.name}` freezes them all"
            )
        if self.scope.reads_forget and not self.forget:
            raise ValueError(f"`scope: {self.scope.name}` is chosen by the forget loss, and there is none")
        return self

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """All terms, the forget side first."""
        return (*self.forget, *self.retain)

    @property
    def one_sided(self) -> bool:
        """Whether there is a single gradient."""
        return not self.forget or not self.retain

    @property
    def separate(self) -> bool:
        """Whether the forget and the retain gradient are made apart: one set of gradients more."""
        logged = self.log_gradients or self.large_batch is not None
        return not self.one_sided and (self.combine.separate or self.smooth.separate or logged)

    @property
    def stepper(self) -> OptimizerBase:
        """The optimizer as it steps: without its first moment, unless the combination leaves that to it."""
        return self.optimizer if self.combine.momentum == "update" else self.optimizer.without_first_moment()

    @property
    def states(self) -> int:
        """Number of tensors kept from step to step for each parameter."""
        return self.stepper.states * len(self.combine.rates) + self.combine.states + self.smooth.states

    @property
    def own(self) -> tuple[Objective, ...]:
        """Where the optimizer asks for the gradient of its own loss, on which streams it is taken: those that are kept.

        The curvature that a step has to mind is that of the loss which is to stay where it is (of the retained data,
        in influence unlearning and in SOUL); most forget losses have none that is positive. Where nothing is kept, it
        is that of the streams to forget, which the model was trained on.
        """
        loss, side = self.stepper.own_loss, self.retain or self.forget
        streams = dict.fromkeys(objective.stream for objective in side)
        return tuple(Objective(loss=loss, stream=stream) for stream in streams) if loss else ()

    @property
    def sides(self) -> tuple[tuple[tuple[Objective, ...], float], ...]:
        """The terms whose gradients an update makes in turn, and how often: a share, where not every one does."""
        passes = {side: self.smooth.passes(side) + self.combine.passes(side) for side in SIDES}
        asked = self.stepper.asks * len(self.combine.rates)
        return (self.own, asked), (self.forget, passes["forget"]), (self.retain, passes["retain"])

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
    def derived(self) -> dict[str, Asked]:
        """What has to be made beforehand, by kind: what losses need that is not the live original model, and others."""
        sums = (Asked(need) for need in sorted(self.needs - LIVE))
        texts = (Asked(kind) for kind in self.texts.values())
        return {asked.kind: asked for asked in (*sums, *texts, *self.combine.derived, *self.select.derived)}

    def given(self, derived: Mapping[str, Any]) -> UnlearnSettings:
        """Return the settings once what they ask for is there, by kind."""
        return self.model_copy(update={"combine": self.combine.given(derived)})

    @property
    def sharded(self) -> bool:
        """Whether several GPUs can share the model."""
        return self.scope.sharded and self.wrapper.sharded

    def reached(self, anatomy: Anatomy) -> Collection[str]:
        """Return the names of the model's weights that the method changes."""
        return self.wrapper.reaches(anatomy) if self.wrapper.freezes else self.scope.moves(anatomy)

    def prepare(self, model: Module) -> Module:
        """Return the model to train: the weights of the scope may move, and the wrapper is around it."""
        self.scope.apply(model)
        return self.wrapper.wrap(model)

    def start(self, model: Module, streams: Mapping[str, Sequence[Example]]) -> None:
        """Let the wrapper look at the texts of both sides, once the model is where it is trained."""
        named = [dict.fromkeys(term.stream for term in side) for side in (self.forget, self.retain)]
        self.wrapper.start(model, *([text for name in side for text in streams[name]] for side in named))

    @property
    def modules(self) -> list[str]:
        """Modules of these settings and of what they name, for the code fingerprint: nobody imports them."""
        parts = (
            self,
            self.combine,
            self.optimizer,
            self.scope,
            self.wrapper,
            self.smooth,
            self.schedule,
            self.select,
            *(one.loss for one in self.objectives),
        )
        return sorted({type(part).__module__ for part in parts})
