"""One update: two complete gradients, one combination, one optimizer step."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from blur.core.errors import BlurError, ConfigError
from blur.models.batch import collate, count
from blur.models.encode import Example
from blur.unlearn import distributed
from blur.unlearn.batches import split, texts_of
from blur.unlearn.combine.base import NonFiniteGradient, Statistics
from blur.unlearn.gradients import Gradients, Shards, products, put, scale, take
from blur.unlearn.mode import learning
from blur.unlearn.references import reference_for
from blur.unlearn.settings import Objective, UnlearnSettings
from blur.unlearn.sharding import Trainable
from blur.unlearn.views import View, view_of

Record = dict[str, float | int | None]
Passes = dict[tuple[str, View], list[Objective]]


@dataclass(frozen=True)
class Sources:
    """What the losses read besides the model."""

    streams: Mapping[str, Sequence[Example]]
    reference_sums: Mapping[str, float] | None = None
    reference_model: nn.Module | None = None


class Updater:
    """Holds the trainable parameters and the optimizer, and makes updates.

    Args:
        sharded: the model, and the reference model if there is one, are shared out by ``blur.unlearn.sharding.shard``.
    """

    def __init__(self, model: nn.Module, settings: UnlearnSettings, sources: Sources, sharded: bool = False) -> None:
        self.model, self.settings, self.sources, self.sharded = model, settings, sources, sharded
        self.trainable = Trainable.of(model, settings.master_weights)
        self.device = self.parameters[0].device
        self.passes = self._passes(settings.forget), self._passes(settings.retain)
        self.trainable = settings.scope.narrow(self.trainable, self)
        self.optimizer = settings.optimizer.build(self.trainable.shares)
        one_sided = not settings.forget or not settings.retain
        self.separate = not one_sided and (settings.combine.separate or settings.log_gradients)

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
        settings = self.settings
        indices = {term.stream: range(len(self.sources.streams[term.stream])) for term in settings.forget}
        size = -(-settings.batch_size // (settings.accumulation * distributed.world_size()))
        longest = max((len(items) for items in indices.values()), default=0)
        with learning(self.model, False, settings.gradient_checkpointing):
            self._backward(self.passes[0], indices, 1.0, -(-longest // (size * distributed.world_size())))
        return self._collect()

    def update(
        self, step: int, indices: Mapping[str, Sequence[int]], lr: float, stop: bool = False
    ) -> tuple[Record, bool]:
        """Make one update.

        Args:
            step: the step's number, from 1; for error messages.
            indices: the global batch of each stream, the same on every process.
            lr: learning rate.
            stop: this process was asked to stop.

        Returns:
            losses and geometry under the contract's keys; and whether any process was asked to stop.

        Raises:
            BlurError: a loss or a gradient is not finite; the weights are as before the step.
        """
        factors = (1.0, 1.0) if self.separate else self.settings.combine.factors()
        with learning(self.model, self.settings.dropout, self.settings.gradient_checkpointing):
            forget_loss = self._backward(self.passes[0], indices, factors[0])
            forget = self._collect() if self.separate else []
            retain_loss = self._backward(self.passes[1], indices, factors[1])
        gradients = self._collect()
        *losses, stopping = distributed.sum_values([*map(float, (forget_loss, retain_loss)), float(stop)], self.device)
        self._check_losses(losses, step)
        try:
            update, statistics = self._combine(forget, gradients, factors)
        except NonFiniteGradient as error:
            raise self._not_finite(f"the {error.side} gradient", error.side, step) from error
        self._apply(update, statistics, lr)
        sides = (self.settings.forget, self.settings.retain)
        values = [loss if side else None for loss, side in zip(losses, sides, strict=True)]
        return {"forget_loss": values[0], "retain_loss": values[1], **asdict(statistics)}, stopping > 0

    def _passes(self, side: Sequence[Objective]) -> Passes:
        """Group a side's terms: those with the same view of the same stream share one forward and backward pass."""
        passes: Passes = defaultdict(list)
        for term in side:
            passes[term.stream, view_of(term.loss, self.model)].append(term)
        return passes

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
            batch, view, needs, sources.reference_sums, sources.reference_model, self.settings.seed
        )
        outputs = view.read(self.model, batch)
        values = [w * term.loss.numerator(outputs, reference).sum() for term, w in zip(terms, weights, strict=True)]
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
        self, forget: Gradients, gradients: Gradients, factors: tuple[float, float]
    ) -> tuple[Gradients, Statistics]:
        if self.separate:
            return self.settings.combine.combine(forget, gradients, self.names)
        norm = math.sqrt(math.fsum(products(gradients).flatten().tolist()))
        sides = [name for name in ("forget", "retain") if getattr(self.settings, name)]
        if not math.isfinite(norm):
            raise NonFiniteGradient(" or ".join(sides))
        known = {f"{sides[0]}_norm": norm / factors[sides[0] == "retain"]} if len(sides) == 1 else {}
        return gradients, Statistics(**known, update_norm=norm)

    def _apply(self, update: Gradients, statistics: Statistics, lr: float) -> None:
        limit, norm = self.settings.max_grad_norm, statistics.update_norm or 0.0
        if limit is not None and norm > limit:
            scale(update, limit / norm)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        put(self.trainable.shares, update)
        self.optimizer.step()
        take(self.trainable.shares)
        self.trainable.publish()

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


def _out_of_reach(terms: Sequence[Objective]) -> ConfigError:
    names = " and ".join(term.loss.name for term in terms)
    return ConfigError(
        f"no weight that may move has an influence on {names}",
        where="scope",
        remedy="Let a module move that is not above the layer whose output the loss reads",
    )
