from __future__ import annotations

import numpy as np
import pytest
import torch

from blur.measure import likelihood
from blur.measure.batching import buckets
from blur.measure.likelihood import score
from blur.measure.run import passages_of
from blur.measure.settings import MeasureSettings
from tests.measure.conftest import RECORDS, SETS, TEMPLATE

SETTINGS = MeasureSettings.model_validate(
    {
        "likelihood": [
            {"set": "people", "fields": ["answer", "paraphrased_answer", "perturbed_answer"]},
            {"set": "texts", "fields": ["text"]},
        ]
    }
)
COLUMNS = ("logprob", "vocab_mean", "vocab_var")


@pytest.fixture
def passages(tokenizer):
    return passages_of(tokenizer, TEMPLATE, SETS, SETTINGS, 100)


def one_at_a_time(model, example):
    """Log-probabilities by the definition: no batch, no padding, all logits, float64."""
    with torch.no_grad():
        logp = model.double()(torch.tensor([example.input_ids])).logits[0].double().log_softmax(-1).numpy()
    targets = np.array(example.input_ids[1:])
    keep = slice(max(example.num_prompt, 1) - 1, None)
    p, logp, targets = np.exp(logp[:-1][keep]), logp[:-1][keep], targets[keep]
    mean = (p * logp).sum(1)
    return {
        "logprob": logp[np.arange(len(targets)), targets],
        "argmax": logp.argmax(1) == targets,
        "vocab_mean": mean,
        "vocab_var": (p * (logp - mean[:, None]) ** 2).sum(1),
    }


def test_equals_the_definition_one_text_at_a_time_in_float64(any_model, passages):
    rows = score(any_model.double(), passages, 200)
    for row, passage in zip(rows, passages, strict=True):
        expected = one_at_a_time(any_model, passage.example)
        for name in COLUMNS:
            np.testing.assert_allclose(getattr(row, name), expected[name], atol=1e-6, rtol=0)
        assert list(row.argmax) == list(expected["argmax"])


def test_float32_stays_close_to_float64(llama, passages):
    rows = score(llama, passages, 200)
    for row, passage in zip(rows, passages, strict=True):
        expected = one_at_a_time(llama, passage.example)
        for name in COLUMNS:
            np.testing.assert_allclose(getattr(row, name), expected[name], atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("max_batch_tokens", [1, 90, 100_000])
def test_result_does_not_depend_on_batches_or_order(any_model, passages, max_batch_tokens):
    expected = score(any_model, passages, 300)
    found = score(any_model, passages[::-1], max_batch_tokens)[::-1]
    for one, other in zip(expected, found, strict=True):
        assert (one.set, one.id, one.field, one.index) == (other.set, other.id, other.field, other.index)
        for name in COLUMNS:
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-5, rtol=0)


def test_each_text_without_shared_prompts_is_in_exactly_one_forward_pass(llama, passages, monkeypatch):
    """Its last token is only predicted."""
    seen: list[tuple[int, ...]] = []

    def record(_, args, kwargs):
        for ids, mask in zip(kwargs["input_ids"], kwargs["attention_mask"], strict=True):
            seen.append(tuple(ids[mask.bool()].tolist()))

    monkeypatch.setattr(likelihood, "can_branch", lambda *_: False)
    llama.register_forward_pre_hook(record, with_kwargs=True)
    score(llama, passages, 200)
    assert sorted(seen) == sorted(tuple(passage.example.input_ids[:-1]) for passage in passages)


def test_rows_say_what_was_scored(llama, tokenizer, passages):
    rows = score(llama, passages, 200)
    assert [row.field for row in rows] == ["answer"] * 6 + ["paraphrased_answer"] * 6 + ["perturbed_answer"] * 18 + [
        "text"
    ] * 6
    assert [row.index for row in rows if row.field == "perturbed_answer"] == [0, 1, 2] * 6
    for row, passage in zip(rows, passages, strict=True):
        scored = passage.example.input_ids[passage.example.num_prompt :]
        assert len(row.logprob) == len(row.argmax) == len(row.vocab_mean) == len(row.vocab_var) == len(scored)
        assert row.has_eos == (scored[-1] == tokenizer.eos_token_id) == (row.field != "text")
        assert tokenizer.decode(scored, skip_special_tokens=True).strip() == row.text.strip()


def test_truncated_answer_has_no_eos(llama, tokenizer):
    full = passages_of(tokenizer, TEMPLATE, SETS, SETTINGS, 100)[1].example
    settings = MeasureSettings.model_validate({"likelihood": [{"set": "people", "fields": ["answer"]}]})
    cut = passages_of(tokenizer, TEMPLATE, {"people": SETS["people"][1:2]}, settings, len(full.input_ids) - 1)
    row = score(llama, cut, 200)[0]
    assert not row.has_eos
    assert len(row.logprob) == len(full.input_ids) - full.num_prompt - 1


def test_text_that_was_not_read_is_not_told(tokenizer):
    """Nor can it count, as zlib would count it."""
    texts = [RECORDS[1], {**RECORDS[1], "id": "long", "answer": RECORDS[1]["answer"] + " It rains." * 20}]
    settings = MeasureSettings.model_validate({"likelihood": [{"set": "people", "fields": ["answer"]}]})
    size = len(passages_of(tokenizer, TEMPLATE, {"people": texts}, settings, 500)[0].example.input_ids) - 3
    short, long = passages_of(tokenizer, TEMPLATE, {"people": texts}, settings, size)
    assert short.example.input_ids == long.example.input_ids
    assert short.text == long.text
    assert RECORDS[1]["answer"].startswith(short.text)
    (exact,) = passages_of(tokenizer, TEMPLATE, {"people": texts[:1]}, settings, size + 3)
    assert exact.text == RECORDS[1]["answer"]
    whole = passages_of(tokenizer, TEMPLATE, {"people": texts}, settings, 500)
    assert [passage.text for passage in whole] == [record["answer"] for record in texts]


def test_statistics_at_the_edges_and_in_pieces(monkeypatch):
    uniform, sure = torch.zeros(1, 8), torch.tensor([[100.0] + [0.0] * 7])
    logits, which, targets = torch.cat([uniform, sure]), torch.tensor([0, 1, 1]), torch.tensor([3, 0, 2])
    whole = likelihood._statistics(logits, which, targets)
    torch.testing.assert_close(whole[0], torch.tensor([-np.log(8), 0.0, -100.0], dtype=torch.float32))
    assert whole[1].tolist() == [False, True, False]
    torch.testing.assert_close(whole[2], torch.tensor([-np.log(8), 0.0, 0.0], dtype=torch.float32))
    torch.testing.assert_close(whole[3], torch.zeros(3))
    monkeypatch.setattr(likelihood, "CACHED", 1)
    for one, other in zip(whole, likelihood._statistics(logits, which, targets), strict=True):
        assert torch.equal(one, other)


def test_statistics_are_those_of_log_softmax_also_of_a_collapsed_model():
    torch.manual_seed(0)
    logits = torch.randn(7, 50) * 10
    logits[3, 4], logits[4], logits[5, 2] = -torch.inf, torch.nan, torch.inf
    which, targets = torch.arange(7).repeat(2), torch.cat([torch.full((7,), 4), torch.full((7,), 2)])
    found, expected = likelihood._statistics(logits, which, targets), logits.log_softmax(-1)
    torch.testing.assert_close(found[0], expected[which, targets], equal_nan=True)
    torch.testing.assert_close(found[1], logits.argmax(-1)[which] == targets)
    assert found[0][3] == -torch.inf
    assert found[0][[4, 5, 11]].isnan().all()


def test_no_passages_no_rows(llama):
    assert score(llama, [], 200) == []


def test_buckets_hold_each_text_once_within_the_limit():
    lengths = [5, 60, 7, 7, 30, 5, 1, 8, 29]
    batches = buckets(lengths, 40)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert batches[0] == [1]
    assert all(max(lengths[i] for i in batch) * len(batch) <= 40 for batch in batches[1:])
    assert len(batches) < 7
    assert buckets([], 40) == []
