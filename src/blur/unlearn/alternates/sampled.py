"""The model's own: other answers that it gave before unlearning (``blur.derived.sampled_answers``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import PrivateAttr

from blur.unlearn.alternates.base import AlternatesBase


class Alternates(AlternatesBase):
    """All that were kept of a record's."""

    asks: ClassVar = "sampled_answers"
    name: Literal["sampled"] = "sampled"
    _answers: Mapping[str, list[str]] = PrivateAttr(default_factory=dict)

    def given(self, made: Any) -> Self:
        """Return the source with its answers, by id."""
        source = self.model_copy()
        source._answers = made
        return source

    def of(self, record: Mapping[str, Any]) -> list[str]:
        """Return the answers to the record's question."""
        return list(self._answers[str(record["id"])])
