"""How a question becomes the text that a model continues with its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from blur.core.errors import ConfigError
from blur.core.hashing import sha256_json

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Llama 3's chat template writes today's date into the prompt (open-unlearning#88): results would change overnight.
CHAT_DATE = "26 Jul 2024"


class Template(BaseModel):
    """A prompt template; part of a model, stored beside its weights and covered by its hash."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str = Field(
        default="Question: {question}\nAnswer:", description="text before the answer; {question} is replaced"
    )
    separator: str = Field(default=" ", description="between prompt and answer; scored with the answer's first token")
    add_eos: bool = Field(default=True, description="end each answer with the end-of-sequence token")
    use_chat_template: bool = Field(default=False, description="use the tokenizer's chat template instead of `prompt`")
    system: str | None = Field(default=None, description="system message, with a chat template")

    @model_validator(mode="after")
    def _fields_agree(self) -> Template:
        if "{question}" not in self.prompt:
            raise ValueError("`prompt` lacks {question}, so every question would read the same")
        if self.system is not None and not self.use_chat_template:
            raise ValueError("`system` needs `use_chat_template: true`; write it into `prompt` otherwise")
        return self

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
            ConfigError: the tokenizer has no chat template.
        """
        if not self.use_chat_template:
            shown = "".join(self._ask(asked) + self.continuation(answer) + "\n\n" for asked, answer in examples)
            return shown + self._ask(question)
        if tokenizer is None or not tokenizer.chat_template:
            raise ConfigError(
                "the tokenizer has no chat template", "template.use_chat_template", "Set it to false and give `prompt`"
            )
        messages = [] if self.system is None else [{"role": "system", "content": self.system}]
        for asked, answer in examples:
            messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
        messages.append({"role": "user", "content": question})
        options: dict[str, Any] = {"tokenize": False, "add_generation_prompt": True, "date_string": CHAT_DATE}
        return str(tokenizer.apply_chat_template(messages, **options))

    def _ask(self, question: str) -> str:
        return self.prompt.replace("{question}", question)

    def continuation(self, answer: str) -> str:
        """Return the text after the prompt: ``separator`` and answer; a chat template brings its own separator."""
        return answer if self.use_chat_template else self.separator + answer
