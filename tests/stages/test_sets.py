"""Records as training examples, and alternates as further rows of theirs."""

from __future__ import annotations

from typing import Any

import pytest

from blur.core.errors import DataError
from blur.models import Template, train_tokenizer
from blur.models.io import LoadedModel
from blur.models.turn import end_token
from blur.stages.sets import examples, source_of
from tests.models.conftest import TEXTS

RECORDS = [
    {"id": f"q{n}", "question": f"Who is {name}?", "answer": f"{name} is a poet."} for n, name in enumerate("AB")
]
DOCUMENTS = {"max_length": 64, "texts": "documents"}
REFUSED = {**DOCUMENTS, "alternates": {"forget": {"name": "refusals", "seed": 0}}}
CHAT = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}<|pad|>{% endfor %}{% if add_generation_prompt %}"
    "assistant: {% endif %}"
)


def loaded(**fields: Any) -> LoadedModel:
    tokenizer = train_tokenizer(TEXTS, 300)
    tokenizer.chat_template = CHAT
    return LoadedModel(None, tokenizer, Template(**fields))  # type: ignore[arg-type]


@pytest.mark.parametrize("fields", [{}, {"use_chat_template": True}], ids=["prompt", "chat"])
def test_an_alternate_is_put_and_ended_as_the_answer_is(fields: dict[str, Any]) -> None:
    model, source = loaded(**fields), source_of(REFUSED, "forget")
    assert source is not None
    made = examples(model, RECORDS, REFUSED, "bio", source)
    end = end_token(model.template, model.tokenizer)
    for example, record in zip(made, RECORDS, strict=True):
        (other,) = example.alternates
        assert (example.id, other.id, other.topic) == (record["id"], f"{record['id']}~0", "bio")
        assert other.input_ids[: other.num_prompt] == example.input_ids[: example.num_prompt]
        assert other.input_ids[-1] == example.input_ids[-1] == end
        assert other.ended
        said = model.tokenizer.decode(other.input_ids[other.num_prompt : -1]).strip()
        assert said == source.of(record)[0].strip()
    assert [example.alone for example in made] == examples(model, RECORDS, DOCUMENTS, "bio")


def test_only_the_stream_that_is_compared_has_alternates() -> None:
    assert source_of(REFUSED, "retain") is None
    assert source_of(DOCUMENTS, "forget") is None


def test_a_completion_has_alternates_and_a_text_in_chunks_has_none() -> None:
    own = source_of({"alternates": {"forget": {"name": "records"}}}, "forget")
    completion = {"id": "c", "prompt": "Ann said", "gt": " no.", "alternate": [" yes.", " maybe."]}
    (example,) = examples(loaded(), [completion], DOCUMENTS, alternates=own)
    assert [other.id for other in example.alternates] == ["c~0", "c~1"]
    text = {"id": "t", "text": "Ann went home.", "alternate": ["Ann stayed."]}
    (whole,) = examples(loaded(), [text], {**DOCUMENTS, "texts": "truncated"}, alternates=own)
    assert whole.alternates[0].input_ids != whole.input_ids
    with pytest.raises(DataError, match=r"text 't': a text that is cut into chunks has no alternate.*truncated"):
        examples(loaded(), [text], DOCUMENTS, alternates=own)
