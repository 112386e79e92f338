"""What a source of alternates is: other answers for a record, a function of the record alone. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blur.core.choice import Choice


class AlternatesBase(Choice):
    """A source of alternates. Its settings are part of the keys of what reads them."""

    def of(self, record: Mapping[str, Any]) -> list[str]:
        """Return the alternates of a record, at least one, none of which is its answer.

        Raises:
            DataError: it has none; names the record.
        """
        raise NotImplementedError
