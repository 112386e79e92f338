"""Texts after one prompt as a tree: every number as if each text stood alone, and each token computed once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from blur.measure import likelihood, tree
from blur.measure.likelihood import Passage, score
from blur.measure.tree import LARGEST, can_branch, inputs_of, trees_of
from blur.models.encode import Example
from tests.measure.conftest import sharpen
from tests.tiny import VOCAB, build

COLUMNS = ("logprob", "vocab_mean", "vocab_var")
SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
OTHERS = {
    "bloom": {"hidden_size": 16, "n_layer": 2, "n_head": 2},
    "falcon": SMALL,
    "mpt": {"d_model": 16, "n_layers": 2, "n_heads": 2},
    "gpt_neo": {"hidden_size": 16, "num_layers": 2, "num_heads": 2, "attention_types": [[["global", "local"], 1]]},
    "mamba": {"hidden_size": 16, "num_hidden_layers": 2, "state_size": 4},
}


def other(family, **changes):
    config = AutoConfig.for_model(family, vocab_size=VOCAB, **OTHERS[family], **changes)
    return AutoModelForCausalLM.from_config(config)


BRANCHING = {
    "llama": lambda: build("llama"),
    "gpt2": lambda: build("gpt2"),
    "gpt_neox": lambda: build("gpt_neox"),
    "opt": lambda: build("opt"),
    "phi": lambda: build("phi"),
    "falcon": lambda: other("falcon"),
    "gemma2": lambda: build("gemma2"),
    "mistral": lambda: build("mistral", sliding_window=32),
}
PLAIN = {
    "mistral": lambda: build("mistral"),
    "gemma2": lambda: build("gemma2", sliding_window=8),
    "bloom": lambda: other("bloom"),
    "falcon": lambda: other("falcon", alibi=True),
    "mpt": lambda: other("mpt"),
    "gpt_neo": lambda: other("gpt_neo", window_size=8),
    "mamba": lambda: other("mamba"),
}


def passage(name, tokens, num_prompt):
    return Passage("s", "answer", 0, "", Example(name, tokens, num_prompt), False)


@pytest.fixture
def passages():
    """Four answers to each of three prompts, some alike at their beginning, one twice; and three texts alone."""
    draw = torch.Generator().manual_seed(0)

    def tokens(count):
        return torch.randint(1, VOCAB, (count,), generator=draw).tolist()

    found = []
    for place in range(3):
        prompt, answer = tokens(4 + place), tokens(6)
        answers = [answer, answer[:4] + tokens(3), answer, tokens(1)]
        found += [passage(f"q{place}", prompt + one, len(prompt)) for one in answers]
    return found + [passage(f"t{place}", tokens(9 + place), 0) for place in range(3)]


def definition(model, example):
    """Log-probabilities of one text alone, without mask or padding."""
    with torch.no_grad():
        logp = model(torch.tensor([example.input_ids])).logits[0, :-1].log_softmax(-1)[max(example.num_prompt, 1) - 1 :]
    p, targets = logp.exp(), torch.tensor(example.input_ids[max(example.num_prompt, 1) :])
    mean = (p * logp).sum(-1)
    columns = (logp.gather(1, targets[:, None])[:, 0], mean, (p * (logp - mean[:, None]) ** 2).sum(-1))
    return dict(zip(COLUMNS, (column.numpy() for column in columns), strict=True))


@pytest.mark.parametrize("family", sorted(BRANCHING))
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
def test_a_tree_gives_the_numbers_of_each_text_alone(family, dtype, tolerance, passages):
    """Half of the families compute norms or softmax in float32 whatever their weights."""
    model = BRANCHING[family]().to(dtype).eval()
    assert can_branch(model, 12)
    if family in ("llama", "gemma2", "mistral", "phi"):
        tolerance = max(tolerance, 1e-6)
    for batch_tokens in (1, 50, 10_000):
        for row, one in zip(score(model, passages, batch_tokens), passages, strict=True):
            for name, expected in definition(model, one.example).items():
                np.testing.assert_allclose(getattr(row, name), expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("family", sorted(PLAIN))
def test_a_model_that_knows_no_branches_takes_each_text_alone(family, passages):
    model = sharpen(PLAIN[family]())
    assert not can_branch(model, 12)
    for row, one in zip(score(model, passages, 50), passages, strict=True):
        for name, expected in definition(model, one.example).items():
            np.testing.assert_allclose(getattr(row, name), expected, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("family", ["mistral", "gpt_neo", "mpt"])
def test_these_models_would_go_wrong_as_trees(family, passages, monkeypatch):
    model = sharpen(PLAIN[family]())
    expected = score(model, passages, 50)
    monkeypatch.setattr(likelihood, "can_branch", lambda *_: True)
    found = score(model, passages, 50)
    assert max(np.abs(a.logprob - b.logprob).max() for a, b in zip(expected, found, strict=True)) > 1e-2


def test_an_adapter_around_a_model_branches_as_the_model(passages):
    from peft import LoraConfig, get_peft_model

    wrapped = get_peft_model(build("llama"), LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)).eval()
    assert can_branch(wrapped, 12)
    found, expected = score(wrapped, passages, 50), score(wrapped.merge_and_unload(), passages, 50)
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.logprob, two.logprob, atol=1e-6)


def test_each_distinct_beginning_goes_through_the_model_once(passages):
    model, seen = build("llama"), 0

    def count(_, args, kwargs):
        nonlocal seen
        ids, mask = kwargs["input_ids"], kwargs["attention_mask"]
        depths = kwargs.get("position_ids", torch.arange(ids.shape[1]).expand_as(ids))
        seen += sum(
            int(one.sum()) if mask.dim() == 2 else int(depth.count_nonzero()) + 1
            for one, depth in zip(mask, depths, strict=True)
        )

    model.register_forward_pre_hook(count, with_kwargs=True)
    score(model, passages, 40)
    examples = [one.example for one in passages]
    texts = [(tuple(one.input_ids[: one.num_prompt]) or one.id, one.input_ids[:-1]) for one in examples]
    assert seen == len({(prompt, *text[:end]) for prompt, text in texts for end in range(1, len(text) + 1)})
    assert seen < sum(len(text) for _, text in texts) - 3 * sum(
        len(prompt) for prompt in {prompt for prompt, _ in texts}
    )


def test_trees_hold_texts_after_the_same_prompt_up_to_a_size():
    prompt = list(range(10))
    examples = [Example(str(n), [*prompt, 100 + n, *range(50)], 10) for n in range(9)]
    examples += [
        Example("other", [*prompt[:-1], 77, 5], 10),
        Example("text", [1, 2, 3], 1),
        Example("text", [1, 2, 4], 1),
    ]
    found = trees_of(examples, True)
    assert sorted(itertools.chain.from_iterable(one.paths for one in found)) == list(range(12))
    assert [list(one.paths) for one in found[3:]] == [[9], [10], [11]]
    assert all(len(one.tokens) <= LARGEST for one in found)
    assert len(found[0].tokens) == 10 + 50 * len(found[0].paths)
    for one in found:
        for number, path in one.paths.items():
            assert [one.tokens[node] for node in path] == examples[number].input_ids[:-1]
            assert [one.depths[node] for node in path] == list(range(len(path)))
    assert all(not one.branches for one in trees_of(examples, False))
    assert trees_of([], True) == []


def test_masks_show_each_node_what_is_above_it():
    examples = [Example("a", [7, 8, 1, 2, 0], 2), Example("b", [7, 8, 3, 0], 2), Example("c", [9, 9, 9, 0], 2)]
    inputs = inputs_of(trees_of(examples, True), build("llama"))
    assert inputs["input_ids"].tolist() == [[7, 8, 1, 2, 3], [9, 9, 9, 0, 0]]
    assert inputs["position_ids"].tolist() == [[0, 1, 2, 3, 2], [0, 1, 2, 0, 0]]
    seen = (inputs["attention_mask"][:, 0] == 0).int()
    assert seen[0].tolist() == [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 0, 0, 1]]
    assert seen[1, :3, :3].tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert (seen.sum(-1) > 0).all()


@pytest.mark.parametrize("tokens", [[3], [3, 4]])
def test_the_shortest_texts(tokens):
    (row,) = score(build("llama"), [passage("a", tokens, 0)], 10)
    assert len(row.logprob) == len(tokens) - 1


def test_a_wrong_mask_is_seen(passages, monkeypatch):
    """The comparison above can fail: branches that see each other change the numbers."""
    model = build("llama")
    expected = score(model, passages, 10_000)
    monkeypatch.setattr(tree, "_ancestry", lambda trees, size: np.tri(size, dtype=bool)[None].repeat(len(trees), 0))
    found = score(model, passages, 10_000)
    assert max(np.abs(a.logprob - b.logprob).max() for a, b in zip(expected, found, strict=True)) > 1e-5


def test_a_nan_in_one_answer_does_not_reach_another():
    """A collapsed model overflows at some token; a masked NaN would still be one."""
    model = build("llama")
    model.get_input_embeddings().weight.data[9] = torch.nan
    told = [passage("whole", [1, 2, 3, 4, 5, 6], 3), passage("spoilt", [1, 2, 3, 9, 5, 6], 3)]
    together = score(model, told, 100)
    alone = [score(model, [one], 100)[0] for one in told]
    assert not np.isnan(alone[0].logprob).any()
    np.testing.assert_allclose(together[0].logprob, alone[0].logprob, rtol=1e-6)
    np.testing.assert_array_equal(np.isnan(together[1].logprob), np.isnan(alone[1].logprob))
