"""One update: two complete gradients, one combination, one optimizer step."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from blur.core.errors import BlurError, ConfigError
from blur.models.anatomy import Built
from blur.models.batch import collate, count
from blur.models.encode import Example
from blur.unlearn import distributed
from blur.unlearn.batches import split, texts_of, topics_of
from blur.unlearn.combine.base import NonFiniteGradient, Statistics
from blur.unlearn.gradients import Gradients, Shards, inner, products, take
from blur.unlearn.losses.base import LossBase, Need
from blur.unlearn.mode import learning
from blur.unlearn.movement import Movement
from blur.unlearn.near import Found, Near
from blur.unlearn.references import reference_for
from blur.unlearn.settings import Objective, UnlearnSettings
from blur.unlearn.sharding import Trainable
from blur.unlearn.smooth.base import SIDES, Side
from blur.unlearn.views import View, passes

Record = dict[str, float | int | None]
Passes = dict[tuple[str, View], list[Objective]]
Indices = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Sources:
    """What the losses read besides the model."""

    streams: Mapping[str, Sequence[Example]]
    reference_sums: Mapping[str, float] | None = None
    reference_model: nn.Module | None = None
    labels: Mapping[Need, Mapping[str, Sequence[int]]] | None = None


class NotFinite(BlurError):
    """A loss or a gradient is NaN or infinite: the weights have left all bounds."""


class Updater:
    """Holds the trainable parameters and the optimizer, and makes updates.

    Args:
        sharded: the model, and the reference model if there is one, are shared out by ``blur.unlearn.sharding.shard``.

    Attributes:
        num_updates: steps of the optimizer that this process has made.
    """

    def __init__(self, model: nn.Module, settings: UnlearnSettings, sources: Sources, sharded: bool = False) -> None:
        self.model, self.settings, self.sources, self.sharded = model, settings, sources, sharded
        self.trainable = Trainable.of(model, settings.master_weights)
        self.device = self.parameters[0].device
        self.anatomy = Built(model)
        self.passes = passes(settings.forget, self.anatomy), passes(settings.retain, self.anatomy)
        self.trainable = settings.scope.narrow(self.trainable, model, self.forget_gradient)
        self.optimizers = [settings.stepper.build(self.trainable.shares) for _ in settings.combine.rates]
        self.movement = Movement(
            self.trainable, settings.combine, self.optimizers, settings.optimizer.beta1, settings.max_grad_norm
        )
        self.topics = math.lcm(*(len(topics_of(sources.streams[name])) or 1 for name in settings.streams))
        self.num_updates = 0
        self.smoothed: dict[Any, dict[str, Any]] = defaultdict(dict)
        self.numbers: dict[str, dict[str, float]] = {"combine": self.movement.numbers, "smooth": {}}

    @property
    def states(self) -> Mapping[str, MutableMapping[Any, dict[str, Any]]]:
        """What is kept from step to step of each share of the parameters, by who keeps it; ``numbers`` of the run."""
        return {**self.movement.states, "smooth": self.smoothed}

    @property
    def names(self) -> list[str]:
        """Names of the parameters that move."""
        return self.trainable.names

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The parameters that move, or some of whose entries do."""
        return self.trainable.parameters

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Have the weights that the run gives in the model, for the block's duration."""
        values = self._given()
        with self.trainable.at(values) if values is not None else nullcontext():
            yield

    def settle(self) -> None:
        """Leave the weights that the run gives in the model, for good."""
        values = self._given()
        if values is not None:
            self.trainable.move_to(values)

    def stepped(self, step: int, steps: int) -> None:
        """Let ``smooth`` look at the weights after a step, from 1, of ``steps`` planned ones."""
        shares = [share.detach() for share in self.trainable.shares]
        kept = self.movement.kept(self.smoothed)
        self.settings.smooth.stepped((step, steps), shares, kept, self.numbers["smooth"])

    def _given(self) -> Iterable[Tensor] | None:
        return self.settings.smooth.shown(self.movement.kept(self.smoothed), self.numbers["smooth"])

    def forget_gradient(self) -> Gradients:
        """Return the gradient of the forget loss over the whole of its streams, at the present weights."""
        return self._gradient(0, {term.stream: self._first(term.stream) for term in self.settings.forget})

    def large_cosine(self, size: int) -> float | None:
        """Return the cosine of the gradients over the first ``size`` texts of each stream, at the present weights."""
        sides = (self.settings.forget, self.settings.retain)
        batches = [{term.stream: self._first(term.stream, size) for term in side} for side in sides]
        both = [self._gradient(side, indices) for side, indices in enumerate(batches)]
        (ff, fr), (_, rr) = products(*both).sum(0).tolist()
        return fr / math.sqrt(ff) / math.sqrt(rr) if ff > 0 and rr > 0 else None

    def update(self, step: int, indices: Indices, lr: float, stop: bool = False) -> tuple[Record, bool]:
        """Make one update.

        Args:
            step: the step's number, from 1.
            indices: the global batch of each stream, the same on every process.
            lr: learning rate, which the combination may multiply.
            stop: this process was asked to stop.

        Returns:
            losses, geometry, and of the step taken ``lr``, ``promise``, lr <g_f, u> with u as clipped, and ``kept``,
            <g_f, theta_t - theta_t+1>, None where g_f is not made apart; and whether any process was asked to stop.

        Raises:
            NotFinite: a loss or a gradient is; the weights are as before the step.
        """
        settings, separate = self.settings, self.settings.separate
        near = {side: self._near(side, step, indices) for side in SIDES}
        settings.combine.before(near)
        # What the optimizer wants to know of the weights before it moves them: Sophia's curvature.
        shares = [share.detach() for share in self.trainable.shares]
        for optimizer in self.optimizers:
            kept = self.movement.kept(optimizer.state)
            settings.stepper.observe(step, shares, kept, partial(self._own_gradient, indices))

        # Both gradients, each complete: over all micro-batches here, and summed over processes. Where they are not
        # needed apart, the two backward passes add up in one set of gradients.
        own, (g_f, g_r) = self._sides(near, indices)
        *losses, stopping = distributed.sum_values([*map(float, own), float(stop)], self.device)
        self._check_losses(losses, step)

        # One update u of the two. Where the combination keeps the retain gradient's momentum, that takes g_r's place.
        g_r = self.movement.remembered(g_r, step)
        try:
            updates, statistics = self._combine(g_f, g_r, step, losses, near)
        except NonFiniteGradient as error:
            raise self._not_finite(f"the {error.side} gradient", error.side, step) from error

        # The step. Where g_f is known, what it did to the forget loss to first order, <g_f, theta_t - theta_t+1>, is
        # held against the promise of u: under plain SGD they are the same number, under AdamW the sign may differ.
        before = self._along(g_f) if separate else None
        lr *= settings.combine.factor(self.numbers["combine"])
        self._step(step, updates, statistics, lr, near["retain"])
        record: Record = {"lr": lr, "forget_loss": None, "retain_loss": None, **asdict(statistics), "kept": None}
        if before is not None and statistics.promise is not None:
            record["promise"] = lr * self.movement.clipping(statistics) * statistics.promise
            record["kept"] = (before - self._along(g_f)).item()
        for side, loss in zip(SIDES, losses, strict=True):
            if getattr(settings, side):
                record[f"{side}_loss"] = loss
        return record, stopping > 0

    def _sides(self, near: Mapping[Side, Near], indices: Indices) -> tuple[list[Tensor], tuple[Gradients, Gradients]]:
        """Return both losses, of this process, and both gradients; one that is not made apart is in the second."""
        if not self.settings.separate and not self.settings.one_sided:
            factors = self.settings.combine.factors()
            with self._learning():
                losses = [self._backward(self.passes[side], indices, factors[side]) for side in range(2)]
            return losses, ([], self._collect())
        found = [self.settings.smooth.gradient(side, near[side]) for side in SIDES if getattr(self.settings, side)]
        nothing = torch.zeros((), dtype=torch.float64)
        if len(found) == 2:
            return [loss for loss, _ in found], (found[0][1], found[1][1])
        [(loss, gradient)] = found
        return [loss, nothing] if self.settings.forget else [nothing, loss], ([], gradient)

    def _near(self, side: Side, step: int, indices: Indices) -> Near:
        """Return what takes the loss of a side and its whole gradient, at the present weights and elsewhere."""

        def gradient() -> Found:
            with self._learning():
                return self._backward(self.passes[SIDES.index(side)], indices, 1.0), self._collect()

        return Near(self.trainable, gradient, (self.settings.seed, step, side))

    def _learning(self) -> AbstractContextManager[None]:
        return learning(self.model, self.settings.dropout, self.settings.gradient_checkpointing)

    def _own_gradient(self, indices: Indices, loss: LossBase) -> tuple[Gradients, int]:
        """Return the gradient of the optimizer's own loss, and the number of units (tokens) that it is a mean over.

        Args:
            indices: the global batch of each stream; ``settings.own`` says which streams it is taken on.
        """
        streams = [term.stream for term in self.settings.own]
        batches = {name: [self.sources.streams[name][index] for index in indices[name]] for name in streams}
        counts = {
            name: sum(count(example, loss.unit) for example in texts_of(batch, loss.texts))
            for name, batch in batches.items()
        }
        number = sum(counts.values())
        own = [Objective(loss=loss, stream=stream, weight=part / number) for stream, part in counts.items()]
        with learning(self.model, False, self.settings.gradient_checkpointing):
            self._backward(passes(own, self.anatomy), indices, 1.0)
        return self._collect(), number

    def _gradient(self, side: int, indices: Indices) -> Gradients:
        """Return the gradient of the forget loss (0) or the retain loss (1) over any number of texts."""
        settings, world = self.settings, distributed.world_size()
        size = -(-settings.batch_size // (settings.accumulation * world))
        longest = max(map(len, indices.values()), default=0)
        with learning(self.model, False, settings.gradient_checkpointing):
            self._backward(self.passes[side], indices, 1.0, -(-longest // (size * world)))
        return self._collect()

    def _first(self, stream: str, size: int | None = None) -> range:
        return range(len(self.sources.streams[stream]))[:size]

    def _backward(self, passes: Passes, indices: Indices, factor: float, accumulation: int | None = None) -> Tensor:
        """Accumulate ``factor`` times the gradient of a side's loss; return this process's part of the loss.

        Args:
            accumulation: micro-batches a process; by default those of a step.
        """
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for (stream, view), terms in passes.items():
            examples = texts_of([self.sources.streams[stream][index] for index in indices[stream]], view.texts)
            counts = [sum(count(example, term.loss.unit) for example in examples) for term in terms]
            weights = [term.weight / number for term, number in zip(terms, counts, strict=True)]
            for part, counted in self._micro_batches(examples, accumulation or self.settings.accumulation):
                total += self._micro_batch(part, view, terms, weights if counted else [0.0] * len(terms), factor)
        return total

    def _micro_batches(
        self, examples: Sequence[Example], accumulation: int
    ) -> Iterator[tuple[Sequence[Example], bool]]:
        """Yield this process's micro-batches, and whether each counts.

        Where weights are sharded, all processes take part in every pass: one that has no example while another has
        some runs the batch's first one, and does not count it.
        """
        rank = distributed.rank()
        parts = split(examples, accumulation * distributed.world_size())
        for turn, part in enumerate(parts[rank * accumulation : (rank + 1) * accumulation]):
            if part:
                yield part, True
            elif self.sharded and any(parts[turn::accumulation]):
                yield examples[:1], False

    def _micro_batch(
        self, examples: Sequence[Example], view: View, terms: list[Objective], weights: list[float], factor: float
    ) -> Tensor:
        batch, sources = collate(examples, self.device), self.sources
        needs = frozenset(need for term in terms for need in term.loss.needs)
        reference = reference_for(
            batch, view, needs, sources.reference_sums, sources.reference_model, self.settings.seed, sources.labels
        )
        outputs = view.read(self.model, batch)
        found = [_per_text(term, term.loss.numerator(outputs, reference), len(examples)) for term in terms]
        values = [weight * numerator.sum() for numerator, weight in zip(found, weights, strict=True)]
        value = torch.stack(values).sum()
        if not value.requires_grad:
            raise _out_of_reach(terms)
        (value * factor).backward()
        return value.detach()

    def _collect(self) -> Gradients:
        """Sum the accumulated gradients over processes and take them out of the parameters."""
        if self.sharded:
            return Shards(take(self.parameters))
        distributed.sum_gradients(self.parameters)
        return self.trainable.pack(take(self.parameters))

    def _combine(
        self, g_f: Gradients, g_r: Gradients, step: int, losses: Sequence[float], near: Mapping[Side, Near]
    ) -> tuple[list[Gradients], Statistics]:
        if self.settings.separate:
            return self.movement.combine(g_f, g_r, step, losses, self.topics, near)
        norm = math.sqrt(math.fsum(products(g_r).flatten().tolist()))
        sides = [side for side in SIDES if getattr(self.settings, side)]
        if not math.isfinite(norm):
            raise NonFiniteGradient(" or ".join(sides))
        known = {f"{sides[0]}_norm": norm} if len(sides) == 1 else {}
        return [g_r], Statistics(**known, update_norm=norm)

    def _step(self, step: int, updates: Sequence[Gradients], statistics: Statistics, lr: float, retain: Near) -> None:
        """Make the step; where the combination chooses the rate, let it see the retain loss at other ones."""
        combine = self.settings.combine
        if not lr or not combine.probes(step):
            return self._apply(updates, statistics, lr)
        before = [share.detach().clone() for share in self.trainable.shares]
        self._apply(updates, statistics, lr)
        moved = [one.sub_(share.detach()) for one, share in zip(before, self.trainable.shares, strict=True)]
        combine.probe(lr, self.numbers["combine"], lambda rate: retain.loss_there(moved, 1 - rate / lr))

    def _apply(self, updates: Sequence[Gradients], statistics: Statistics, lr: float) -> None:
        self.movement.apply(updates, statistics, lr)
        self.num_updates += 1

    def _along(self, g_f: Gradients) -> Tensor:
        """Return <g_f, theta> of what the optimizer moves, float64.

        A difference of two of these needs no copy of the weights: products of float32 numbers are exact, and rounding
        of their sum stays 1e-9 below ||g_f|| ||theta_t - theta_t+1|| at rates down to 1e-8.
        """
        return inner(g_f, [share.detach() for share in self.trainable.shares])

    def _check_losses(self, losses: Sequence[float], step: int) -> None:
        for side, loss in zip(SIDES, losses, strict=True):
            if not math.isfinite(loss):
                raise self._not_finite(f"the {side} loss", side, step)

    def _not_finite(self, what: str, side: str, step: int) -> NotFinite:
        terms = [
            f"{term.loss.name} on {term.stream}" for name in side.split(" or ") for term in getattr(self.settings, name)
        ]
        return NotFinite(
            f"{what} is not finite ({', '.join(terms)})",
            where=f"step {step}",
            remedy="Lower optimizer.lr, set max_grad_norm, or use a bounded loss",
        )


def _per_text(term: Objective, numerator: Tensor, count: int) -> Tensor:
    """Return a loss's numerator; refuse a mean over the batch, of which the parts do not add up to the whole."""
    if numerator.shape != (count,):
        what = f"`numerator` gives a tensor of shape {list(numerator.shape)}, not a number for each of {count} texts"
        raise BlurError(what, type(term.loss).__module__, "Return [B]: the loop divides by the whole batch's count")
    return numerator


def _out_of_reach(terms: Sequence[Objective]) -> ConfigError:
    names = " and ".join(term.loss.name for term in terms)
    return ConfigError(
        f"no weight that may move has an influence on {names}",
        where="scope",
        remedy="Let a module move that is not above the layer whose output the loss reads",
    )
