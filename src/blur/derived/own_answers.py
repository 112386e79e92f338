"""What the model itself says to questions that are kept, as further texts to keep: a generator in the place of data.

The counterpart, for texts, of the images that multi-GAN unlearning generates of the retained kind (arXiv 2407.18467):
it trains a generator on them, and the classifier labels what comes out. A language model is both, so that answers are
drawn from it before unlearning: our reading. Text without a question has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from blur.core.errors import DataError
from blur.core.files import read_json, write_json
from blur.core.settings import Count, NonNegative
from blur.data.world.draw import draw, stream
from blur.derived.base import Source, SubsetBase

if TYPE_CHECKING:
    from blur.models.encode import Example

FILE = "answers.json"
CACHE = 16384  # tokens of a batch; speed and memory only


class Derived(SubsetBase):
    """``{id: tokens of the answer}`` for some of the retain texts, drawn evenly; those stand beside all true ones."""

    name: Literal["own_answers"] = "own_answers"
    temperature: NonNegative = Field(1.0, description="0: the likeliest answer")
    max_new_tokens: Count = 64

    def make(self, source: Source, folder: Path) -> list[str]:
        """Draw and write the answers.

        Raises:
            DataError: a text has no question.
        """
        from blur.measure.generate import generate
        from blur.measure.sampling import Sampling
        from blur.models.turn import end_token

        loaded = source.load()
        examples = source.examples(loaded, self.replaces)
        if bare := next((example.id for example in examples if not example.num_prompt), None):
            raise DataError("a text without a question has no answer", bare, "Leave out `texts: {retain: own_answers}`")
        places = draw(stream(self.seed, "own answers"), range(len(examples)), self.size(len(examples)))
        asked = [examples[place] for place in sorted(places)]
        prompts = [example.input_ids[: example.num_prompt] for example in asked]
        end, sampling = end_token(loaded.template, loaded.tokenizer), Sampling(self.temperature, self.seed)
        said = generate(loaded.model, prompts, self.max_new_tokens, CACHE, end, sampling=sampling)
        ended = {one.id: [*made.tokens, end] for one, made in zip(asked, said, strict=True) if made.finished}
        write_json(folder / FILE, ended)
        return [FILE]

    def read(self, folder: Path) -> Callable[[Sequence[Example]], list[Example]]:
        """Return what adds the answers to a stream's texts."""
        answers: dict[str, list[int]] = read_json(folder / FILE)

        def added(examples: Sequence[Example]) -> list[Example]:
            asked = [(one, answers[one.id]) for one in examples if one.id in answers]
            own = [
                replace(one, id=f"{one.id}~own", input_ids=[*one.input_ids[: one.num_prompt], *said], ended=True)
                for one, said in asked
            ]
            return [*examples, *own]

        return added
