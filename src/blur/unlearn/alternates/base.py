"""What a source of alternates is: other answers for a record, of the record alone or of a model. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from blur.core.choice import Choice


class AlternatesBase(Choice):
    """A source of alternates. Its settings are part of the keys of what reads them.

    Attributes:
        asks: the kind of ``blur.derived`` that has to be made before, where they are a model's.
    """

    asks: ClassVar[str] = ""

    def given(self, made: Any) -> Self:
        """Return the source once what it asks for is there."""
        return self

    def of(self, record: Mapping[str, Any]) -> list[str]:
        """Return the alternates of a record, at least one, none of which is its answer.

        Raises:
            DataError: it has none; names the record.
        """
        raise NotImplementedError
