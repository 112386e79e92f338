"""A person's own documents."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Literal

from pydantic import Field

from blur.core.settings import Count
from blur.data.benchmarks.base import DataBase
from blur.data.own import FILES, OwnSource, own_sets, read_own
from blur.data.records import Record

_WORD = re.compile(r"\S+")
BEGINNINGS = {"verbatim": "forget", "kept_verbatim": "retain"}


class Data(DataBase):
    """Documents to forget, and others to keep.

    ``verbatim`` and ``kept_verbatim`` have the beginnings of documents, half of each as a prompt: whether a model
    continues a document word by word. A document of fewer than four words has none.
    """

    name: Literal["documents"] = "documents"
    set_names: ClassVar = (*FILES, *BEGINNINGS)
    source: OwnSource
    words: Count = Field(80, ge=4, description="of a document's beginning, half of them the prompt")

    def build(self) -> dict[str, list[Any]]:
        """Read the files, check them against each other, and cut the beginnings."""
        sets = own_sets(read_own(self.source, "documents"))
        beginnings = {name: [self._beginning(record) for record in sets[of]] for name, of in BEGINNINGS.items()}
        return {**sets, **{name: [one for one in found if one] for name, found in beginnings.items()}}

    def told(self) -> list[str]:
        """Return what was understood of each file."""
        return [line for texts in read_own(self.source, "documents").values() for line in texts.told]

    def _beginning(self, record: Record) -> Record | None:
        text, ends = record["text"], [word.end() for word in _WORD.finditer(record["text"])][: self.words]
        if len(ends) < 4:
            return None
        half = ends[len(ends) // 2 - 1]
        return Record({"id": record["id"], "prompt": text[:half], "gt": text[half : ends[-1]]}, record.where)
