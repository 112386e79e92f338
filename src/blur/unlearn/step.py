"""One update: two complete gradients, one combination, one optimizer step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
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
from blur.unlearn.batches import split, texts_of
from blur.unlearn.combine.base import NonFiniteGradient, Statistics
from blur.unlearn.gradients import Gradients, Shards, inner, products, put, scale, take
from blur.unlearn.losses.base import LossBase, Need
from blur.unlearn.mode import learning
from blur.unlearn.momentum import RetainMoment
from blur.unlearn.references import reference_for
from blur.unlearn.settings import Objective, UnlearnSettings
from blur.unlearn.sharding import Trainable
from blur.unlearn.views import View, passes

Record = dict[str, float | int | None]
Passes = dict[tuple[str, View], list[Objective]]


@dataclass(frozen=True)
class Sources:
    """What the losses read besides the model."""

    streams: Mapping[str, Sequence[Example]]
    reference_sums: Mapping[str, float] | None = None
    reference_model: nn.Module | None = None
    labels: Mapping[Need, Mapping[str, Sequence[int]]] | None = None


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
        self.optimizer = settings.stepper.build(self.trainable.shares)
        self.num_updates = 0
        self.moment = RetainMoment(self.trainable.shares, settings.optimizer.beta1)

    @property
    def states(self) -> Mapping[str, MutableMapping[Any, dict[str, Any]]]:
        """What is kept from step to step of each share of the parameters, by who keeps it."""
        return {"optimizer": self.optimizer.state, "combine": self.moment.state}

    @property
    def names(self) -> list[str]:
        """Names of the parameters that move."""
        return self.trainable.names

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The parameters that move, or some of whose entries do."""
        return self.trainable.parameters

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

    def update(
        self, step: int, indices: Mapping[str, Sequence[int]], lr: float, stop: bool = False
    ) -> tuple[Record, bool]:
        """Make one update.

        Args:
            step: the step's number, from 1.
            indices: the global batch of each stream, the same on every process.
            lr: learning rate.
            stop: this process was asked to stop.

        Returns:
            losses, geometry, and of the step taken ``promise``, lr <g_f, u> with u as clipped, and ``kept``,
            <g_f, theta_t - theta_t+1>, None where g_f is not made apart; and whether any process was asked to stop.

        Raises:
            BlurError: a loss or a gradient is not finite; the weights are as before the step.
        """
        settings, separate = self.settings, self.settings.separate
        # What the optimizer wants to know of the weights before it moves them: Sophia's curvature.
        shares = [share.detach() for share in self.trainable.shares]
        kept = [self.optimizer.state[share] for share in self.trainable.shares]
        settings.stepper.observe(step, shares, kept, partial(self._own_gradient, indices))

        # Both gradients, each complete: over all micro-batches here, and summed over processes. Where they are not
        # needed apart, the two backward passes add up in one set of gradients.
        factors = (1.0, 1.0) if separate else settings.combine.factors()
        with learning(self.model, settings.dropout, settings.gradient_checkpointing):
            forget_loss = self._backward(self.passes[0], indices, factors[0])
            g_f = self._collect() if separate else []
            retain_loss = self._backward(self.passes[1], indices, factors[1])
        g_r = self._collect()
        *losses, stopping = distributed.sum_values([*map(float, (forget_loss, retain_loss)), float(stop)], self.device)
        self._check_losses(losses, step)

        # One update u of the two. Where the combination keeps the retain gradient's momentum, that takes g_r's place.
        if settings.combine.momentum == "retain":
            g_r = self.moment.of(g_r, step)
        try:
            update, statistics = self._combine(g_f, g_r, factors)
        except NonFiniteGradient as error:
            raise self._not_finite(f"the {error.side} gradient", error.side, step) from error

        # The step. Where g_f is known, what it did to the forget loss to first order, <g_f, theta_t - theta_t+1>, is
        # held against the promise of u: under plain SGD they are the same number, under AdamW the sign may differ.
        before = self._along(g_f) if separate else None
        self._apply(update, statistics, lr)
        record: Record = {"forget_loss": None, "retain_loss": None, **asdict(statistics), "kept": None}
        if before is not None and statistics.promise is not None:
            record["promise"] = lr * self._clipping(statistics) * statistics.promise
            record["kept"] = (before - self._along(g_f)).item()
        for side, loss in zip(("forget", "retain"), losses, strict=True):
            if getattr(settings, side):
                record[f"{side}_loss"] = loss
        return record, stopping > 0

    def _own_gradient(self, indices: Mapping[str, Sequence[int]], loss: LossBase) -> tuple[Gradients, int]:
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

    def _gradient(self, side: int, indices: Mapping[str, Sequence[int]]) -> Gradients:
        """Return the gradient of the forget loss (0) or the retain loss (1) over any number of texts."""
        settings, world = self.settings, distributed.world_size()
        size = -(-settings.batch_size // (settings.accumulation * world))
        longest = max(map(len, indices.values()), default=0)
        with learning(self.model, False, settings.gradient_checkpointing):
            self._backward(self.passes[side], indices, 1.0, -(-longest // (size * world)))
        return self._collect()

    def _first(self, stream: str, size: int | None = None) -> range:
        return range(len(self.sources.streams[stream]))[:size]

    def _backward(
        self, passes: Passes, indices: Mapping[str, Sequence[int]], factor: float, accumulation: int | None = None
    ) -> Tensor:
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

    def _combine(self, g_f: Gradients, g_r: Gradients, factors: tuple[float, float]) -> tuple[Gradients, Statistics]:
        if self.settings.separate:
            return self.settings.combine.combine(g_f, g_r, self.names)
        norm = math.sqrt(math.fsum(products(g_r).flatten().tolist()))
        sides = [name for name in ("forget", "retain") if getattr(self.settings, name)]
        if not math.isfinite(norm):
            raise NonFiniteGradient(" or ".join(sides))
        known = {f"{sides[0]}_norm": norm / factors[sides[0] == "retain"]} if len(sides) == 1 else {}
        return g_r, Statistics(**known, update_norm=norm)

    def _clipping(self, statistics: Statistics) -> float:
        """Return what clipping multiplies the update by."""
        limit, norm = self.settings.max_grad_norm, statistics.update_norm or 0.0
        return limit / norm if limit is not None and norm > limit else 1.0

    def _apply(self, update: Gradients, statistics: Statistics, lr: float) -> None:
        scale(update, self._clipping(statistics))
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        put(self.trainable.shares, update)
        self.optimizer.step()
        self.num_updates += 1
        take(self.trainable.shares)
        self.trainable.publish()

    def _along(self, g_f: Gradients) -> Tensor:
        """Return <g_f, theta> of what the optimizer moves, float64.

        A difference of two of these needs no copy of the weights: products of float32 numbers are exact, and rounding
        of their sum stays 1e-9 below ||g_f|| ||theta_t - theta_t+1|| at rates down to 1e-8.
        """
        return inner(g_f, [share.detach() for share in self.trainable.shares])

    def _check_losses(self, losses: Sequence[float], step: int) -> None:
        for side, loss in zip(("forget", "retain"), losses, strict=True):
            if not math.isfinite(loss):
                raise self._not_finite(f"the {side} loss", side, step)

    def _not_finite(self, what: str, side: str, step: int) -> BlurError:
        terms = [
            f"{term.loss.name} on {term.stream}" for name in side.split(" or ") for term in getattr(self.settings, name)
        ]
        return BlurError(
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
