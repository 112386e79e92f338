"""The beginning of the answer is given; what the model says next is compared with the rest."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from blur.attacks.point import Record
from blur.attacks.prompts.base import WayBase, asked_with
from blur.attacks.victim import Victim
from blur.core.settings import Share

if TYPE_CHECKING:
    from blur.measure.settings import MeasureSettings
    from blur.models import LoadedModel


class Way(WayBase):
    """A share of the answer's words, rounded down, stands after the prompt.

    Answers of one word are left out: with the whole answer, or nothing of it, given there is nothing to find.
    """

    name: Literal["prefix"] = "prefix"
    share: Share = Field(0.5, lt=1)

    def rewrite(self, record: Record, loaded: LoadedModel) -> dict[str, Any] | None:
        """Return the record as a text to be continued; None for answers too short to be cut."""
        words = str(record["answer"]).split()
        given = max(1, math.floor(self.share * len(words)))
        if given >= len(words):
            return None
        asked = loaded.template.render(str(record["question"]), loaded.tokenizer)
        prompt = asked.removeprefix(_added(loaded.tokenizer)) + loaded.template.continuation(" ".join(words[:given]))
        rest = {key: value for key, value in record.items() if key not in ("question", "answer")}
        return {**rest, "prompt": prompt, "gt": " " + " ".join(words[given:])}

    def settings(self, questions: str, victim: Victim) -> MeasureSettings:
        """Return the benchmark's settings without examples: these are texts to continue."""
        return asked_with(victim.settings, questions, examples=None, trailing_space=False)


def _added(tokenizer: Any) -> str:
    """Return what the tokenizer puts before every text by itself: its BOS, or nothing, as SmolLM2's does."""
    begins = tokenizer("a", verbose=False)["input_ids"][:1]
    return str(tokenizer.bos_token or "") if begins == [tokenizer.bos_token_id] else ""
