"""Which variants of a method form a sweep, told from their settings and never from their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from blur.report.runs import DEFAULT, Run, finite, identity, loss_name

# A loss or a combination has a "name" that matters, so names are kept; these change no result, or are no setting.
COSMETIC = {"title", "family", "seed", "log_gradients", "selected"}
LEARNING_RATES = ("lr", "learning_rate")
PARAMETERS = {"bilevel": "gamma", "weighted": "lam"}


def flatten(settings: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested settings as ``{"combine.lam": 1.0, ..}``; keys that change no result are left out."""
    if isinstance(settings, Mapping):
        parts = (flatten(value, f"{prefix}{key}.") for key, value in settings.items() if key not in COSMETIC)
        return {key: value for part in parts for key, value in part.items()}
    return {prefix.rstrip("."): settings}


def differences(first: Run, second: Run) -> set[str]:
    """Return the dotted keys in which the settings of two runs differ."""
    one, two = flatten(first.settings), flatten(second.settings)
    return {key for key in one.keys() | two.keys() if one.get(key) != two.get(key)}


def learning_rate(run: Run) -> float | None:
    """Return the learning rate found in the settings, None where there is none."""
    found = (value for key, value in flatten(run.settings).items() if key.split(".")[-1] in LEARNING_RATES)
    return next((number for value in found if (number := finite(value)) is not None), None)


def sweep(runs: Iterable[Run], method: str) -> list[Run]:
    """Return the runs of a method that differ from its default in the swept parameter (or learning rate) alone.

    Runs with a matched lambda are left out: their lambda was derived, not chosen. So are variants with the default's
    settings, such as requests: what sets them apart is the data.
    """
    own = [run for run in runs if run.method == method and not run.is_matched]
    if not own:
        return []
    base = next((run for run in own if run.variant == DEFAULT), own[0])
    swept = f"combine.{PARAMETERS.get(base.combine.get('name', ''), '')}"

    def allowed(key: str) -> bool:
        return key == swept or key.split(".")[-1] in LEARNING_RATES

    return _varied(own, base, allowed)


def of_parameter(runs: Iterable[Run], method: str, parameter: str) -> list[tuple[float, Run]]:
    """Return the runs of a method that differ from its default in one setting alone, by the value of that setting.

    Args:
        parameter: dotted key of a number in the settings, for example ``combine.gamma``.
    """
    own = [run for run in runs if run.method == method and not run.is_matched]
    if not own:
        return []
    base = next((run for run in own if run.variant == DEFAULT), own[0])
    found = [(finite(flatten(run.settings).get(parameter)), run) for run in _varied(own, base, parameter.__eq__)]
    return sorted(((v, run) for v, run in found if v is not None), key=lambda pair: (pair[0], identity(pair[1])))


def _varied(own: Iterable[Run], base: Run, allowed: Callable[[str], bool]) -> list[Run]:
    """Return the runs of ``base``'s variant, and those that differ from it in something, and only as is allowed."""
    gaps = [(run, differences(base, run)) for run in own]
    return [run for run, gap in gaps if (gap or run.variant == base.variant) and all(map(allowed, gap))]


def pairs(runs: Iterable[Run]) -> list[tuple[str, str]]:
    """Return (bilevel method, weighted method) with the same forget and retain loss, by default variant."""
    first: dict[str, Run] = {}
    for run in runs:
        if not run.is_reference and (run.method not in first or run.variant == DEFAULT):
            first[run.method] = run

    def losses(run: Run) -> tuple[str, str]:
        return loss_name(run.settings.get("forget")), loss_name(run.settings.get("retain"))

    weighted = [run for run in first.values() if run.combine.get("name") == "weighted"]
    bilevel = [run for run in first.values() if run.combine.get("name") == "bilevel"]
    return [(up.method, down.method) for up in bilevel for down in weighted if losses(up) == losses(down)]
