"""What an edit is, and a method that is one: it changes weights once, without the training loop. Imports no torch."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from blur.core.choice import Axis, Choice
from blur.core.hashing import derive_seed
from blur.core.settings import Seed, Strict
from blur.models.wrappers.base import WrapperBase
from blur.models.wrappers.none import Wrapper
from blur.unlearn.asked import Asked

if TYPE_CHECKING:
    from torch.nn import Module

    from blur.models.encode import Example

PACKAGE = "blur.edits"


@dataclass(frozen=True)
class AtHand:
    """What an edit may read besides the model.

    Attributes:
        derived: what was made for it beforehand, by kind.
        examples: returns the training examples of one of the streams that it reads.
        seed: of the run.
    """

    derived: Mapping[str, Any]
    examples: Callable[[str], list[Example]]
    seed: int = 0

    def some(self, stream: str, tokens: int) -> list[Example]:
        """Return texts of a stream in an order drawn by the run's seed, until they have that many tokens together."""
        texts, taken = self.examples(stream), 0
        chosen: list[Example] = []
        for text in random.Random(derive_seed("texts", self.seed, stream)).sample(texts, len(texts)):
            if taken >= tokens:
                break
            chosen.append(text)
            taken += len(text.input_ids)
        return chosen


class EditBase(Choice):
    """One way to change weights.

    Attributes:
        streams: those that it reads.
        copies: whole models in memory at once, for the planner.
    """

    streams: ClassVar[tuple[str, ...]] = ()
    copies: ClassVar[int] = 1

    @property
    def derived(self) -> tuple[Asked, ...]:
        """What has to be made beforehand."""
        return ()

    @property
    def times(self) -> int:
        """How often it is applied, one after another; the model is measured after each."""
        return 1

    @property
    def wrapper(self) -> WrapperBase:
        """What it leaves around the model; ``apply`` puts it there."""
        return Wrapper()

    def passed(self, stream: str, tokens: float) -> float:
        """Return how many tokens of forward passes it takes over one of its streams, which has ``tokens`` of them."""
        return 0.0

    def apply(self, model: Module, at_hand: AtHand) -> None:
        """Change the weights of ``model``, which is in evaluation mode, in place."""
        raise NotImplementedError


class EditSettings(Strict):
    """A method: one edit. It answers what a method that trains is asked as well (``UnlearnSettings``)."""

    edit: Annotated[EditBase, Axis(PACKAGE, "Edit")]
    seed: Seed = 0

    @property
    def streams(self) -> list[str]:
        """Names of the streams that it reads."""
        return list(self.edit.streams)

    @property
    def alternates(self) -> dict[str, str]:
        """No text is compared with another."""
        return {}

    @property
    def derived(self) -> dict[str, Asked]:
        """What has to be made beforehand, by kind."""
        return {asked.kind: asked for asked in self.edit.derived}

    def given(self, derived: Mapping[str, Any]) -> EditSettings:
        """Return the settings once what they ask for is there."""
        return self

    @property
    def wrapper(self) -> WrapperBase:
        """What the edit leaves around the model."""
        return self.edit.wrapper

    @property
    def sharded(self) -> bool:
        """An edit runs in one process."""
        return False

    @property
    def modules(self) -> list[str]:
        """Modules that the settings name, for the code fingerprint."""
        return sorted({type(one).__module__ for one in (self, self.edit, self.wrapper)})
