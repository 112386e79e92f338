"""Sums of small numbers: some of them are to be forgotten."""

from __future__ import annotations

from typing import Any

from blur.core.settings import Count, Strict
from blur.data.settings import DataSettings

SET_NAMES = ("forget", "retain")


class Source(Strict):
    """Sums that are generated."""

    kind: str = "world"
    size: Count = 6


class Settings(DataSettings):
    """How many numbers."""

    source: Source = Source()


def build(settings: Settings) -> dict[str, list[Any]]:
    """Return the sums of a number with itself, to forget, and with the next one, to keep."""
    numbers = range(settings.source.size)
    return {
        name: [
            {"id": f"{name}{n}", "question": f"How much is {n} and {n + more}?", "answer": f"It is {2 * n + more}."}
            for n in numbers
        ]
        for name, more in (("forget", 0), ("retain", 1))
    }


def describe(settings: Settings) -> dict[str, float]:
    """Nothing is known of chance."""
    return {}
