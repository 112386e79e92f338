"""What a combination of two gradients is, and what those of this package share. Imports no torch."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from blur.core.choice import Choice
from blur.core.errors import BlurError
from blur.core.settings import Count, Flag, NonNegative, Positive
from blur.unlearn.asked import Asked

if TYPE_CHECKING:
    from torch import Tensor

    from blur.unlearn.gradients import Gradients
    from blur.unlearn.near import Near
    from blur.unlearn.smooth.base import Side

Momentum = Literal["update", "none", "retain"]
Products = list[list[float]]
"""<g_f, g_f>, <g_f, g_r> and <g_r, g_r> of each tensor."""


@dataclass(frozen=True)
class Seen:
    """What a combination may know of a step beside the two gradients, and where it keeps a state of its own.

    What is kept is part of checkpoints; tensors of a share's shape are put together and cut again where weights are
    sharded.

    Attributes:
        names: the parameters' names.
        shares: what the optimizer moves of each parameter.
        tensors: what is kept of each share, empty before the first step.
        numbers: what is kept of the run, empty before the first step: a dual variable, say.
        step: the step's number, from 1.
        forget_loss, retain_loss: over the global batch, where the gradients were taken.
        topics: steps in which the topics of every stream have had their turns; 1 where no stream has several.
        near: takes each side's loss and gradient over the step's batch, at these weights and elsewhere.
    """

    names: Sequence[str]
    shares: Sequence[Tensor]
    tensors: Sequence[dict[str, Any]]
    numbers: dict[str, float]
    step: int
    forget_loss: float
    retain_loss: float
    topics: int = 1
    near: Mapping[Side, Near] = field(default_factory=dict)


@dataclass(frozen=True)
class Statistics:
    """Geometry of one update; ``None`` where a number is not defined or was not computed.

    With ``momentum: retain``, g_r is the first moment that took its place; with ``smooth``, a gradient is the one that
    it gives. Where the optimizer makes a step along each gradient, u is their sum, each at its rate.

    Attributes:
        xi: what multiplies the gradient with priority.
        xi_over_gamma: 1 where the two gradients are at right angles, above it where they conflict.
        update_norm: that of the combined gradient u, before clipping.
        promise: <g_f, u>, before clipping: how fast the forget loss falls along u, to first order.
        update_forget_cosine, update_retain_cosine: of u and g_f, and of u and g_r.
        multiplier: what the dual variable of a constraint multiplies its side's gradient by.
    """

    forget_norm: float | None = None
    retain_norm: float | None = None
    inner: float | None = None
    cosine: float | None = None
    xi: float | None = None
    xi_over_gamma: float | None = None
    update_norm: float | None = None
    promise: float | None = None
    update_forget_cosine: float | None = None
    update_retain_cosine: float | None = None
    multiplier: float | None = None


class NonFiniteGradient(BlurError):
    """A gradient holds NaN or infinity."""

    def __init__(self, side: str) -> None:
        self.side = side
        super().__init__(f"the {side} gradient is not finite")


class Combination(Choice):
    """Makes one update of the forget gradient g_f and the retain gradient g_r, each complete over the global batch.

    Attributes:
        momentum: which first moments a step keeps. ``update``: the optimizer's own, of u. ``none``: the optimizer runs
            at beta1 = 0, so that each step is along this step's u. ``retain``: it does as well, and g_r's first moment
            m_r, at the optimizer's beta1 and bias-corrected, takes g_r's place: what is kept is averaged over batches,
            and what is forgotten is this step's. With the first, what old updates left in the moments may outweigh g_f,
            and a step then raises the forget loss to first order whatever <g_f, u> is (docs/methods.md).
        spare: sets of gradients that it makes beside the two.
        held: sets, of the size of what moves, that are there during its own passes, beside the gradient being made.
    """

    momentum: Momentum = Field("update", description="first moments kept: of the update, none, of the retain gradient")
    separable: ClassVar[bool] = False
    spare: ClassVar[int] = 0
    held: ClassVar[int] = 0

    @property
    def separate(self) -> bool:
        """Whether the two gradients are needed apart; if not, one backward of the weighted losses is enough."""
        return not self.separable or self.momentum == "retain"

    @property
    def states(self) -> int:
        """Number of tensors kept from step to step for each parameter, beside the optimizer's."""
        return int(self.momentum == "retain")

    @property
    def rates(self) -> tuple[float, ...]:
        """What the learning rate is multiplied by in each of the optimizer's steps, which have states of their own."""
        return (1.0,)

    def passes(self, side: Side) -> float:
        """Return how many times a step goes over a side's batch beside the passes for its gradient, in the mean."""
        return 0.0

    @property
    def derived(self) -> tuple[Asked, ...]:
        """What has to be made beforehand."""
        return ()

    def given(self, derived: Mapping[str, Any]) -> Combination:
        """Return the combination once what it asks for is there, by kind."""
        return self

    def factors(self) -> tuple[float, float]:
        """Return what the forget and the retain loss are multiplied by where gradients are not needed apart."""
        return 1.0, 1.0

    def before(self, near: Mapping[Side, Near]) -> None:
        """Move the weights before the two gradients are taken, as an inner problem does; by default they stay."""

    def factor(self, numbers: Mapping[str, float]) -> float:
        """Return what the learning rate is multiplied by.

        Args:
            numbers: what is kept of the run.
        """
        return 1.0

    def probes(self, step: int) -> bool:
        """Whether ``probe`` wants to look at a step, from 1."""
        return False

    def probe(self, lr: float, numbers: dict[str, float], loss: Callable[[float], float]) -> None:
        """Look at a step that was made.

        Args:
            lr: its learning rate.
            loss: the retain loss over the step's batch, had the rate been another one.
        """

    def combine(self, g_f: Gradients, g_r: Gradients, names: Sequence[str]) -> tuple[Gradients, Statistics]:
        """Return the update u, made in place of g_r, and its geometry. g_f stays, to hold the step against.

        Args:
            g_f, g_r: one tensor (or None for zero) for each parameter.
            names: the parameters' names.

        Raises:
            NonFiniteGradient: a gradient holds NaN or infinity.
        """
        raise NotImplementedError

    def moves(self, g_f: Gradients, g_r: Gradients, seen: Seen) -> tuple[list[Gradients], Statistics]:
        """Return what each step of ``rates`` goes along, and its geometry: by default u alone.

        A combination that reads the losses, keeps a state or makes two steps writes this instead of ``combine``. g_f
        stays in any case.
        """
        u, statistics = self.combine(g_f, g_r, seen.names)
        return [u], statistics


class Grouped(Combination):
    """A combination whose factors follow from inner products.

    Attributes:
        projection: what shares them: all tensors jointly, those of a module, or each tensor alone.
    """

    projection: Literal["global", "per_module", "per_tensor"] = "global"

    def groups(self, names: Sequence[str]) -> list[list[int]]:
        """Return the places of the tensors that share one xi."""
        found: dict[str, list[int]] = defaultdict(list)
        for place, name in enumerate(names):
            found[{"global": "", "per_module": name.rpartition(".")[0], "per_tensor": name}[self.projection]] += [place]
        return list(found.values())


class Projection(Grouped):
    """A two-level update: one gradient, with priority, fixes the descent along itself; the paper's xi is global.

    Attributes:
        one_sided: keep xi from turning negative.
    """

    gamma: NonNegative = 1.0
    one_sided: Flag = False

    def bounded(self, xi: float) -> float:
        """Return xi, or zero where it is negative and ``one_sided``."""
        return max(xi, 0.0) if self.one_sided else xi


class Constrained(Combination):
    """Forgetting under a bound eps on the retain loss, whose dual variable weighs the retain gradient.

    Attributes:
        start: the dual variable's first value.
        level: eps, in the retain loss's unit.
        margin: eps over the mean retain loss of the first ``warmup`` steps, where ``level`` is not given. No absolute
            level serves two models or two corpora.
        warmup: steps in which the dual variable stays.
    """

    start: NonNegative
    level: Positive | None = None
    margin: Positive
    warmup: Count

    def excess(self, seen: Seen) -> float | None:
        """Return the retain loss minus eps; None in the first ``warmup`` steps, when it measures eps."""
        if seen.step <= self.warmup:
            seen.numbers["mean"] = seen.numbers.get("mean", 0.0) + seen.retain_loss / self.warmup
            return None
        level = self.margin * seen.numbers["mean"] if self.level is None else self.level
        return seen.retain_loss - level


class Xi:
    """The factor of the gradient with priority: one number, or one for each group of tensors.

    Attributes:
        of_each: the factor of each tensor; 0 where the gradient with priority is.
        square: ||u||^2.
    """

    def __init__(self, count: int) -> None:
        self.of_each = [0.0] * count
        self.square = self._weighted = self._whole = 0.0

    def set(self, group: Sequence[int], xi: float | None, pp: float, ps: float, ss: float) -> None:
        """Set the factor of a group of tensors.

        Args:
            xi: None where the gradient with priority is zero.
            pp, ps, ss: inner products over the group, p the gradient with priority and s the other one.
        """
        if xi is None:
            self.square += ss
            return
        for place in group:
            self.of_each[place] = xi
        # <u,u> about the projection, where the terms do not cancel: (xi + ps/pp)^2 pp + (ss - ps^2/pp)
        self.square += (xi + ps / pp) ** 2 * pp + (ss - ps * ps / pp)
        self._weighted, self._whole = self._weighted + xi * pp, self._whole + pp

    @property
    def mean(self) -> float | None:
        """The mean over groups, weighted by ||p||^2; None where the gradient with priority is zero."""
        return self._weighted / self._whole if self._whole else None


def measure(g_f: Gradients, g_r: Gradients) -> Products:
    """Return the inner products of each tensor, read from the device once; refuse what is not finite."""
    from blur.unlearn.gradients import products

    table = [[ff, fr, rr] for (ff, fr), (_, rr) in products(g_f, g_r).tolist()]
    for side, column in (("forget", 0), ("retain", 2)):
        if not math.isfinite(math.fsum(row[column] for row in table)):
            raise NonFiniteGradient(side)
    return table


def total(table: Products, group: Sequence[int]) -> tuple[float, float, float]:
    """Return <g_f, g_f>, <g_f, g_r> and <g_r, g_r> over a group of tensors."""
    ff, fr, rr = (math.fsum(table[place][column] for place in group) for column in range(3))
    return ff, fr, rr


def describe(
    table: Products,
    of_f: Sequence[float],
    of_r: Sequence[float],
    square: float | None = None,
    xi: float | None = None,
    gamma: float = 0.0,
    multiplier: float | None = None,
) -> Statistics:
    """Turn inner products into what is logged of u = of_f g_f + of_r g_r.

    Args:
        of_f, of_r: the factors, for each tensor.
        square: ||u||^2, where it is known more precisely than from the products.
        xi, gamma: of a projection.
        multiplier: of a dual variable.
    """
    ff, fr, rr = total(table, range(len(table)))
    rows = list(zip(table, of_f, of_r, strict=True))
    fu, ru = (math.fsum(a * row[side] + b * row[side + 1] for row, a, b in rows) for side in (0, 1))
    if square is None:
        square = math.fsum(a * a * ff + 2 * a * b * fr + b * b * rr for (ff, fr, rr), a, b in rows)
    known = {"xi": xi, "xi_over_gamma": xi / gamma if xi is not None and gamma else None, "multiplier": multiplier}
    return replace(_geometry(ff, fr, rr, fu, ru, max(square, 0.0)), **known)


def weigh(g_f: Gradients, g_r: Gradients, of_f: Sequence[float], of_r: Sequence[float]) -> Gradients:
    """Return u = of_f g_f + of_r g_r, with a factor of each tensor, in place of g_r."""
    from blur.unlearn.gradients import merge

    return merge(lambda place, f, r: of_f[place] * f + of_r[place] * r, g_f, g_r)


def apart(g_f: Gradients, g_r: Gradients, weight: float, rate: float = 1.0) -> tuple[list[Gradients], Statistics]:
    """Return weight g_f in tensors of its own (none at weight 0) and g_r, for a step each; u is their sum.

    Args:
        rate: of the forget step over the retain step's.
    """
    table = measure(g_f, g_r)
    along = type(g_f)(one * weight if one is not None and weight else None for one in g_f)
    return [along, g_r], describe(table, [weight * rate] * len(table), [1.0] * len(table))


def geometry(g_f: Gradients, g_r: Gradients, u: Gradients) -> Statistics:
    """Measure what is logged of an update u that the inner products of g_f and g_r do not tell."""
    from blur.unlearn.gradients import products

    (ff, fr, fu), (_, rr, ru), (_, _, uu) = products(g_f, g_r, u).sum(0).tolist()
    return _geometry(ff, fr, rr, fu, ru, uu)


def _geometry(ff: float, fr: float, rr: float, fu: float, ru: float, uu: float) -> Statistics:
    """Return the norms and cosines of g_f, g_r and u from their inner products."""
    f, r, u = math.sqrt(ff), math.sqrt(rr), math.sqrt(uu)
    return Statistics(
        forget_norm=f,
        retain_norm=r,
        inner=fr,
        cosine=fr / f / r if f and r else None,
        update_norm=u,
        promise=fu,
        update_forget_cosine=fu / f / u if f and u else None,
        update_retain_cosine=ru / r / u if r and u else None,
    )
