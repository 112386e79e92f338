"""BLUR's front over gamma against the weighted sum's front over lambda: same losses, same budget.

Under AdamW without clipping, BLUR at gamma is, but for the projection, the weighted sum at lambda = 1/gamma, and at
each step exactly the weighted sum at lambda_t = 1/xi_t. The third series therefore holds lambda at 1/mean(xi).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from blur.report import labels, style, sweeps
from blur.report.fronts import NotComparable, compare
from blur.report.runs import Run, finite, swept
from blur.report.summary import Summary, summarise

Row = dict[str, Any]
Pair = tuple[str, str]
DASHES = ("-", "--", ":", "-.")
SYMBOLS = {"bilevel": "γ", "weighted": "λ", "matched": "λ"}
RELATION = (
    "Under AdamW without clipping, BLUR at γ is, but for the projection, the weighted sum at λ = 1/γ;\n"
    "at each step it is exactly the weighted sum at λₜ = 1/ξₜ. “Matched” holds λ at 1/mean(ξ) of the BLUR run."
)


def data(runs: Sequence[Run], forget: str = "forget_probability", utility: str = "model_utility",
         pairs: Sequence[Pair] | None = None, matched: str = "matched", levels: int = 5) -> list[Row]:
    """Return the rows of every pair: ``seed`` points, their ``mean`` over seeds, and the differences.

    Rows of kind ``difference`` hold BLUR minus weighted in the forget metric at one utility, ``matched`` BLUR minus
    the weighted sum at the matched lambda in both metrics, ``not comparable`` the ranges of two fronts that share none.

    Args:
        forget: metric of the vertical axis, lower is better.
        utility: metric of the horizontal axis, higher is better.
        pairs: (BLUR method, weighted method); by default all with equal losses of which both were swept.
        matched: how the names of variants with a derived lambda begin.
        levels: number of utilities at which the fronts are compared.
    """
    rows: list[Row] = []
    for pair in _pairs(runs, pairs, matched):
        series = _series(runs, pair, matched)
        points = [row for kind, own in series.items() for row in _points(kind, own, pair, forget, utility)]
        rows += points + _means(points, forget, utility) + _compared(points, pair, forget, utility, levels)
        rows += _matched(points, pair, series["bilevel"], forget, utility)
    return rows


def _pairs(runs: Sequence[Run], pairs: Sequence[Pair] | None, matched: str) -> list[Pair]:
    if pairs is not None:
        return [(up, down) for up, down in pairs]

    def is_swept(method: str) -> bool:
        return len({swept(run) for run in sweeps.sweep(runs, method, matched)}) > 1

    return [pair for pair in sweeps.pairs(runs) if all(is_swept(method) for method in pair)]


def _series(runs: Sequence[Run], pair: Pair, matched: str) -> dict[str, list[Run]]:
    held = [run for run in runs if run.method == pair[1] and run.variant.startswith(matched)]
    return {
        "bilevel": sweeps.sweep(runs, pair[0], matched),
        "weighted": sweeps.sweep(runs, pair[1], matched),
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
        ends = {f"{name}_{end}": value for name, span in zip(("bilevel", "weighted"), result.ranges, strict=True)
                for end, value in zip(("from", "to"), map(finite, span), strict=True)}
        return [{"kind": "not comparable", **named, **ends}]
    return [
        {"kind": "difference", **named, "n": level.difference.n, utility: level.utility,
         **level.difference.columns("difference")}
        for level in result
    ]


def _matched(points: list[Row], pair: Pair, bilevel: list[Run], forget: str, utility: str) -> list[Row]:
    """BLUR's default against each matched variant, seed by seed, with the mean xi that the lambda comes from."""
    default = {row["seed"]: row for row in points if row["series"] == "bilevel" and row["variant"] == "default"}
    xi = summarise(_mean_xi(run) for run in bilevel if run.variant == "default").mean
    rows = []
    for variant in sorted({row["variant"] for row in points if row["series"] == "matched"}):
        own = {row["seed"]: row for row in points if row["series"] == "matched" and row["variant"] == variant}
        seeds = sorted(default.keys() & own.keys())
        if not seeds:
            continue
        gaps = {key: summarise(default[s][key] - own[s][key] for s in seeds) for key in (forget, utility)}
        value = summarise(own[s]["value"] for s in seeds).mean
        rows.append({"kind": "matched", "pair": "/".join(pair), "variant": variant, "value": value, "n": len(seeds),
                     "mean_xi": xi, **gaps[forget].columns("difference"),
                     **gaps[utility].columns("utility_difference")})
    return rows


def _mean_xi(run: Run) -> float | None:
    return summarise(finite(step.get("xi")) for step in run.steps).mean


@style.styled
def draw(runs: Sequence[Run], task_title: str, forget: str = "forget_probability", utility: str = "model_utility",
         pairs: Sequence[Pair] | None = None, matched: str = "matched", levels: int = 5) -> Figure:
    """Draw the rows of ``data``: a row of panels per pair, the fronts on the left, their difference on the right."""
    rows = data(runs, forget, utility, pairs, matched, levels)
    names = list(dict.fromkeys(row["pair"] for row in rows if row["kind"] == "seed"))
    if not names:
        return style.empty(task_title, "fronts", "no BLUR method and weighted method with equal losses were both swept")
    known = {run.method: run for run in reversed(runs)}
    figure = Figure(figsize=(9.0, 4.0 * len(names) + 0.8), layout="constrained")
    figure.suptitle(f"{task_title}: BLUR over γ against the weighted sum over λ", fontweight="bold")
    grid = figure.subplots(len(names), 2, squeeze=False, width_ratios=(1.35, 1))
    parts = {name: [row for row in rows if row["pair"] == name] for name in names}
    for (left, right), own in zip(grid, parts.values(), strict=True):
        _fronts(left, own, known, forget, utility)
        _differences(right, own, forget, utility)
    counts = [row["n"] for row in rows if row["kind"] == "mean"]
    small = "Small marks: each seed. " if max(counts) > 1 else ""
    style.note(figure, f"{small}{style.seeds_note(counts)} {_budget(runs, names)}\n{RELATION}")
    for left, own in zip(grid[:, 0], parts.values(), strict=True):
        _labels(left, own, known, forget, utility)
    return figure


def _fronts(axes: Axes, rows: list[Row], known: dict[str, Run], forget: str, utility: str) -> None:
    means = [row for row in rows if row["kind"] == "mean"]
    rates = sorted({row["lr"] for row in means if row["lr"] is not None})
    for series in SYMBOLS:
        for place, lr in enumerate(rates or [None]):
            line = [row for row in means if row["series"] == series and row["lr"] == lr]
            if not line:
                continue
            run = known[line[0]["method"]]
            name = _name(series, run) + (f", lr {lr:g}" if len(rates) > 1 else "")
            seeds = [row for row in rows if row["kind"] == "seed" and row["series"] == series and row["lr"] == lr]
            _line(axes, line, seeds, _marks(line[0], known) | {"linestyle": DASHES[place % 4]}, name, forget, utility)
    axes.set(xlabel=f"{style.label(utility)} (higher is better →)", ylabel=f"{style.label(forget)} (← lower is better)")
    axes.margins(0.1)
    axes.set_title(f"{_title(rows, known)}", loc="left", fontweight="bold")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2, columnspacing=1.2)


def _labels(axes: Axes, rows: list[Row], known: dict[str, Run], forget: str, utility: str) -> None:
    means = [row for row in rows if row["kind"] == "mean"]
    seeds = [(row[utility], row[forget]) for row in rows if row["kind"] == "seed"]
    texts = [
        labels.Label((row[utility], row[forget]), f"{row['parameter']} = {row['value']:.3g}", _marks(row, known)["color"])
        for row in means
    ]
    labels.place(axes, texts, specks=seeds if any(row["n"] > 1 for row in means) else ())


def _marks(row: Row, known: dict[str, Run]) -> dict[str, Any]:
    marks: dict[str, Any] = style.look(known[row["method"]]).points()
    if row["series"] == "matched":
        marks |= {"color": style.PURPLE, "markerfacecolor": style.PURPLE, "marker": "D"}
    return marks


def _name(series: str, run: Run) -> str:
    return {"bilevel": f"{run.title}, γ swept", "weighted": f"{run.title}, λ swept",
            "matched": f"{run.title}, λ = 1/mean(ξ)"}[series]


def _title(rows: list[Row], known: dict[str, Run]) -> str:
    return " against ".join(known[method].title for method in rows[0]["pair"].split("/"))


def _line(axes: Axes, line: list[Row], seeds: list[Row], marks: dict[str, Any], name: str, forget: str,
          utility: str) -> None:
    series, thin = line[0]["series"], {"color": marks["color"], "linewidth": 0.7, "alpha": 0.35}
    if any(row["n"] > 1 for row in line):
        axes.plot([row[utility] for row in seeds], [row[forget] for row in seeds], alpha=0.35,
                  gid=f"{series} seeds", **(marks | {"markersize": 3.5, "markeredgecolor": "none", "linestyle": "none"}))
    for row in (row for row in line if row["n"] > 1):
        axes.hlines(row[forget], row[f"{utility}_low"], row[f"{utility}_high"], **thin)
        axes.vlines(row[utility], row[f"{forget}_low"], row[f"{forget}_high"], **thin)
    axes.plot([row[utility] for row in line], [row[forget] for row in line], label=name, gid=f"{series} mean", zorder=4,
              **(marks | {"markersize": 7.5}))


def _differences(axes: Axes, rows: list[Row], forget: str, utility: str) -> None:
    axes.set_title("At matched utility", loc="left", fontweight="bold")
    levels = [row for row in rows if row["kind"] == "difference"]
    lines = [_sentence(row, utility) for row in rows if row["kind"] == "matched"]
    if levels:
        axes.axhline(0, color="black", linewidth=0.9)
        for row in (row for row in levels if row["difference_low"] is not None):
            axes.vlines(row[utility], row["difference_low"], row["difference_high"], color="#333333", linewidth=1.0)
        axes.plot([row[utility] for row in levels], [row["difference"] for row in levels], "o-", color="#333333",
                  gid="difference")
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel("\n".join([style.label(utility), *lines]))
        axes.set_ylabel(f"{style.label(forget)}: BLUR − weighted\n(below zero: BLUR forgets more)")
        return
    ends = next(row for row in rows if row["kind"] == "not comparable")
    spans = "\n".join(_span(ends, series) for series in ("bilevel", "weighted"))
    axes.text(0.5, 0.6, f"Not comparable:\nthe fronts share no utility\n{spans}", ha="center", va="center",
              transform=axes.transAxes)
    axes.set(xticks=[], yticks=[], xlabel="\n".join(lines))


def _span(ends: Row, series: str) -> str:
    name = "BLUR" if series == "bilevel" else "weighted"
    low, high = ends[f"{series}_from"], ends[f"{series}_to"]
    if low is None or high is None or low > high:
        return f"{name}: none common to all seeds"
    return f"{name}: {low:.3f} to {high:.3f}"


def _sentence(row: Row, utility: str) -> str:
    forget = Summary(row["difference"], row["difference_low"], row["difference_high"], row["n"])
    kept = Summary(row["utility_difference"], row["utility_difference_low"], row["utility_difference_high"], row["n"])
    return (f"BLUR − matched (λ = {row['value']:.3g}):\nforget {_signed(forget)},\n"
            f"{style.label(utility).lower()} {_signed(kept)}")


def _signed(summary: Summary) -> str:
    text = f"{summary.mean:+.3f}"
    return text if summary.low is None else f"{text} [{summary.low:+.3f}, {summary.high:+.3f}]"


def _budget(runs: Sequence[Run], names: list[str]) -> str:
    """Name the settings, besides the combination, in which a pair differs; a fair comparison has none."""
    first = {(run.method, run.seed): run for run in runs if run.variant == "default"}
    found: set[str] = set()
    for name in names:
        up, down = name.split("/")
        common = sorted({s for m, s in first if m == up} & {s for m, s in first if m == down})
        for seed in common[:1]:
            found |= sweeps.differences(first[up, seed], first[down, seed])
    other = sorted(key for key in found if not key.startswith("combine"))
    return f"The pair differs also in: {', '.join(other)}." if other else "Same losses, data, steps and optimizer."
