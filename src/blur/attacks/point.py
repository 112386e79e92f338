"""A point of an attack: what the attack measured there, and what it tells of it. What came back is made from these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blur.measurements import Measurements

WORST = "worst_of"  # in ``about``: item by item, only the worst of an arm's points with this mark counts
UNKNOWN = "entities_unknown"  # in ``about``: records without a `group` were used, so nobody knows whom they are about
COVERED = "covered"  # in ``about``: the share of the model's matrices that the attack quantized, or trained
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Point:
    """The model at one point of an attack.

    Attributes:
        measured: its raw measurements; None where the attack does not apply, or cannot be made on this machine.
        about: numbers and words that tables and figures read: a step, a bit width, ``reason`` where not measured.
        used: entities (``group``, else ``id``) whose records the attacker used.
    """

    measured: Measurements | None
    about: dict[str, Any] = field(default_factory=dict)
    used: frozenset[str] = frozenset()


def unknown(records: Iterable[Record]) -> dict[str, bool]:
    """Return the mark of a point that used ``records``, where one of them does not say whom it is about."""
    return {} if all(record.get("group") for record in records) else {UNKNOWN: True}


def entity(record: Record) -> str:
    """Return whom a record is about: its ``group``, or itself where it has none."""
    return str(record.get("group") or record["id"])
