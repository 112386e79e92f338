"""One forward and backward pass of an update: what it keeps, what it makes, and what it has in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from blur.planner.activations import Block, Tokens, final_norm
from blur.planner.losses import peak_per_output
from blur.planner.trainable import Trained
from blur.unlearn import views
from blur.unlearn.losses.base import LIVE, LossBase
from blur.unlearn.settings import Objective
from blur.unlearn.views import View


@dataclass(frozen=True)
class Pass:
    """A pass over one micro-batch, for all losses that share it. Sizes are bytes.

    Attributes:
        losses: losses of one side that read the same of the same stream.
        view: what they read.
        tokens: the micro-batch, alternates included.
    """

    trained: Trained
    losses: tuple[LossBase, ...]
    view: View
    stream: str
    tokens: Tokens

    @property
    def through_head(self) -> bool:
        """Whether it goes through the output head; losses on hidden states stop below it."""
        return self.view.layer is None

    @property
    def rows(self) -> int:
        """Rows of the batch for each example."""
        return self.losses[0].rows

    @property
    def live(self) -> bool:
        """Whether the original model is run as well."""
        return any(loss.needs & LIVE for loss in self.losses)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks that are run."""
        return self.trained.blocks[: None if self.view.layer is None else self.view.layer + 1]

    @property
    def kept(self) -> int:
        """What the blocks keep for the backward pass: with checkpointing their inputs, else all that is saved."""
        tokens, block = self.tokens, self._input
        mask = tokens.batch * tokens.length**2 * tokens.padded  # as truth values
        if self.trained.settings.gradient_checkpointing:
            return mask + sum(block for one in self.blocks if one.passes_on)
        return mask + sum(one.saved(tokens) for one in self.blocks)

    @property
    def kept_above(self) -> int:
        """What the last norm and the head keep."""
        trained = self.trained
        if not self.through_head:
            return 0
        head = bool(trained.gradient_of("head"))
        return final_norm(trained.architecture, trained.element, self.tokens, trained.moves_last_norm, head)

    @property
    def outputs(self) -> int:
        """The logits (or hidden states) that the losses read, which live until the pass is over."""
        return self._num_outputs * self.trained.element

    @property
    def loss_peak(self) -> float:
        """The logits many times over, at the losses' peak."""
        element = self.trained.element
        first, *others = (peak_per_output(loss, element) for loss in self.losses)
        return self._num_outputs * (first + sum(other - element for other in others))

    @property
    def working(self) -> int:
        """What the last block's backward pass has in use besides what is kept; with checkpointing all that it saves."""
        block, tokens = next((one for one in reversed(self.blocks) if one.passes_on), None), self.tokens
        if block is None:
            return 0
        again = 0
        if self.trained.settings.gradient_checkpointing:
            mask = tokens.batch * tokens.length**2 * self.trained.element * tokens.padded  # made a second time
            again = block.saved(tokens) - self._input + mask
        return block.working(tokens) + again

    @property
    def first_block(self) -> int:
        """What the first block with a backward pass keeps and has in use in it."""
        block = next((one for one in self.blocks if one.passes_on), None)
        return block.working(self.tokens) + block.saved(self.tokens) if block else 0

    @property
    def gradients(self) -> float:
        """The gradients that it makes: all, or those up to the layer that its losses read."""
        trained = self.trained
        if self.through_head:
            return trained.gradients
        embedding, head = trained.gradient_of("embedding"), trained.gradient_of("head")
        inside = trained.gradients - embedding - head * (not trained.architecture.tied)
        every = sum(bool(block.trainable) for block in trained.blocks)
        return embedding + inside * sum(bool(block.trainable) for block in self.blocks) / max(every, 1)

    @property
    def _input(self) -> int:
        return self.tokens.rows * self.trained.architecture.hidden * self.trained.element

    @property
    def _num_outputs(self) -> int:
        if not self.through_head:
            return self.tokens.rows * self.trained.architecture.hidden
        positions = self.tokens.scored if self.view.positions == "scored" else self.tokens.rows
        return positions * self.trained.architecture.vocab


def passes(trained: Trained, tokens: Mapping[str, Tokens], side: tuple[Objective, ...]) -> list[Pass]:
    """Return the passes of a side's terms, as the update makes them.

    Args:
        tokens: micro-batch of each stream.
    """
    groups = views.passes(side, trained.architecture)
    return [
        Pass(trained, tuple(term.loss for term in terms), view, stream, tokens[stream].times(terms[0].loss.rows))
        for (stream, view), terms in groups.items()
    ]
