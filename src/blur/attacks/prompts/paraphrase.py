"""The same question in other words (``paraphrased_question``, a field of TOFU's form)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from blur.attacks.point import Record
from blur.attacks.prompts.base import WayBase

if TYPE_CHECKING:
    from blur.models import LoadedModel


class Way(WayBase):
    """The paraphrase in place of the question."""

    name: Literal["paraphrase"] = "paraphrase"

    def rewrite(self, record: Record, loaded: LoadedModel) -> dict[str, Any] | None:
        """Return the record with its paraphrased question; None without one."""
        other = record.get("paraphrased_question")
        return {**record, "question": other} if other else None
