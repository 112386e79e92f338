"""How sure a number is: Student t over seeds, and a paired bootstrap over groups of items within one seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from blur.core.errors import DataError


def mean_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float | None, float | None]:
    """Return mean, lower and upper end of the Student t interval over seeds.

    ``mean +- t_{n-1} s / sqrt(n)``, with ``s`` the standard deviation with n - 1. One value has no interval: the ends
    are None.

    Raises:
        DataError: no value, or one that is not finite.
    """
    sample = np.asarray(values, dtype=np.float64)
    if not sample.size or not np.isfinite(sample).all():
        raise DataError(f"an interval needs finite values, not {list(values)}")
    mean = float(sample.mean())
    if sample.size == 1:
        return mean, None, None
    from scipy.special import stdtrit

    quantile = float(stdtrit(sample.size - 1, (1 + level) / 2))
    half = quantile * float(sample.std(ddof=1)) / sample.size**0.5
    return mean, mean - half, mean + half


def paired_bootstrap(
    first: Mapping[str, float],
    second: Mapping[str, float],
    groups: Mapping[str, str] | None = None,
    *,
    draws: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float | None, float | None]:
    """Return the mean difference ``first - second`` over items, and the ends of its percentile bootstrap interval.

    Whole groups (authors, documents) are drawn with replacement, since items of one group are not independent; both
    models keep their values of the same items, which removes the items' own difficulty.

    Args:
        first: value by item id of one model.
        second: the same items of another model.
        groups: group by item id; every item is its own group by default.
        draws: number of resamples.
        seed: of the resampling; equal input and seed give equal output.
        level: coverage.

    Returns:
        Mean difference, lower and upper end; the ends are None where there is a single group.

    Raises:
        DataError: no items, other items in ``second``, a value that is not finite, or an item without group.
    """
    ids = sorted(first)
    if not ids or first.keys() != second.keys() or (groups is not None and not groups.keys() >= first.keys()):
        raise DataError("a paired bootstrap needs the same items in both models, each with a group")
    differences = np.array([first[item] - second[item] for item in ids])
    if not np.isfinite(differences).all():
        raise DataError("a paired bootstrap needs finite values")
    labels, member = np.unique([groups[item] if groups else item for item in ids], return_inverse=True)
    sums, counts = np.bincount(member, differences), np.bincount(member)
    mean = float(differences.mean())
    if labels.size == 1:
        return mean, None, None
    weights = np.random.default_rng(seed).multinomial(labels.size, np.full(labels.size, 1 / labels.size), draws)
    low, high = np.quantile(weights @ sums / (weights @ counts), [(1 - level) / 2, (1 + level) / 2])
    return mean, float(low), float(high)
