"""Checks that sets say nothing about each other, and that a question is put in no training text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from blur.core.errors import DataError
from blur.data.checks import Sets, check_disjoint, normalise, where

WORD = re.compile(r"\w+")
_SAID = ("question", "prompt", "gt", "text")


def as_words(text: str) -> str:
    """Return the words of ``text``, case folded, a space around each, so that ``in`` finds runs of whole words."""
    return f" {' '.join(WORD.findall(normalise(text)))} "


def check_independent(sets: Sets, left: str, right: str, remedy: str) -> None:
    """Check that two sets share no question, text or group, and that neither mentions a group of the other.

    A mention is a run of whole words: "Nada Lima" is none of "Ada Li".

    Errors:
        DataError: says where what is shared or mentioned is in both sets.
    """
    check_disjoint(sets, left, right, remedy)
    _check_mentions(sets, left, right, remedy)
    _check_mentions(sets, right, left, remedy)


def _check_mentions(sets: Sets, named: str, told: str, remedy: str) -> None:
    texts = [as_words(_said(record)) for record in sets[told]]
    everything = "\n".join(texts)
    for index, record in enumerate(sets[named]):
        group = as_words(record.get("group", ""))
        if group.strip() and group in everything:
            what = f"the group of {where(named, sets[named], index)} is mentioned"
            raise DataError(what, where(told, sets[told], _first(group, texts)), remedy)


def check_unasked(sets: Sets, asked: str, trained: str, remedy: str) -> None:
    """Check that no record of ``trained`` holds a question of ``asked``.

    Errors:
        DataError: says where the question is in both sets.
    """
    texts = [normalise(_said(record)) for record in sets[trained]]
    everything = "\n".join(texts)
    for index, record in enumerate(sets[asked]):
        question = normalise(record["question"])
        if question in everything:
            what = f"the question of {where(asked, sets[asked], index)} is asked"
            raise DataError(what, where(trained, sets[trained], _first(question, texts)), remedy)


def _said(record: Mapping[str, Any]) -> str:
    """Return what a record says about its entity to a model that reads it; options are the same for many."""
    return " ".join(record[field] for field in _SAID if field in record)


def _first(part: str, texts: Sequence[str]) -> int:
    return next(place for place, text in enumerate(texts) if part in text)
