"""The records' own: what their field ``alternate`` lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from blur.core.errors import DataError
from blur.unlearn.alternates.base import AlternatesBase


class Alternates(AlternatesBase):
    """All of a record's own alternates."""

    name: Literal["records"] = "records"

    def of(self, record: Mapping[str, Any]) -> list[str]:
        """Return the field ``alternate``."""
        if not record.get("alternate"):
            where = getattr(record, "where", f"record {record['id']!r}")
            raise DataError('no "alternate", which a loss compares with the answer', where, 'Add "alternate": ["..."]')
        return list(record["alternate"])
