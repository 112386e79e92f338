"""Sentences without meaning, the same for the same name: what generated rows are made of."""

from __future__ import annotations

import random

_WORDS = """
    the a harbour council river library engine keeper lantern market bridge garden winter letter signal captain
    found kept opened wrote lost carried measured painted repaired followed near above before against without under
    old quiet narrow yellow early distant broken careful northern hidden
""".split()  # noqa: SIM905 - a list of 43 strings is no easier to read


def sentence(draw: random.Random, length: int = 9) -> str:
    """Return a sentence of ``length`` words."""
    return " ".join(draw.choices(_WORDS, k=length)).capitalize() + "."


def text(name: str, sentences: int) -> str:
    """Return a text that follows from its name."""
    draw = random.Random(name)
    return " ".join(sentence(draw) for _ in range(sentences))


def name(draw: random.Random) -> str:
    """Return a name in two words."""
    first, last = (draw.choice("BDKLMNRST") + draw.choice("aeiou") + draw.choice("lmnrs") + "o" for _ in range(2))
    return f"{first} {last}"
