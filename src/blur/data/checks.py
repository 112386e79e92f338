"""Checks across sets: nothing forgotten is also kept, nothing held out was trained on, wrong answers are wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from unicodedata import category, normalize

from blur.core.errors import DataError

Sets = Mapping[str, Sequence[Mapping[str, Any]]]

_REMEDY = {
    "retain": "Remove it from one of the two sets: a text cannot be both forgotten and kept",
    "holdout": "Remove it from one of the two sets: membership tests need texts outside both trainings",
}


def normalise(text: str) -> str:
    """Return ``text`` as texts are compared: white space collapsed, case folded, no invisible characters, one form.

    The form is NFKC: ``é`` in one or two characters, ``ﬁ`` and ``fi``, a no-break and a plain space are the same.
    """
    if text.isascii():
        return " ".join(text.split()).casefold()
    visible = "".join(sign for sign in normalize("NFKC", text) if category(sign) != "Cf")
    return " ".join(normalize("NFKC", visible.casefold()).split())


def where(name: str, records: Sequence[Mapping[str, Any]], index: int) -> str:
    """Say where a record is: the set, and file and line if it was read from a file."""
    place = getattr(records[index], "where", None)
    return f"set {name!r}, {place}" if place else f"set {name!r}, record {index + 1}"


def check_sets(sets: Sets, required: Sequence[str]) -> None:
    """Check the sets of a task against each other.

    Texts overlap if their question (or text) is the same up to white space and case, or their group is. Published TOFU
    passes: one question is asked twice in it, about two retain authors, and none is shared by forget and retain.

    Args:
        sets: records by set name.
        required: sets that must be there and not empty.

    Errors:
        DataError: empty set, overlap, or a wrong answer equal to the right one; names set, file, line and remedy.
    """
    for name in required:
        if not sets.get(name):
            raise DataError("no records", f"set {name!r}", "Check split, number of authors and source of the data")
    for name, records in sets.items():
        check_ids(name, records)
        _check_others(name, records)
    for kept in ("retain", "general"):
        check_disjoint(sets, "forget", kept, _REMEDY["retain"])
    for other in ("forget", "retain", "general"):
        check_disjoint(sets, "holdout", other, _REMEDY["holdout"])


def check_disjoint(sets: Sets, left: str, right: str, remedy: str) -> None:
    """Raise ``DataError`` at the first record of ``right`` whose question, text or group is also in ``left``."""
    known = {key: i for i, record in enumerate(sets.get(left, ())) for key in _keys(record)}
    for index, record in enumerate(sets.get(right, ())):
        for key in _keys(record):
            if key in known:
                raise DataError(
                    f"the {key[0]} is also in {where(left, sets[left], known[key])}",  # no text: it may be private
                    where(right, sets[right], index),
                    remedy,
                )


def _keys(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(field, normalise(record[field])) for field in ("question", "text", "group") if field in record]


def check_ids(name: str, records: Sequence[Mapping[str, Any]]) -> None:
    """Raise ``DataError`` at the first record whose id another record of the set has."""
    seen: dict[str, int] = {}
    for index, record in enumerate(records):
        first = seen.setdefault(record["id"], index)
        if first != index:
            raise DataError(
                f'id "{record["id"]}" is also that of {where(name, records, first)}',
                where(name, records, index),
                "Give each record its own id",
            )


def _check_others(name: str, records: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a wrong or alternate answer that is the right one."""
    for index, record in enumerate(records):
        texts = {field: record.get(field) for field in ("answer", "paraphrased_answer", "text", "gt")}
        right = {normalise(text): field for field, text in texts.items() if isinstance(text, str)}
        for other, remedy in (("perturbed_answer", "Give a wrong answer"), ("alternate", "Give another answer")):
            for number, said in enumerate(record.get(other, ())):
                if field := right.get(normalise(said)):
                    raise DataError(f'{other}[{number}] equals "{field}"', where(name, records, index), remedy)
