"""The typed form of ``model`` in a model's configuration file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from blur.core.settings import Count, Json, Strict
from blur.models.template import Template

Dtype = Literal["float32", "bfloat16", "float16"]


class TokenizerSettings(Strict):
    """A tokenizer that is trained on the task's texts."""

    vocab_size: Count = Field(ge=260, description="upper bound: 256 bytes, the special tokens, and learned merges")


class ModelSettings(Strict):
    """A base model: one that exists (``name_or_path``), or one to build (``architecture`` and ``tokenizer``)."""

    name_or_path: str | None = Field(None, description="Hugging Face name or directory")
    revision: str | None = Field(None, description="commit, tag or branch on the hub")
    architecture: dict[str, Json] | None = Field(None, description="transformers configuration, with `model_type`")
    tokenizer: TokenizerSettings | None = None
    dtype: Dtype = "float32"
    template: Template = Template()
    max_length: Count = Field(256, ge=2, description="tokens of prompt and answer; longer answers are cut")

    @model_validator(mode="after")
    def _one_origin(self) -> ModelSettings:
        if (self.name_or_path is None) == (self.architecture is None):
            raise ValueError("give either `name_or_path` or `architecture`, one of them")
        if (self.architecture is None) != (self.tokenizer is None):
            raise ValueError("`architecture` and `tokenizer` go together: a named model brings its own tokenizer")
        if self.revision is not None and self.name_or_path is None:
            raise ValueError("`revision` belongs to `name_or_path`")
        return self

    @model_validator(mode="after")
    def _architecture_is_complete(self) -> ModelSettings:
        if self.architecture is None:
            return self
        if not isinstance(self.architecture.get("model_type"), str):
            raise ValueError("`architecture` lacks `model_type`, for instance `llama`")
        if "vocab_size" in self.architecture:
            raise ValueError("`architecture.vocab_size` follows from the tokenizer; set `tokenizer.vocab_size`")
        positions = self.architecture.get("max_position_embeddings")
        if isinstance(positions, int) and positions < self.max_length:
            raise ValueError(f"`max_length` {self.max_length} exceeds max_position_embeddings {positions}")
        return self

    @property
    def from_scratch(self) -> bool:
        """Whether the model is built and its tokenizer trained here."""
        return self.architecture is not None
