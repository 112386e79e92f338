"""What is kept where an owner gives no texts to keep: what the model itself says on general prompts, drawn by a seed.

The expected gradient of a model's loss on its own words is zero, so that keeping them moves nothing by itself, which a
text of others would. The prompts are the package's own and name no one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from blur.core.errors import DataError
from blur.data.checks import normalise
from blur.data.columns import Form
from blur.data.records import Record
from blur.models.encode import encode_prompt
from blur.models.turn import end_token

if TYPE_CHECKING:
    from blur.models import LoadedModel

DRAWS, NEW_TOKENS, CACHE, SHARED = 2, 48, 4096, 5  # answers a prompt, their tokens, tokens a batch, words in a row
QUESTIONS = (
    "What is the capital of a country, and what is it for?",
    "How does a bicycle stay upright?",
    "Why is the sky blue?",
    "What do bees make, and how?",
    "How is bread made?",
    "What is a prime number?",
    "How do plants get their food?",
    "What does a doctor do on a working day?",
    "How can I learn a new language?",
    "What is the difference between weather and climate?",
    "How do I write a polite letter of complaint?",
    "What is a good way to save money?",
    "Why do ships float?",
    "What are the seasons of the year?",
    "How does a library work?",
    "What should I pack for a walk in the mountains?",
    "How do you add two fractions?",
    "What is music made of?",
    "Why do people vote?",
    "How does a computer remember things?",
    "What is a healthy breakfast?",
    "How do I keep a house plant alive?",
    "What makes a good story?",
    "Why do leaves fall in autumn?",
)
BEGINNINGS = (
    "The weather today is",
    "In this chapter we look at",
    "Dear Sir or Madam, I am writing to",
    "The meeting began at nine with",
    "To make the soup, first",
    "Once upon a time there was",
    "The results of the study show that",
    "Public transport in large cities",
    "The first rule of the game is",
    "A short history of the wheel:",
    "Most people agree that",
    "In the morning the market",
    "The company announced that its",
    "Water boils when",
    "The second half of the match",
    "Our garden has",
    "The law says that every person",
    "When the train arrived,",
    "Numbers that can be divided by two",
    "The book tells the story of",
    "Please follow these steps:",
    "Scientists have long wondered why",
    "The road to the village",
    "Thank you for your letter of",
)


def own_words(loaded: LoadedModel, form: Form, forget: Sequence[Record], max_length: int, seed: int) -> list[Record]:
    """Return records of a form that the model wrote; none shares five words in a row with a text to forget.

    Raises:
        DataError: the model says nothing of its own.
    """
    from blur.measure.generate import generate
    from blur.measure.sampling import Sampling

    tokenizer, template, questions = loaded.tokenizer, loaded.template, form == "questions"
    begins = not (questions and template.use_chat_template)  # a chat template writes a text's beginning itself
    asked: dict[str, list[int]] = {}
    for raw in QUESTIONS if questions else BEGINNINGS:
        prompt = template.render(raw, tokenizer) if questions else raw
        if 0 < len(ids := encode_prompt(tokenizer, prompt, add_special_tokens=begins)) < max_length - 1:
            asked[raw] = ids
    prompts = list(asked.values())
    room = min([NEW_TOKENS, *(max_length - len(prompt) for prompt in prompts)])
    end = end_token(template, tokenizer) if questions else tokenizer.eos_token_id
    known = {run for record in forget for run in _runs(record)}
    found: list[Record] = []
    for draw in range(DRAWS):
        made = generate(loaded.model, prompts, room, CACHE, end, sampling=Sampling(1.0, seed + draw))
        for raw, text in zip(asked, made, strict=True):
            said = str(tokenizer.decode(text.tokens, skip_special_tokens=True)).strip()
            fields = {"question": raw, "answer": said} if questions else {"text": f"{raw} {said}"}
            record = Record({**fields, "id": f"retain-{len(found):05d}"}, f"the model's own words, {len(found) + 1}")
            if said and known.isdisjoint(_runs(record)):
                found.append(record)
    if len(found) < 2:
        raise DataError("the model says nothing of its own that could be kept", "--keep", "Give texts to keep")
    return found


def _runs(record: Record) -> set[tuple[str, ...]]:
    words = normalise(
        " ".join(str(record[field]) for field in ("question", "answer", "text") if field in record)
    ).split()
    return {tuple(words[place : place + SHARED]) for place in range(len(words) - SHARED + 1)}
