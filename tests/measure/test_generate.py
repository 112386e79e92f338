from __future__ import annotations

import pytest
import torch

from blur.measure.generate import Generation, generate
from blur.models.encode import encode_prompt
from tests.measure.conftest import RECORDS, TEMPLATE

EOS = 1


@pytest.fixture
def prompts(tokenizer):
    return [encode_prompt(tokenizer, TEMPLATE.render(record["question"])) for record in RECORDS]


def plain(model, prompt, max_new_tokens, stop):
    """Greedy decoding by the definition: no cache, no batch, no padding."""
    ids, new = list(prompt), []
    for _ in range(max_new_tokens):
        with torch.no_grad():
            token = int(model(torch.tensor([ids])).logits[0, -1].argmax())
        if token == stop:
            return Generation(new, True)
        ids.append(token)
        new.append(token)
    return Generation(new, False)


def test_equals_one_prompt_at_a_time_without_cache(any_model, prompts):
    model = any_model
    assert len({len(prompt) for prompt in prompts}) > 1
    expected = [plain(model, prompt, 12, EOS) for prompt in prompts]
    assert len({tuple(generation.tokens) for generation in expected}) > 1
    for max_batch_tokens in (1, 100, 10_000):
        assert generate(model, prompts, 12, max_batch_tokens, EOS) == expected


def test_stops_at_eos_alone_and_in_a_batch(any_model, prompts):
    model = any_model
    free = [plain(model, prompt, 12, stop=-1).tokens for prompt in prompts]
    stop = free[0][4]
    model.generation_config.eos_token_id = None
    expected = [plain(model, prompt, 12, stop) for prompt in prompts]
    assert expected[0].finished
    assert len(expected[0].tokens) <= 4
    assert generate(model, prompts, 12, 10_000, stop) == expected


def test_further_eos_tokens_of_the_model_stop_too(llama, prompts):
    model = llama
    stop = plain(model, prompts[0], 12, -1).tokens[2]
    model.generation_config.eos_token_id = [EOS, stop]
    assert generate(model, prompts, 12, 10_000, EOS)[0] == plain(model, prompts[0], 12, stop)


def test_the_models_own_sampling_and_penalties_are_set_aside_and_kept(llama, prompts):
    expected = generate(llama, prompts, 12, 10_000, EOS)
    own = llama.generation_config
    own.do_sample, own.temperature, own.repetition_penalty, own.no_repeat_ngram_size = True, 9.0, 5.0, 1
    assert generate(llama, prompts, 12, 10_000, EOS) == expected
    assert llama.generation_config is own
    assert own.repetition_penalty == 5.0


def test_no_prompts(llama):
    assert generate(llama, [], 12, 100, EOS) == []
