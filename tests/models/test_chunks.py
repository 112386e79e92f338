"""Long texts as chunks: nothing is lost, nothing is counted twice, each chunk begins as a text begins."""

from __future__ import annotations

import pytest

from blur.core.errors import DataError
from blur.models.chunks import chunks, packed
from blur.models.encode import encode_text

TEXT = "Ann Lee is a poet from Rome. She writes poems about rivers and bridges near the river."


def record(text: str = TEXT, id: str = "d") -> dict[str, str]:
    return {"id": id, "text": text}


def test_a_short_text_is_what_encode_text_makes_of_it(any_tokenizer):
    (only,) = chunks(any_tokenizer, record(), 500, topic="bio")
    whole = encode_text(any_tokenizer, TEXT, 500, id="d")
    assert (only.id, only.input_ids, only.num_prompt, only.topic) == ("d", whole.input_ids, whole.num_prompt, "bio")


@pytest.mark.parametrize("max_length", [3, 4, 5, 7, 10])
def test_a_long_text_is_cut_without_loss_into_like_lengths(any_tokenizer, max_length):
    whole = encode_text(any_tokenizer, TEXT, 500)
    lead = whole.num_prompt
    made = chunks(any_tokenizer, record(), max_length)
    assert [token for part in made for token in part.input_ids[lead:]] == whole.input_ids[lead:]
    lengths = [len(part.input_ids) for part in made]
    assert max(lengths) <= max_length
    assert max(lengths) - min(lengths) <= 1
    assert all(part.input_ids[:lead] == whole.input_ids[:lead] and part.num_prompt == lead for part in made)
    assert len({part.id for part in made}) == len(made)


def test_packed_texts_fill_every_chunk_but_the_last(any_tokenizer):
    records = [record(id="a"), record("The poet was born in Rome.", id="b")]
    lead = encode_text(any_tokenizer, TEXT, 500).num_prompt
    joined = encode_text(any_tokenizer, f"{TEXT}\n\nThe poet was born in Rome.", 500).input_ids[lead:]
    made = packed(any_tokenizer, records, 6 + lead)
    body = [token for part in made for token in part.input_ids[lead:]]
    assert body == joined[: len(body)]
    assert len(joined) - len(body) <= 1, "at most a token that nothing could be predicted from is dropped"
    assert all(len(part.input_ids) == 6 + lead for part in made[:-1])
    assert [part.id for part in made] == [f"a+{place}" for place in range(len(made))]


def test_no_records_pack_to_nothing(tokenizer):
    assert packed(tokenizer, [], 8) == []


def test_a_text_without_a_token_to_score_is_named(tokenizer):
    with pytest.raises(DataError, match="text 'empty': no token that can be scored"):
        chunks(tokenizer, record("", id="empty"), 8)
