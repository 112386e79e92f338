"""The model under attack, and what the attacker has at hand. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blur.attacks.point import Record

if TYPE_CHECKING:
    from blur.measure.settings import MeasureSettings
    from blur.measurements import Measurements
    from blur.models import LoadedModel
    from blur.models.encode import Example

Sets = Mapping[str, Sequence[Record]]


@dataclass(frozen=True)
class Victim:
    """A model under attack, and what the attacker has at hand.

    Attributes:
        load: returns a fresh copy of the model, verified; the stored one is never touched.
        load_target: returns the model from before unlearning.
        records: returns the records of sets of the task's data.
        examples: tokenises records as the task's training does.
        measure: measures a model; on ``sets`` and with ``settings``, where others are not given. It is left as it was.
        sets: records by set that ``measure`` reads.
        settings: what ``measure`` measures.
        bare: returns the model with what was put around it taken off; None where nothing was.
        is_reference: whether it is the target or the retrained model.
        progress: called with (done, total, what).
    """

    load: Callable[[], LoadedModel]
    load_target: Callable[[], LoadedModel]
    records: Callable[[Iterable[str]], list[dict[str, Any]]]
    examples: Callable[[LoadedModel, Iterable[Record]], list[Example]]
    measure: Callable[..., Measurements]
    sets: Sets
    settings: MeasureSettings
    bare: Callable[[], LoadedModel] | None
    is_reference: bool
    progress: Callable[[int, int, str], None]
