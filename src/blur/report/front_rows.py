"""The rows of the front figure: points by seed, their means, and the differences between two fronts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blur.report import sweeps
from blur.report.fronts import NotComparable, compare
from blur.report.runs import DEFAULT, MATCHED, Run, finite, swept
from blur.report.summary import summarise

Row = dict[str, Any]
Pair = tuple[str, str]
SYMBOLS = {"bilevel": "γ", "weighted": "λ", "matched": "λ"}


def data(
    runs: Sequence[Run],
    forget: str,
    utility: str,
    pairs: Sequence[Pair] | None = None,
    levels: int = 5,
) -> list[Row]:
    """Return the rows of every pair: ``seed`` points, their ``mean`` over seeds, and the differences.

    Rows of kind ``difference`` hold BLUR minus weighted in the forget metric at one utility, ``matched`` BLUR minus
    the weighted sum at the matched lambda in both metrics, ``not comparable`` the ranges of two fronts that share none.

    Args:
        forget: metric of the vertical axis, lower is better.
        utility: metric of the horizontal axis, higher is better.
        pairs: (BLUR method, weighted method); by default all with equal losses of which both were swept.
        levels: number of utilities at which the fronts are compared.
    """
    rows: list[Row] = []
    for pair in _pairs(runs, pairs):
        series = _series(runs, pair)
        points = [row for kind, own in series.items() for row in _points(kind, own, pair, forget, utility)]
        points = [_with_lambda(row, series["bilevel"]) for row in points]
        rows += points + _means(points, forget, utility) + _compared(points, pair, forget, utility, levels)
        rows += _matched(points, pair, forget, utility)
    return rows


def _pairs(runs: Sequence[Run], pairs: Sequence[Pair] | None) -> list[Pair]:
    if pairs is not None:
        return [(up, down) for up, down in pairs]

    def is_swept(method: str) -> bool:
        return len({swept(run) for run in sweeps.sweep(runs, method)}) > 1

    return [pair for pair in sweeps.pairs(runs) if all(is_swept(method) for method in pair)]


def _series(runs: Sequence[Run], pair: Pair) -> dict[str, list[Run]]:
    held = [run for run in runs if run.method == pair[1] and run.is_matched]
    return {
        "bilevel": sweeps.sweep(runs, pair[0]),
        "weighted": sweeps.sweep(runs, pair[1]),
        "matched": held,
    }


def _points(series: str, runs: list[Run], pair: Pair, forget: str, utility: str) -> list[Row]:
    return [
        {
            "kind": "seed",
            "pair": "/".join(pair),
            "series": series,
            "method": run.method,
            "variant": run.variant,
            "parameter": SYMBOLS[series],
            "value": swept(run),
            "lr": sweeps.learning_rate(run),
            "seed": run.seed,
            utility: run.value(utility),
            forget: run.value(forget),
        }
        for run in sorted(runs, key=lambda run: (swept(run), run.variant, run.seed))
        if run.value(utility) is not None and run.value(forget) is not None
    ]


def _means(points: list[Row], forget: str, utility: str) -> list[Row]:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in points:
        groups.setdefault((row["series"], row["variant"]), []).append(row)
    rows = []
    for group in groups.values():
        value = summarise(row["value"] for row in group).mean
        across, up = (summarise(row[key] for row in group) for key in (utility, forget))
        summary = across.columns(utility) | up.columns(forget)
        rows.append({**group[0], "kind": "mean", "value": value, "seed": None, "n": across.n, **summary})
    return rows


def _by_seed(points: list[Row], series: str, forget: str, utility: str) -> dict[int, list[tuple[float, float]]]:
    found: dict[int, list[tuple[float, float]]] = {}
    for row in points:
        if row["series"] == series:
            found.setdefault(row["seed"], []).append((row[utility], row[forget]))
    return found


def _compared(points: list[Row], pair: Pair, forget: str, utility: str, levels: int) -> list[Row]:
    named = {"pair": "/".join(pair)}
    both = [_by_seed(points, series, forget, utility) for series in ("bilevel", "weighted")]
    result = compare(both[0], both[1], levels)
    if isinstance(result, NotComparable):
        ends = {
            f"{name}_{end}": value
            for name, span in zip(("bilevel", "weighted"), result.ranges, strict=True)
            for end, value in zip(("from", "to"), map(finite, span), strict=True)
        }
        return [{"kind": "not comparable", **named, **ends}]
    return [
        {
            "kind": "difference",
            **named,
            "n": level.difference.n,
            utility: level.utility,
            **level.difference.columns("difference"),
        }
        for level in result
    ]


def _with_lambda(row: Row, bilevel: list[Run]) -> Row:
    """Give a matched run the lambda it ran with: 1 / mean(xi) of its BLUR run, since its settings are the plan's."""
    partner = [run for run in bilevel if (run.variant, run.seed) == (_partner(row), row["seed"])]
    if row["series"] != "matched" or not partner:
        return row
    xi = summarise(finite(step.get("xi")) for step in partner[0].steps).mean
    return {**row, "value": 1 / xi} if xi else row


def _partner(row: Row) -> str:
    """``matched`` goes with BLUR's default variant, ``matched_gamma4`` with its ``gamma4``."""
    return str(row["variant"]).removeprefix(MATCHED).lstrip("_") or DEFAULT


def _matched(points: list[Row], pair: Pair, forget: str, utility: str) -> list[Row]:
    """Compare each matched variant with its BLUR variant, seed by seed."""
    rows = []
    for variant in dict.fromkeys(row["variant"] for row in points if row["series"] == "matched"):
        own = {row["seed"]: row for row in points if row["series"] == "matched" and row["variant"] == variant}
        partner = _partner(next(iter(own.values())))
        blur = {row["seed"]: row for row in points if row["series"] == "bilevel" and row["variant"] == partner}
        seeds = sorted(blur.keys() & own.keys())
        if not seeds:
            continue
        gaps = {key: summarise(blur[s][key] - own[s][key] for s in seeds) for key in (forget, utility)}
        value = summarise(own[s]["value"] for s in seeds).mean
        rows.append(
            {
                "kind": "matched",
                "pair": "/".join(pair),
                "variant": variant,
                "value": value,
                "n": len(seeds),
                "gamma": blur[seeds[0]]["value"],
                **gaps[forget].columns("difference"),
                **gaps[utility].columns("utility_difference"),
            }
        )
    return rows
