"""What a combination of two gradients is, and the projection that bilevel and reversed share. Imports no torch."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from blur.core.choice import Choice
from blur.core.errors import BlurError
from blur.core.settings import Flag, NonNegative
from blur.unlearn.asked import Asked

if TYPE_CHECKING:
    from blur.unlearn.gradients import Gradients


@dataclass(frozen=True)
class Statistics:
    """Geometry of one update; ``None`` where a number is not defined or was not computed.

    ``update_norm`` is that of the combined gradient u before clipping; ``xi`` multiplies the gradient with priority.
    """

    forget_norm: float | None = None
    retain_norm: float | None = None
    inner: float | None = None
    cosine: float | None = None
    xi: float | None = None
    update_norm: float | None = None


class NonFiniteGradient(BlurError):
    """A gradient holds NaN or infinity."""

    def __init__(self, side: str) -> None:
        self.side = side
        super().__init__(f"the {side} gradient is not finite")


class Combination(Choice):
    """Makes one update of the forget gradient g_f and the retain gradient g_r, each complete over the global batch.

    Attributes:
        separate: whether the two gradients are needed apart; if not, one backward of the weighted losses is enough.
    """

    separate: ClassVar[bool] = True

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

    def combine(self, forget: Gradients, retain: Gradients, names: Sequence[str]) -> tuple[Gradients, Statistics]:
        """Return the update u, made in place of one of the two, and its geometry. Both arguments are used up.

        Args:
            forget, retain: one tensor (or None for zero) for each parameter.
            names: the parameters' names.

        Raises:
            NonFiniteGradient: a gradient holds NaN or infinity.
        """
        raise NotImplementedError


class Projection(Combination):
    """Hyper-parameters of a two-level update: one gradient, with priority, fixes the descent along itself."""

    gamma: NonNegative = 1.0
    one_sided: Flag = False
    projection: Literal["global", "per_module"] = "global"


def measure(forget: Gradients, retain: Gradients) -> list[list[float]]:
    """Return <f,f>, <f,r>, <r,r> of each parameter, read from the device once; refuse what is not finite."""
    from blur.unlearn.gradients import products

    table = [[ff, fr, rr] for (ff, fr), (_, rr) in products(forget, retain).tolist()]
    for side, column in (("forget", 0), ("retain", 2)):
        if not math.isfinite(math.fsum(row[column] for row in table)):
            raise NonFiniteGradient(side)
    return table


def describe(table: list[list[float]], xi: float | None, update_square: float) -> Statistics:
    """Turn inner products into the numbers that are logged."""
    ff, fr, rr = (math.fsum(column) for column in zip(*table, strict=True))
    cosine = fr / math.sqrt(ff) / math.sqrt(rr) if ff > 0 and rr > 0 else None
    return Statistics(math.sqrt(ff), math.sqrt(rr), fr, cosine, xi, math.sqrt(max(update_square, 0.0)))


def project(
    settings: Projection, first: Gradients, second: Gradients, table: list[list[float]], names: Sequence[str]
) -> tuple[Gradients, float | None, float]:
    """Return u = second + xi first, xi = gamma - <first, second> / ||first||^2, made in place of ``second``.

    BLUR's `forbun`, with ``first`` the gradient that has priority.

    Then <first, u> = gamma ||first||^2. With ||first|| = 0, u = second. ``one_sided`` keeps xi from turning negative;
    ``per_module`` has one xi for each module.

    Args:
        table: <first, first>, <first, second>, <second, second> of each parameter.

    Returns:
        u; xi (where it differs by module, its mean weighted by ||first||^2), None if ||first|| = 0; and ||u||^2.
    """
    from blur.unlearn.gradients import add_scaled

    groups: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        groups["" if settings.projection == "global" else name.rpartition(".")[0]].append(index)
    weighted_xi, total, square = 0.0, 0.0, 0.0
    for members in groups.values():
        pp, ps, ss = (math.fsum(table[index][column] for index in members) for column in range(3))
        if pp == 0:
            square += ss
            continue
        xi = settings.gamma - ps / pp
        if settings.one_sided:
            xi = max(xi, 0.0)
        part = add_scaled([second[i] for i in members], [first[i] for i in members], xi, 1e-7 * abs(settings.gamma))
        for index, tensor in zip(members, part, strict=True):
            second[index] = tensor
        # <u,u> about the projection, where the terms do not cancel: (xi + ps/pp)^2 pp + (ss - ps^2/pp)
        square += (xi + ps / pp) ** 2 * pp + (ss - ps * ps / pp)
        weighted_xi, total = weighted_xi + xi * pp, total + pp
    return second, (weighted_xi / total if total else None), square
