"""How much an audit looks at. Bounded, so that it ends: a report says what was drawn."""

from __future__ import annotations

from pydantic import Field

from blur.core.settings import Count, Positive, Seed, Share, Strict
from blur.owner.rules import Rules


class AuditSettings(Strict):
    """How much is read, asked and attacked, and the rules by which it is judged."""

    texts: Count = Field(64, description="most texts of each kind that are read; more are drawn by lot")
    tokens: Count = Field(256, description="most tokens of a text that are read")
    answer: Count = Field(48, description="most tokens that a model writes at a time")
    attacked: Count = Field(
        48, description="most forget texts of which an attack learns a half and is judged on the rest"
    )
    steps: tuple[Count, ...] = Field((2, 4, 8, 16), description="steps of fine-tuning after which an attack is judged")
    batch_size: Count = Field(8, description="texts of a step of an attack")
    rate: Positive = Field(0.1, description="learning rate of an attack times the model's width; AdamW")
    tries: Count = Field(3, description="rates tried, each three times the last, until an attack teaches its own texts")
    full: Positive = Field(
        1e9, description="parameters up to which an attack trains all weights; beyond, a LoRA of rank 16"
    )
    prompt: Share = Field(0.5, lt=1, description="part of a document that a model is given to continue")
    hint: Share = Field(0.8, lt=1, description="the same with a hint; of an answer, half of its words are given")
    min_k: Share = Field(0.4, description="share of a text's tokens, the least likely, that Min-K% looks at")
    draws: Count = Field(2000, description="resamples of an interval")
    seed: Seed = Field(0, description="of what is drawn by lot")
    rules: Rules = Rules.model_validate({})


DEFAULT = AuditSettings.model_validate({})
