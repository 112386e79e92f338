"""Other answers to each question that is to be forgotten, by the model itself (AltPO, Mekala et al., arXiv 2409.13474).

Our reading: the paper asks a chat model, with question and answer before it, for another one that differs in every
fact. Not every model can be asked that, so here they are answers to the question alone, drawn at rising temperatures
until enough differ. The authors' code keeps empty ones and such as say the true answer; here they are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from blur.core.errors import DataError
from blur.core.files import read_json, write_json
from blur.core.settings import Count, Positive, Seed, Share
from blur.derived.base import DerivedBase, Source

if TYPE_CHECKING:
    from blur.models import LoadedModel
    from blur.models.encode import Example

FILE = "answers.json"
CACHE = 16384  # tokens of a batch; speed and memory only


class Derived(DerivedBase):
    """``{"answers": {id: texts}, "drawn": .., "dropped": ..}``."""

    streams: ClassVar = ("forget",)
    passes: ClassVar = 1
    name: Literal["sampled_answers"] = "sampled_answers"
    number: Count = Field(5, description="answers kept of each question; 5 in the paper")
    temperatures: tuple[Positive, ...] = Field(
        (1.0, 1.5, 2.0, 3.0), min_length=1, description="tried in turn where answers are missing; 1 in the paper"
    )
    alike: Share = Field(0.7, description="ROUGE-L recall of the true answer from which on one is dropped; ours")
    max_new_tokens: Count = Field(200, description="200 in the paper")
    seed: Seed = 0

    def make(self, source: Source, folder: Path) -> list[str]:
        """Write the answers."""
        loaded = source.load()
        write_json(folder / FILE, sample(loaded, source.examples(loaded, "forget"), self))
        return [FILE]

    def read(self, folder: Path) -> dict[str, list[str]]:
        """Return the answers by id."""
        found: dict[str, list[str]] = read_json(folder / FILE)["answers"]
        return found


def sample(loaded: LoadedModel, examples: Sequence[Example], settings: Derived) -> dict[str, Any]:
    """Return what the class says, of a loaded model.

    Raises:
        DataError: a text has no question, or none of its answers is another one.
    """
    from blur.measure.generate import generate
    from blur.measure.sampling import Sampling
    from blur.metrics.rouge import recall
    from blur.models.turn import end_token

    def text(tokens: list[int]) -> str:
        return str(loaded.tokenizer.decode(tokens, skip_special_tokens=True)).strip()

    kept: dict[str, list[str]] = {example.id: [] for example in examples}
    end, drawn, taken = end_token(loaded.template, loaded.tokenizer), 0, 0
    if bare := next((example.id for example in examples if not example.num_prompt), None):
        raise DataError("a text without a question has no other answer", bare, "Take other `alternates`")
    for turn, temperature in enumerate(one for one in settings.temperatures for _ in range(settings.number)):
        lacking = [example for example in examples if len(kept[example.id]) < settings.number]
        if not lacking:
            break
        prompts = [example.input_ids[: example.num_prompt] for example in lacking]
        sampling = Sampling(temperature, settings.seed + turn)
        made = generate(loaded.model, prompts, settings.max_new_tokens, CACHE, end, sampling=sampling)
        drawn += len(made)
        for example, answer in zip(lacking, made, strict=True):
            said, truth = text(answer.tokens), text(example.input_ids[example.num_prompt :])
            if said and said not in kept[example.id] and (recall(truth, said, True) or 0.0) < settings.alike:
                kept[example.id].append(said)
                taken += 1
    if missing := [name for name, answers in kept.items() if not answers]:
        what = f"{len(missing)} questions have no answer but the true one, {missing[0]!r} first"
        raise DataError(what, "derived.sampled_answers", "Add a higher one to `temperatures`")
    return {"answers": kept, "drawn": drawn, "dropped": drawn - taken}
