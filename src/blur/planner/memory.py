"""How much GPU memory an update needs, as a sum of counted tensors: at each moment that can be the highest.

The moments of one pass (a side's micro-batch): the ``loss``, when all activations are there and the logits many times
over; the ``head``'s gradient; the last ``block``'s backward pass; the ``first``'s, by when most gradients are made; the
``end``, with the embedding's gradient. Then ``reduce`` (several processes), ``combine`` (both gradients, float64 blocks
of the inner products), and ``evaluate`` between epochs. Activations shrink while gradients grow, both layer by layer,
so that no moment between these is higher.

With FSDP2, each of n GPUs holds 1/n of weights, gradients, states and reference; besides, unsharded, what is not in a
block (embeddings, head, last norm), two blocks' weights and two blocks' gradients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Literal

from blur.planner.activations import Tokens
from blur.planner.passes import Pass, passes
from blur.planner.trainable import Trained
from blur.unlearn.losses.base import LIVE
from blur.unlearn.smooth.base import SIDES

Sharding = Literal["ddp", "fsdp2"]
TERMS = ("weights", "reference", "optimizer", "gradients", "activations", "logits", "temporary")
PRODUCT_BLOCK = {"cpu": 1 << 16, "cuda": 1 << 24}  # elements; blur.unlearn.gradients._BLOCK
BUCKET = 1 << 24  # elements; blur.unlearn.distributed._BUCKET
SCORING_BLOCK = 1 << 22  # elements; blur.measure.likelihood.CHUNK


@dataclass(frozen=True)
class Moment:
    """Bytes by term at a moment that may be the highest."""

    name: str
    terms: Mapping[str, float]

    @property
    def total(self) -> float:
        """Bytes of all terms."""
        return sum(self.terms.values())


@dataclass(frozen=True)
class Memory:
    """What one GPU (or process) needs, in bytes."""

    moments: tuple[Moment, ...]

    @property
    def peak(self) -> Moment:
        """The highest moment."""
        return max(self.moments, key=lambda moment: moment.total)


@dataclass(frozen=True)
class Layout:
    """How a job is spread over GPUs. One GPU: everything; ``ddp``: everything on each; ``fsdp2``: sharded."""

    gpus: int = 1
    sharding: Sharding = "ddp"
    device: Literal["cpu", "cuda"] = "cuda"

    @property
    def shards(self) -> int:
        """Number of parts that weights, gradients and states are cut into."""
        return self.gpus if self.sharding == "fsdp2" else 1


@dataclass(frozen=True)
class Job:
    """A training job: a model with a method, the micro-batches of a process, and the layout.

    Attributes:
        tokens: micro-batch of each stream.
        accumulation: micro-batches of a process in one update.
        evaluation: bytes that measuring at an epoch's end has in use besides weights.
    """

    trained: Trained
    tokens: Mapping[str, Tokens]
    accumulation: int = 1
    layout: Layout = field(default_factory=Layout)
    evaluation: float = 0.0


def plan_memory(job: Job) -> Memory:
    """Return the moments of a job's updates, from the second update on, when the optimizer's states exist."""
    trained, shards = job.trained, job.layout.shards
    reference = trained.architecture.num_parameters * trained.element * bool(trained.settings.needs & LIVE)
    standing = {"weights": trained.weights, "reference": reference, "optimizer": trained.optimizer}
    shared = {name: size / shards for name, size in standing.items()}
    moments = (*_updates(job), *_after(job))
    return Memory(tuple(Moment(one.name, {**dict.fromkeys(TERMS, 0.0), **shared, **one.terms}) for one in moments))


def evaluation_memory(
    trained: Trained, tokens: Tokens, cache_tokens: int, batch_tokens: int, gradnorm: bool = False
) -> float:
    """Return the bytes that measuring has in use besides weights.

    A likelihood batch: logits of the scored positions in the model's type and float32, three blocks of them for the
    statistics; or one decoder block's working set.
    A generation: keys and values of ``cache_tokens`` in all layers, one block's working set over the prompts.
    ``gradnorm``: a batch's activations, or one set of gradients and one text's.

    Args:
        tokens: the longest measured text, as a batch of one.
        cache_tokens, batch_tokens: ``max_cache_tokens`` and ``max_batch_tokens`` of the settings; 0 for none such.
    """
    architecture, element = trained.architecture, trained.element
    block = trained.blocks[-1]
    rows = Tokens(max(1, batch_tokens // tokens.length), tokens.length, 0)
    logits = rows.rows * tokens.scored // tokens.length * architecture.vocab
    scoring = logits * (element + 4 * (element != 4)) + 3 * 4 * min(SCORING_BLOCK, logits)
    likelihood = max(scoring, block.forward_working(rows)) if batch_tokens else 0
    cache = 2 * architecture.layers * architecture.kv * cache_tokens * element
    generation = cache + block.forward_working(Tokens(1, cache_tokens, 0))
    batch, alone = (sum(one.saved(texts) for one in trained.blocks) for texts in (rows, tokens))
    backward = max(batch + scoring, trained.gradients + alone) if gradnorm else 0
    return max(likelihood, generation, backward)


def _updates(job: Job) -> Iterator[Moment]:
    trained, settings = job.trained, job.trained.settings
    separate = settings.separate
    # An optimizer's own pass is done before the others begin; the retain side's gradients join the forget side's.
    held = [settings.combine.held * (settings.combine.passes(side) > 0) for side in SIDES]
    spare = [max(settings.smooth.spare(side), own) * trained.shares for side, own in zip(SIDES, held, strict=True)]
    sides = (
        (settings.own, 0.0, False),
        (settings.forget, spare[0], False),
        (settings.retain, spare[1] + trained.gradients * separate, not separate),
    )
    for side, beside, joins in sides:
        for index, one in enumerate(passes(trained, job.tokens, side)):
            begun = job.accumulation > 1 or index > 0 or (joins and bool(settings.forget))
            yield from _pass(job, one, trained.gradients * begun + beside, fresh=not begun)


def _pass(job: Job, one: Pass, held: float, fresh: bool) -> Iterator[Moment]:
    """Yield the moments of a pass.

    Args:
        held: bytes of gradients that are there before it.
        fresh: whether it makes the first gradients of its set, which then stay, or adds to those there.
    """
    trained, shards, made = job.trained, job.layout.shards, one.gradients
    tied = trained.architecture.tied and one.through_head
    head, embedding = trained.gradient_of("head") * one.through_head, trained.gradient_of("embedding")
    waits = head * (fresh or tied)  # a tied weight's gradient waits for its other part
    rest = (made - embedding - head * (not tied)) * fresh
    twice = 2 * embedding * tied  # a tied weight's two gradients beside their sum
    for name, gradients, activations, logits in (
        ("loss", 0.0, one.kept + one.kept_above, one.loss_peak),
        ("head", head, one.kept + one.kept_above, 2 * one.outputs),
        ("block", waits, one.kept + one.working, one.outputs),
        ("first", waits + rest / shards, one.first_block, one.outputs),
        ("end", (made / shards if fresh else embedding) + twice, 0, one.outputs),
    ):
        terms = {"gradients": held / shards + gradients, "activations": activations, "logits": logits}
        yield Moment(name, {**terms, "temporary": _gathered(job)})


def _gathered(job: Job) -> float:
    """Return what FSDP2 holds whole: weights outside the blocks, two blocks' weights and two blocks' gradients."""
    if job.layout.shards == 1:
        return 0.0
    trained, layers = job.trained, job.trained.architecture.layers
    block = sum(prod(shape) for name, shape in trained.architecture.shapes.items() if ".0." in name) * trained.element
    outside = trained.architecture.num_parameters * trained.element - layers * block
    return outside + 2 * block + 2 * block * any(one.trainable for one in trained.blocks)


def _after(job: Job) -> Iterator[Moment]:
    """Yield what comes after the passes: sum over processes, combination and step, measurements between epochs."""
    trained, layout = job.trained, job.layout
    sets = 1 + trained.settings.separate
    gradients = sets * trained.gradients / layout.shards
    if layout.gpus > 1 and layout.sharding == "ddp":
        bucket = max(min(BUCKET, trained.gradients // trained.moving_element), trained.largest)
        wide = bucket * (4 if trained.moving_element == 4 else 8)  # in bfloat16 the converted pieces, then their sum
        yield Moment("reduce", {"gradients": gradients, "temporary": wide})
    block, spare = min(PRODUCT_BLOCK[layout.device], trained.largest), trained.settings.combine.spare
    combined = gradients + spare * trained.gradients / layout.shards
    yield Moment("combine", {"gradients": combined, "temporary": 8.0 * block * (sets + spare)})
    if trained.shares != trained.gradients:  # u once more, in the type of the masters
        yield Moment("step", {"gradients": gradients, "temporary": trained.shares / layout.shards})
    if job.evaluation:
        copy = trained.shares / layout.shards * trained.settings.smooth.shows  # of the weights that are trained
        yield Moment("evaluate", {"temporary": job.evaluation + copy})
