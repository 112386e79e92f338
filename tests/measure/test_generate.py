from __future__ import annotations

import pytest
import torch

from blur.measure.cache import SHARED_FROM
from blur.measure.generate import Generation, generate
from blur.measure.sampling import Sampling
from blur.models import build_from_config
from blur.models.encode import encode_prompt
from tests.measure.conftest import RECORDS, TEMPLATE, sharpen
from tests.tiny import ARCHITECTURES

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


@pytest.fixture
def few_shot(tokenizer):
    """Prompts that share a long beginning and differ in the length of what follows."""
    beginning = "".join(f"Question: {r['question']}\nAnswer: {r['answer']}\n\n" for r in RECORDS[:3])
    return [encode_prompt(tokenizer, beginning + TEMPLATE.render(record["question"])) for record in RECORDS]


def sizes_of_forwards(model, run):
    """The shapes of the ids that go through the model while ``run`` runs."""
    sizes = []
    hook = model.register_forward_pre_hook(
        lambda _, args, kwargs: sizes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    run()
    hook.remove()
    return sizes


def test_a_shared_beginning_changes_nothing(any_model, few_shot):
    expected = [plain(any_model, prompt, 12, EOS) for prompt in few_shot]
    assert len({len(prompt) for prompt in few_shot}) > 1
    assert len({tuple(generation.tokens) for generation in expected}) > 1
    assert generate(any_model, few_shot, 12, 10_000, EOS) == expected
    assert generate(any_model, few_shot[:1] * 3, 12, 10_000, EOS) == expected[:1] * 3


def test_a_shared_beginning_goes_through_the_model_once(llama, few_shot):
    shared = next(i for i, tokens in enumerate(zip(*few_shot, strict=False)) if len(set(tokens)) > 1)
    assert shared >= SHARED_FROM
    sizes = sizes_of_forwards(llama, lambda: generate(llama, few_shot, 4, 10_000, EOS))
    rest = max(len(prompt) for prompt in few_shot) - shared
    assert sizes[:2] == [(1, shared), (len(few_shot), rest)]


def test_a_sliding_window_takes_the_plain_way(tokenizer, few_shot):
    model = sharpen(build_from_config(ARCHITECTURES["gemma2"] | {"sliding_window": 8}, tokenizer, seed=0))
    assert generate(model, few_shot, 12, 10_000, EOS) == [plain(model, prompt, 12, EOS) for prompt in few_shot]


def test_lora_around_a_model_generates_as_the_merged_model(llama, few_shot):
    from peft import LoraConfig, get_peft_model

    wrapped = get_peft_model(llama, LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
    found = generate(wrapped, few_shot, 12, 10_000, EOS)
    merged = wrapped.merge_and_unload()
    assert found == generate(merged, few_shot, 12, 10_000, EOS)


def test_what_is_drawn_for_a_prompt_does_not_depend_on_the_others(llama, prompts):
    def drawn(chosen, max_cache_tokens=10_000):
        sampling = Sampling(1.0, 3)
        return [new.tokens for new in generate(llama, chosen, 8, max_cache_tokens, EOS, sampling=sampling)]

    expected = drawn(prompts)
    assert len({tuple(tokens) for tokens in expected}) > 1
    assert drawn(prompts, 32) == expected
    assert drawn(prompts[::-1])[::-1] == expected
    assert [drawn([prompt])[0] for prompt in prompts] == expected


def test_samples_are_drawn_by_seed_and_leave_the_global_generator_alone(llama, prompts):
    def drawn(temperature, seed):
        return [new.tokens for new in generate(llama, prompts, 8, 1000, None, sampling=Sampling(temperature, seed))]

    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    assert drawn(2.0, 0) == drawn(2.0, 0) != drawn(2.0, 1)
    assert drawn(1e-5, 0) == drawn(1e-5, 1) == drawn(0.0, 0)
    assert torch.rand(1) == expected


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(1.0, 3)], ids=["greedy", "drawn"])
def test_answers_that_have_ended_leave_the_batch_and_change_no_other(llama, prompts, sampling):
    def made(chosen):
        return generate(llama, chosen, 12, 10_000, None, sampling=sampling)

    llama.generation_config.eos_token_id = None
    free = [new.tokens for new in made(prompts)]
    llama.generation_config.eos_token_id = [free[0][2], free[1][5], free[2][7]]
    expected = [made([prompt])[0] for prompt in prompts]
    assert len({len(new.tokens) for new in expected}) > 2
    found: list[Generation] = []
    rows = [size[0] for size in sizes_of_forwards(llama, lambda: found.extend(made(prompts)))]
    assert found == expected
    assert rows[0] == len(prompts) > rows[-1]
    assert rows == sorted(rows, reverse=True)
