"""What an update or a measurement costs: floating-point operations and seconds, from counts and stated assumptions.

Operations a token, with N the elements of matrices (embeddings are looked up and cost nothing; the output head counts
at scored positions), L layers of attention width a, texts of T tokens:

    forward           2 N + 2 L a T   the latter for attention's products, half of them masked
    backward          the same for all above the lowest weight that moves, and 2 for each element that moves
    checkpointing     the forward pass of the blocks once more
    live reference    a forward pass more on the side that reads it
    BLUR              nothing: its two sides are those of every two-sided method
    smoothing         its passes over a side's batch, the whole pass each time

So plain training is the known 6 N a token (Kaplan et al., arXiv 2001.08361), a two-sided step twice that. Losses on
hidden states stop at their layer. Seconds are operations over peak FLOP/s times the utilisation of ``planner.yaml``;
decoding is bound by reading the weights at each step; each GPU job starts up, reads a model and writes one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from blur.planner.architecture import Architecture
from blur.planner.catalogue import Assumptions, Gpu
from blur.planner.memory import Job
from blur.planner.passes import Pass, passes
from blur.planner.trainable import LAYER
from blur.planner.workload import Measured


@dataclass(frozen=True)
class Clock:
    """A kind of GPU as a clock, for a model of elements of ``element`` bytes."""

    gpu: Gpu
    assumptions: Assumptions
    element: int

    @property
    def flops(self) -> float:
        """Peak operations a second."""
        return 1e12 * (self.gpu.fp32_tflops if self.element == 4 else self.gpu.bf16_tflops)

    def training(self, operations: float) -> float:
        """Return the seconds of forward and backward passes."""
        return operations / (self.flops * self.assumptions.training_mfu)

    def measuring(self, architecture: Architecture, what: Measured) -> float:
        """Return the seconds of measuring a model once."""
        operations = what.tokens * forward(architecture, what.longest, what.scored)
        bandwidth = self.gpu.bandwidth_gbs * 1e9 * self.assumptions.bandwidth_share
        step = max(self.assumptions.decode_step_seconds, architecture.num_parameters * self.element / bandwidth)
        return self.forward(operations) + what.decode_steps * step

    def forward(self, operations: float) -> float:
        """Return the seconds of forward passes alone."""
        return operations / (self.flops * self.assumptions.forward_mfu)

    def overhead(self, moved: float) -> float:
        """Return the seconds of a job's start-up, and of reading and writing ``moved`` bytes."""
        return self.assumptions.startup_seconds + moved / (self.assumptions.disk_gbs * 1e9)


def block_weights(architecture: Architecture) -> float:
    """Return the elements of a decoder block's matrices that a token goes through, as the mean over blocks."""
    inside = (shape for name, shape in architecture.shapes.items() if LAYER.search(name))
    return sum(map(architecture.matrix, inside)) / architecture.layers


def forward(architecture: Architecture, length: float, scored: float = 1.0, blocks: int | None = None) -> float:
    """Return the operations a token of a forward pass; of the first ``blocks`` without head where that is given.

    Args:
        length: tokens of a text.
        scored: share of them that reach the head.
    """
    depth = architecture.layers if blocks is None else blocks
    head = architecture.vocab * architecture.hidden * scored if blocks is None else 0.0
    return 2 * (depth * block_weights(architecture) + head) + 2 * depth * architecture.attention * length


def pass_operations(one: Pass, length: float) -> float:
    """Return the operations a token of a pass, its backward pass and its reference included.

    Args:
        length: mean tokens of a text.
    """
    trained, scored = one.trained, one.tokens.scored / one.tokens.rows
    architecture, depth = trained.architecture, len(one.blocks)
    ahead = forward(architecture, length, scored, None if one.through_head else depth)
    untouched = forward(architecture, length, blocks=sum(not block.below for block in one.blocks))
    again = forward(architecture, length, blocks=sum(block.passes_on for block in one.blocks))
    back = ahead - untouched + 2 * _moving(one, scored)
    return ahead * (1 + one.live) + back + again * trained.settings.gradient_checkpointing


def _moving(one: Pass, scored: float) -> float:
    """Return the elements of matrices that get a gradient from a pass; the head's by its share of positions."""
    trained = one.trained
    inside = trained.moving_matrices(len(one.blocks))
    return inside + trained.gradient_of("head") / trained.moving_element * one.through_head * scored


def update_operations(job: Job, mean_tokens: Mapping[str, float]) -> float:
    """Return the operations of one update over the global batch.

    Args:
        mean_tokens: of a text, by stream.
    """
    trained, settings, total = job.trained, job.trained.settings, 0.0
    for side, number in settings.sides:
        for one in passes(trained, job.tokens, side):
            length = mean_tokens[one.stream]
            total += number * settings.batch_size * one.rows * length * pass_operations(one, length)
    return total
