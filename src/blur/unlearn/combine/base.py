"""What a combination of two gradients is, and what those of this package share. Imports no torch."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from blur.core.choice import Choice
from blur.core.errors import BlurError
from blur.core.settings import Flag, NonNegative
from blur.unlearn.asked import Asked

if TYPE_CHECKING:
    from blur.unlearn.gradients import Gradients

Momentum = Literal["update", "none", "retain"]
Products = list[list[float]]
"""<g_f, g_f>, <g_f, g_r> and <g_r, g_r> of each tensor."""


@dataclass(frozen=True)
class Statistics:
    """Geometry of one update; ``None`` where a number is not defined or was not computed.

    With ``momentum: retain``, g_r is the first moment that took its place.

    Attributes:
        xi: what multiplies the gradient with priority.
        xi_over_gamma: 1 where the two gradients are at right angles, above it where they conflict.
        update_norm: that of the combined gradient u, before clipping.
        promise: <g_f, u>, before clipping: how fast the forget loss falls along u, to first order.
    """

    forget_norm: float | None = None
    retain_norm: float | None = None
    inner: float | None = None
    cosine: float | None = None
    xi: float | None = None
    xi_over_gamma: float | None = None
    update_norm: float | None = None
    promise: float | None = None


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
    """

    momentum: Momentum = Field("update", description="first moments kept: of the update, none, of the retain gradient")
    separable: ClassVar[bool] = False

    @property
    def separate(self) -> bool:
        """Whether the two gradients are needed apart; if not, one backward of the weighted losses is enough."""
        return not self.separable or self.momentum == "retain"

    @property
    def states(self) -> int:
        """Number of tensors kept from step to step for each parameter, beside the optimizer's."""
        return int(self.momentum == "retain")

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

    def combine(self, g_f: Gradients, g_r: Gradients, names: Sequence[str]) -> tuple[Gradients, Statistics]:
        """Return the update u, made in place of g_r, and its geometry. g_f stays, to hold the step against.

        Args:
            g_f, g_r: one tensor (or None for zero) for each parameter.
            names: the parameters' names.

        Raises:
            NonFiniteGradient: a gradient holds NaN or infinity.
        """
        raise NotImplementedError


class Projection(Combination):
    """A two-level update: one gradient, with priority, fixes the descent along itself.

    Attributes:
        one_sided: keep xi from turning negative.
        projection: what shares one xi: all tensors jointly, as in the paper; those of a module; or each alone.
    """

    gamma: NonNegative = 1.0
    one_sided: Flag = False
    projection: Literal["global", "per_module", "per_tensor"] = "global"

    def groups(self, names: Sequence[str]) -> list[list[int]]:
        """Return the places of the tensors that share one xi."""
        found: dict[str, list[int]] = defaultdict(list)
        for place, name in enumerate(names):
            found[{"global": "", "per_module": name.rpartition(".")[0], "per_tensor": name}[self.projection]] += [place]
        return list(found.values())

    def bounded(self, xi: float) -> float:
        """Return xi, or zero where it is negative and ``one_sided``."""
        return max(xi, 0.0) if self.one_sided else xi


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
    square: float,
    xi: float | None = None,
    gamma: float = 0.0,
) -> Statistics:
    """Turn inner products into what is logged of u = of_f g_f + of_r g_r.

    Args:
        of_f, of_r: the factors, for each tensor.
        square: ||u||^2.
        xi, gamma: of a projection.
    """
    ff, fr, rr = total(table, range(len(table)))
    return Statistics(
        forget_norm=math.sqrt(ff),
        retain_norm=math.sqrt(rr),
        inner=fr,
        cosine=fr / math.sqrt(ff) / math.sqrt(rr) if ff > 0 and rr > 0 else None,
        xi=xi,
        xi_over_gamma=xi / gamma if xi is not None and gamma else None,
        update_norm=math.sqrt(max(square, 0.0)),
        promise=math.fsum(a * ff + b * fr for (ff, fr, _), a, b in zip(table, of_f, of_r, strict=True)),
    )
