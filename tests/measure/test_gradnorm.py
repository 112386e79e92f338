from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForCausalLM

from blur.measure import ghost, gradnorm
from blur.measure.batching import evaluation_mode
from blur.measure.ghost import UncoveredError, Use, ghost_squares, squared_norms
from blur.measure.gradnorm import _squared_norm, gradient_norms
from blur.measure.run import measure
from blur.measure.settings import MeasureSettings
from blur.models import Template
from blur.models.batch import collate
from blur.models.encode import Example, encode_record
from tests.measure.conftest import RECORDS, TEMPLATE, TEXTS, sharpen
from tests.tiny import FAMILIES, VOCAB, build

ANY = 10_000  # tokens of a batch that holds every text
LENGTHS = [(9, 3), (12, 1), (5, 4), (2, 1), (12, 6), (7, 0), (3, 1)]  # tokens, and how many of them are the prompt
# Tied and untied heads, biases, grouped keys, scaled embeddings, GPT-2's Conv1D and positions, OPT's flat rows.
IN_FLOAT32 = 8 * 2.0**-24  # Gemma's norm layers compute in float32, whatever the model: a few roundings each way
COVERED = ["llama", "llama tied", "llama shared layer", "llama lora", "gemma", *sorted(FAMILIES.keys() - {"llama"})]


def texts() -> list[Example]:
    """Random tokens, id 0 among them: the embedding's padding row, where a family has one."""
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randint(0, VOCAB, (size,), generator=generator).tolist() for size, _ in LENGTHS]
    drawn[0][5] = drawn[1][2] = drawn[1][3] = drawn[6][2] = 0
    return [Example(str(place), ids, LENGTHS[place][1]) for place, ids in enumerate(drawn)]


def made(name: str) -> nn.Module:
    """A tiny model in float64 whose weights make every token count."""
    family, _, change = name.partition(" ")
    if family in ("gemma", "mixtral"):
        fields = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2, "num_key_value_heads": 1}
        fields |= {"head_dim": 8, "num_hidden_layers": 2, "pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0}
        fields |= {"num_local_experts": 4, "experts_implementation": "eager"} if family == "mixtral" else {}
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, vocab_size=VOCAB, **fields))
    else:
        model = build(family, tie_word_embeddings=change in ("tied", "lora") or family == "gpt2")
    if change == "shared layer":
        model.model.layers[2] = model.model.layers[0]
    model = sharpen(model)
    if change == "lora":
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(r=2, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
        model = get_peft_model(model, config).eval()
    return model.double()


def by_autograd(model: nn.Module, example: Example) -> float:
    """The norm by ``backward``, from a text by itself."""
    model.zero_grad()
    with evaluation_mode(model, parameters_require_grad=True):
        ids, labels = torch.tensor([example.input_ids]), torch.tensor(example.labels)
        cross_entropy(model(ids, use_cache=False).logits[0, :-1], labels[1:], ignore_index=-100).backward()
    norm = math.sqrt(sum(float((one.grad.double() ** 2).sum()) for one in model.parameters() if one.grad is not None))
    model.zero_grad()
    return norm


def ghost_norms(model: nn.Module, examples: list[Example]) -> list[float]:
    with evaluation_mode(model, parameters_require_grad=True):
        return ghost_squares(model, collate(examples)).sqrt().tolist()


@pytest.mark.parametrize("name", COVERED)
def test_ghost_norms_equal_autograd_in_float64(name):
    model = made(name)
    expected = [by_autograd(model, text) for text in texts()]
    assert ghost_norms(model, texts()) == pytest.approx(expected, rel=IN_FLOAT32 if "gemma" in name else 1e-12)


def test_what_is_not_covered_goes_one_by_one():
    """Mixtral's experts are one tensor of three dimensions."""
    model = made("mixtral")
    with pytest.raises(UncoveredError):
        ghost_norms(model, texts())
    expected = [by_autograd(model, text) for text in texts()]
    calls = []
    assert gradient_norms(model, texts(), ANY, lambda *call: calls.append(call)) == pytest.approx(expected, rel=1e-12)
    assert calls == [(done, 7, "gradient norm") for done in range(1, 8)]


def test_float32_is_near_float64_and_nothing_goes_one_by_one(any_model, tokenizer, monkeypatch):
    monkeypatch.setattr(gradnorm, "_one_by_one", lambda *_: pytest.fail("not covered"))
    examples = [encode_record(tokenizer, TEMPLATE, record, 100) for record in RECORDS]
    found = gradient_norms(any_model, examples, 60)
    model = any_model.double()
    assert found == pytest.approx([by_autograd(model, example) for example in examples], rel=1e-5)


@pytest.mark.parametrize("name", ["llama tied", "gpt2"])
def test_does_not_depend_on_the_texts_around_it(name):
    model, examples = made(name), texts()
    alone = gradient_norms(model, examples, 1)
    assert gradient_norms(model, examples, ANY) == pytest.approx(alone, rel=1e-12)
    assert gradient_norms(model, examples[::-1], 25)[::-1] == pytest.approx(alone, rel=1e-12)
    assert gradient_norms(model, examples[3:4], ANY) == pytest.approx(alone[3:4], rel=1e-12)


def test_texts_without_a_scored_token_have_none():
    model, examples = made("llama"), texts()
    empty = [Example("a", [5], 0), Example("b", [5, 6, 7], 3)]
    assert gradient_norms(model, empty, ANY) == [None, None]
    assert gradient_norms(model, [], ANY) == []
    mixed = gradient_norms(model, [empty[0], *examples, empty[1]], ANY)
    assert mixed == [None, *gradient_norms(model, examples, ANY), None]


# Faults that must be seen.


def without_cross_terms(uses):
    return torch.stack([squared_norms([use]) for use in uses]).sum(0)


def test_a_lost_cross_term_would_be_seen(monkeypatch):
    model = made("llama tied")
    expected = [by_autograd(model, text) for text in texts()]
    monkeypatch.setattr(ghost, "squared_norms", without_cross_terms)
    wrong = ghost_norms(model, texts())
    assert all(abs(norm / right - 1) > 1e-6 for norm, right in zip(wrong, expected, strict=True))
    assert gradient_norms(model, texts(), ANY) == pytest.approx(expected, rel=1e-12)  # autograd did not confirm it


def test_scored_padding_would_be_seen(monkeypatch):
    model = made("llama tied")
    expected = [by_autograd(model, text) for text in texts()]

    def padded(*given):
        batch = collate(*given)
        return replace(batch, labels=batch.labels.where(batch.attention_mask.bool(), batch.input_ids))

    with evaluation_mode(model, parameters_require_grad=True):
        wrong = ghost_squares(model, padded(texts())).sqrt().tolist()
    assert [abs(norm / right - 1) > 1e-3 for norm, right in zip(wrong, expected, strict=True)] == [
        size < 12 for size, _ in LENGTHS
    ]


def test_texts_that_act_on_each_other_go_one_by_one():
    model = made("llama")
    expected = [by_autograd(model, text) for text in texts()]
    model.model.layers[1].register_forward_hook(lambda module, inputs, output: output + output.mean(0))
    alone = [by_autograd(model, text) for text in texts()]
    assert alone != pytest.approx(expected, rel=1e-3)
    assert ghost_norms(model, texts()) != pytest.approx(alone, rel=1e-3)
    assert gradient_norms(model, texts(), ANY) == pytest.approx(alone, rel=1e-12)


def test_the_check_is_on_a_batch_of_several_texts():
    """The longest text is a batch of its own here, in which nothing can act on another."""
    model = made("llama")
    model.model.layers[1].register_forward_hook(lambda module, inputs, output: output + output.mean(0))
    sizes = sorted((len(text.input_ids) for text in texts()), reverse=True)
    assert sizes[0] < 2 * sizes[1]
    alone = [by_autograd(model, text) for text in texts()]
    for room in (sizes[0], 2 * sizes[1]):
        assert gradient_norms(model, texts(), room) == pytest.approx(alone, rel=1e-12)


@pytest.mark.parametrize(
    "use",
    [
        lambda weight, states: (states @ weight.T)[..., :16],
        lambda weight, states: torch.einsum("btd,vd->btv", states, weight)[..., :16],
        lambda weight, states: nn.functional.linear(states, weight[:16]),
    ],
)
def test_a_weight_used_behind_the_rules_is_not_missed(use):
    """The head's weight acts on the hidden states of a layer, in ways that have no rule."""
    model = made("llama tied")
    weight = model.lm_head.weight
    model.model.layers[0].register_forward_hook(lambda module, inputs, output: output + use(weight, output))
    with pytest.raises(UncoveredError):
        ghost_norms(model, texts())
    expected = [by_autograd(model, text) for text in texts()]
    assert gradient_norms(model, texts(), ANY) == pytest.approx(expected, rel=1e-12)


def test_a_weight_used_as_a_function_counts():
    """``linear`` with another module's weight is a use like any other: its cross terms count."""
    model = made("llama tied")
    weight = model.model.layers[0].self_attn.o_proj.weight
    model.model.layers[1].register_forward_hook(
        lambda module, inputs, output: output + nn.functional.linear(output, weight)
    )
    assert ghost_norms(model, texts()) == pytest.approx([by_autograd(model, text) for text in texts()], rel=1e-12)


# The sums by themselves.


@pytest.mark.parametrize("size", [2, 9])
@pytest.mark.parametrize("lookup", [False, True])
def test_squared_norms_equal_explicit_gradients(size, lookup, monkeypatch):
    """Two positions go through Gram matrices, nine through the gradients; a look-up through Gram matrices always."""
    generator = torch.Generator().manual_seed(2)
    n, m = 8, 7
    uses = [
        Use(*(torch.randn(3, length, width, dtype=torch.float64, generator=generator) for width in (n, m)))
        for length in (size, size - 1)
    ]
    if lookup:
        uses.append(Use(torch.randint(0, n, (3, size), generator=generator), uses[0].right.flip(1)))
    lefts = [nn.functional.one_hot(use.left, n).double() if use.is_lookup else use.left for use in uses]
    gradients = sum(left.mT @ use.right for left, use in zip(lefts, uses, strict=True))
    made_gradients = []
    monkeypatch.setattr(ghost, "_squares", lambda one, plain=ghost._squares: (made_gradients.append(1), plain(one))[1])
    assert torch.allclose(squared_norms(uses), gradients.square().sum((1, 2)), rtol=1e-12)
    assert bool(made_gradients) == (size == 9 and not lookup)


def test_small_squares_survive_beside_large_ones():
    """float32 would lose each of the small squares beside a large one; many of them add up."""
    values = torch.full((2**20,), 1e-4)
    values[0] = 1.0e2
    expected = pytest.approx(1e4 + (2**20 - 1) * float(values[1].double() ** 2), rel=1e-9)
    assert float(_squared_norm(values)) == expected
    assert float(ghost._squares(values[None])) == expected


# The model and the texts of a measurement.


def test_the_model_is_left_as_it_was_after_an_error_too():
    model = made("llama tied").train()
    next(model.parameters()).requires_grad_(False)
    stop = model.model.layers[1].register_forward_hook(lambda *_: 1 / 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            gradient_norms(model, texts(), ANY)
    stop.remove()
    gradient_norms(model, texts(), ANY)
    assert all(module.training and "forward" not in vars(module) for module in model.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert [one.requires_grad for one in model.parameters()] == [False] + [True] * (len([*model.parameters()]) - 1)
    assert all(one.grad is None for one in model.parameters())


def test_eos_does_not_count(llama, tokenizer):
    """An answer of nothing but EOS has no row; a cut answer and a raw text have no EOS to leave out."""
    records = {"people": [*RECORDS, {"id": "empty", "question": "Who is Bo?", "answer": ""}], "texts": TEXTS}
    settings = MeasureSettings.model_validate({"gradnorm": [{"set": "people"}, {"set": "texts"}]})
    template = Template(separator="")
    longest = len(encode_record(tokenizer, template, RECORDS[5], 100).input_ids)
    for max_length in (longest - 2, 100):
        found = measure(llama, tokenizer, template, records, settings, max_length)
        bare = template.model_copy(update={"add_eos": False})
        examples = [encode_record(tokenizer, bare, record, max_length) for record in RECORDS]
        expected = {example.id: by_autograd(llama, example) for example in examples}
        assert found.gradnorm("people") == pytest.approx(expected, rel=1e-5)
        counted = encode_record(tokenizer, template, RECORDS[0], max_length)
        assert by_autograd(llama, counted) != pytest.approx(expected["q0"], rel=1e-3)
        raw = {one["id"]: by_autograd(llama, encode_record(tokenizer, template, one, max_length)) for one in TEXTS}
        assert found.gradnorm("texts") == pytest.approx(raw, rel=1e-5)
