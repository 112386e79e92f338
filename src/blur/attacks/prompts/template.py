"""A text around the question: a jailbreak, another language, a role. Read from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import field_validator

from blur.attacks.point import Record
from blur.attacks.prompts.base import WayBase
from blur.core.shipped import find

if TYPE_CHECKING:
    from blur.models import LoadedModel

PLACE = "{question}"


class Way(WayBase):
    """A template with ``{question}`` in it; ``text`` is read when settings are, so that it is part of a job's key."""

    name: Literal["template"] = "template"
    text: str

    @field_validator("text")
    @classmethod
    def _read(cls, value: str) -> str:
        """Take the content of a file for its name."""
        if value.endswith(".txt"):
            if not (file := find(value)).is_file():
                raise ValueError(f"no file {value!r}")
            value = file.read_text(encoding="utf-8").strip("\n")
        if PLACE not in value:
            raise ValueError(f"the template lacks {PLACE}, so every question would read the same")
        return value

    def rewrite(self, record: Record, loaded: LoadedModel) -> dict[str, Any]:
        """Return the record with its question within the template."""
        return {**record, "question": self.text.replace(PLACE, str(record["question"]))}
