"""How a question becomes the text that a model continues with its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from blur.core.hashing import sha256_json
from blur.models.turn import chat, messages, turn_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Template(BaseModel):
    """A prompt template; part of a model, stored beside its weights and covered by its hash."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str = Field(
        default="Question: {question}\nAnswer:", description="text before the answer; {question} is replaced"
    )
    separator: str = Field(default=" ", description="between prompt and answer; scored with the answer's first token")
    add_eos: bool = Field(default=True, description="end each answer with the token that ends one")
    end: str | None = Field(
        default=None,
        exclude_if=lambda end: end is None,
        description="the token that ends an answer; by default the one that the chat template writes there, or, with "
        "`prompt`, the tokenizer's end-of-sequence token",
    )
    use_chat_template: bool = Field(default=False, description="use the tokenizer's chat template instead of `prompt`")
    system: str | None = Field(default=None, description="system message, with a chat template")
    options: dict[str, Any] = Field(
        default_factory=dict,
        exclude_if=lambda options: not options,
        description="what the chat template reads besides messages, such as `enable_thinking: false`",
    )

    @model_validator(mode="after")
    def _fields_agree(self) -> Template:
        if "{question}" not in self.prompt:
            raise ValueError("`prompt` lacks {question}, so every question would read the same")
        if self.system is not None and not self.use_chat_template:
            raise ValueError("`system` needs `use_chat_template: true`; write it into `prompt` otherwise")
        if self.options and not self.use_chat_template:
            raise ValueError("`options` are the chat template's and need `use_chat_template: true`")
        if self.end is not None and not self.add_eos:
            raise ValueError("`end` names the token that ends an answer, and `add_eos: false` says that none does")
        return self

    def __hash__(self) -> int:
        return hash(self.hash)

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON of all fields."""
        return sha256_json(self.model_dump(mode="json"))

    def render(
        self,
        question: str,
        tokenizer: PreTrainedTokenizerBase | None = None,
        examples: Sequence[tuple[str, str]] = (),
    ) -> str:
        """Return the text before the answer (and before ``separator``).

        Args:
            tokenizer: needed with ``use_chat_template`` only.
            examples: questions and answers to show first. Each is written as it would be asked and answered, with a
                blank line after it (with the default `prompt`: MUSE's form); in a chat it is a turn of its own.

        Raises:
            ConfigError: the tokenizer's chat template is missing, or unfit (``blur.models.turn``).
        """
        if not self.use_chat_template:
            shown = "".join(self._ask(asked) + self.continuation(answer) + "\n\n" for asked, answer in examples)
            return shown + self._ask(question)
        if tokenizer is None:
            raise ValueError("a chat template is its tokenizer's: give the tokenizer")
        lead = turn_of(self, tokenizer).lead
        return chat(self, tokenizer, messages(self, [*examples, question]), True) + lead

    def _ask(self, question: str) -> str:
        return self.prompt.replace("{question}", question)

    def continuation(self, answer: str) -> str:
        """Return the text after the prompt: ``separator`` and answer; a chat template brings its own separator."""
        return answer if self.use_chat_template else self.separator + answer
