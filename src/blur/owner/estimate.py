"""A number with its interval: how much of what a model knew is left, by a bootstrap over independent texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blur.core.settings import Strict

Values = Mapping[str, float]
Array = npt.NDArray[np.float64]


class Estimate(Strict):
    """A number and the ends of its 95% interval, which are None where a single text cannot give one."""

    value: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made: whole groups are drawn with replacement; a text without a group is its own.

    Texts of fewer than ``least`` groups are drawn one by one: their interval does not reach beyond those groups.

    Attributes:
        groups: group by id of a text.
        draws: number of resamples.
        seed: of the resampling: equal texts are drawn alike in all that is compared.
        least: see above.
        level: coverage.
    """

    groups: Mapping[str, str]
    draws: int = 2000
    seed: int = 0
    least: int = 3
    level: float = 0.95

    def means(self, values: Values, set: str) -> Array:
        """Return the mean of ``values`` and, behind it, its resamples, [1 + draws]; 0 of no values."""
        if not values:
            return np.zeros(1 + self.draws)
        numbers = np.array([values[item] for item in sorted(values)], dtype=np.float64)
        weights = self.weights(values, set)
        return np.asarray(weights @ numbers / weights.sum(1))

    def weights(self, values: Values, set: str) -> Array:
        """Return how often each text, in the order of its id, is in the sample and in each resample, [1 + draws, n]."""
        labels, member = np.unique(self._units(sorted(values)), return_inverse=True)
        generator = np.random.default_rng([self.seed, *set.encode()])
        drawn = generator.multinomial(labels.size, np.full(labels.size, 1 / labels.size), self.draws)
        return np.concatenate([np.ones((1, len(values))), drawn[:, member]])

    def estimate(self, drawn: Array, *sizes: int) -> Estimate | None:
        """Return what ``means``, or anything made of them, says; None where it is not finite.

        Args:
            sizes: how many independent texts there are on each side; an interval needs two on each.
        """
        if not np.isfinite(drawn).all():
            return None
        value = float(drawn[0])
        if min(sizes) < 2:
            return Estimate(value=value, low=None, high=None, n=sizes[0])
        low, high = np.quantile(drawn[1:], [(1 - self.level) / 2, (1 + self.level) / 2])
        return Estimate(value=value, low=float(low), high=float(high), n=sizes[0])

    def mean(self, values: Values, set: str) -> Estimate | None:
        """Return the mean over a set's texts; None of no values, or where one is not finite."""
        return self.estimate(self.means(values, set), self.size(values)) if values else None

    def size(self, values: Values) -> int:
        """Return the number of independent texts among ``values``."""
        return len(set(self._units(sorted(values))))

    def _units(self, ids: list[str]) -> list[str]:
        grouped = [self.groups.get(item, item) for item in ids]
        return grouped if len(set(grouped)) >= self.least else ids


@dataclass(frozen=True)
class Excess:
    """How much better a model knows the forget texts than one that never saw them, text by text.

    The mean over ``forget`` minus that over ``unseen`` (nothing, where the comparison needs none). With a model to
    compare with, each value is a difference between the two models on one text; with that and unseen texts the result
    is a difference in differences.
    """

    forget: Values
    unseen: Values

    def drawn(self, boot: Bootstrap) -> Array:
        """Return the excess and its resamples, [1 + draws]."""
        return boot.means(self.forget, "forget") - boot.means(self.unseen, "unseen")

    def level(self, boot: Bootstrap) -> Estimate | None:
        """Return the excess itself, in the unit of what was measured."""
        return boot.estimate(self.drawn(boot), *self._sizes(boot)) if self.forget else None

    def share_of(self, whole: Excess, boot: Bootstrap) -> Estimate | None:
        """Return this excess as a share of another one, over the forget texts that both have.

        None where a number is not finite, no text is shared, or the whole is not above zero.
        """
        shared = self.forget.keys() & whole.forget.keys()
        part, full = (Excess({item: one.forget[item] for item in shared}, one.unseen) for one in (self, whole))
        if not shared:
            return None
        above, below = part.drawn(boot), full.drawn(boot)
        if not np.isfinite(below).all() or below[0] <= 0:
            return None
        sizes = (*part._sizes(boot), *full._sizes(boot))
        return boot.estimate(above / np.maximum(below, 1e-9), *sizes)

    def _sizes(self, boot: Bootstrap) -> tuple[int, ...]:
        return (boot.size(self.forget), *([boot.size(self.unseen)] if self.unseen else []))


def minus(own: Values, other: Values | None) -> Values:
    """Return ``own`` minus ``other`` of each text that both have; ``own`` where there is no other."""
    return own if other is None else {item: own[item] - other[item] for item in own.keys() & other.keys()}


def auc_draws(boot: Bootstrap, members: Values, nonmembers: Values) -> Array:
    """Return P(member > non-member) + P(equal) / 2 and its resamples, [1 + draws]; NaN where a side is empty."""
    if not members or not nonmembers:
        return np.full(1 + boot.draws, np.nan)
    ours, theirs = boot.weights(members, "members"), boot.weights(nonmembers, "others")
    own = np.array([members[item] for item in sorted(members)])
    other = np.array([nonmembers[item] for item in sorted(nonmembers)])
    if np.isnan(own).any() or np.isnan(other).any():
        return np.full(1 + boot.draws, np.nan)
    above = (own[:, None] > other) + 0.5 * (own[:, None] == other)
    return np.asarray(((ours @ above) * theirs).sum(1) / (ours.sum(1) * theirs.sum(1)))
