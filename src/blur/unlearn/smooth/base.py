"""Where the gradient of a side's loss is taken, and which weights a run gives. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from blur.core.choice import Choice

if TYPE_CHECKING:
    from torch import Tensor

    from blur.unlearn.gradients import Gradients
    from blur.unlearn.near import Near

Side = Literal["forget", "retain"]
SIDES: tuple[Side, Side] = ("forget", "retain")
Progress = tuple[int, int]
Kept = Sequence[dict[str, Any]]
Numbers = MutableMapping[str, float]


class SmoothBase(Choice):
    """Puts a neighbourhood of weights in the place of one point, around any loss.

    A gradient here is complete: over all micro-batches of a step and all processes. So a neighbourhood is chosen once
    a step, from the whole gradient, and all micro-batches see the same one.
    """

    def passes(self, side: Side) -> int:
        """Return how many times a step goes over a side's batch."""
        return 1

    def spare(self, side: Side) -> int:
        """Return the sets, of the size of what moves, that are held during a side's last pass, beside its gradient."""
        return 0

    @property
    def separate(self) -> bool:
        """Whether the two sides' gradients have to be made apart: one of them is taken elsewhere."""
        return self.spare("forget") > 0 or self.spare("retain") > 0

    @property
    def states(self) -> int:
        """Number of tensors kept from step to step for each parameter."""
        return 0

    @property
    def shows(self) -> bool:
        """Whether the weights that a run gives are others than those that it trains."""
        return False

    def gradient(self, side: Side, near: Near) -> tuple[Tensor, Gradients]:
        """Return the loss of a side and its gradient: of the present weights unless a class says otherwise."""
        return near.here()

    def stepped(self, progress: Progress, shares: Sequence[Tensor], kept: Kept, numbers: Numbers) -> None:
        """Look at the weights after a step.

        Args:
            progress: the step's number, from 1, and that of all planned ones.
            kept: of each share from step to step, empty before the first; checkpoints and sharding know its tensors.
            numbers: kept of the run, as well.
        """

    def shown(self, kept: Kept, numbers: Numbers) -> Iterable[Tensor] | None:
        """Return the weights that the run gives, by share; None: those that it trains."""
        return None
