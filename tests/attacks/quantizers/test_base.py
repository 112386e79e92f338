"""What holds of every scheme: new model, old one untouched, embeddings and head left alone; and the collision rate."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch
from torch import nn

from blur.attacks.linears import quantized
from blur.attacks.quantizers.base import cannot_import, collision_rate
from blur.core.choice import available
from blur.core.errors import ArtifactError, ConfigError
from blur.models.maps import covered_share
from tests.architectures import build
from tests.attacks.models import TEXTS, gpt2, llama, logits, quantizer
from tests.unlearn.support import weights_hash

SCHEMES = {
    "rtn": quantizer("rtn"),
    "fp4": quantizer("bitsandbytes"),
    "nf4": quantizer("bitsandbytes", type="nf4"),
    "llm_int8": quantizer("bitsandbytes", type="int8"),
    "torchao_int4": quantizer("torchao", group_size=20),
    "torchao_int8": quantizer("torchao", type="int8"),
    "gptq": quantizer("gptq", group_size=20),
    "awq": quantizer("awq", group_size=20),
}


@pytest.fixture(params=SCHEMES)
def scheme(request):
    one = SCHEMES[request.param]
    if reason := one.unavailable():
        pytest.skip(reason)
    return one


def test_every_module_of_the_axis_is_tested_here():
    assert set(available("blur.attacks.quantizers")) == {one.name for one in SCHEMES.values()}


def test_schemes_are_listed_and_built_without_torch():
    code = (
        "import sys; from blur.core.choice import available, build; p = 'blur.attacks.quantizers';"
        "[build(p, 'Quantizer', name) for name in available(p)]; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("make", [llama, gpt2])
def test_a_new_model_close_to_the_old_one_which_stays_as_it_is(scheme, make, dtype):
    model = make(dtype=dtype).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    made = scheme.quantize(model, TEXTS)
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert model.training
    assert not made.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not {id(p) for p in made.parameters()} & {id(p) for p in model.parameters()}
    error = (logits(made) - logits(model.eval())).pow(2).mean()
    assert 0 < error < 0.3 * logits(model).var()  # FP4 is the coarsest: 0.24 on the Llama


@pytest.mark.parametrize("make", [llama, gpt2])
def test_only_linear_layers_change_and_tied_weights_stay_tied(scheme, make):
    model = make()
    made = scheme.quantize(model, TEXTS)
    assert made.get_output_embeddings().weight is made.get_input_embeddings().weight
    chosen = {linear.name for linear in quantized(model)}
    assert all(".layers." in name or ".h." in name for name in chosen)
    assert len(chosen) == (14 if make is llama else 8)
    others = dict(made.named_parameters())
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, others[name]) == (name not in chosen), name


def test_codes_have_the_shape_of_their_parameters(scheme):
    model = gpt2()
    codes = scheme.codes(model)
    assert codes.keys() == (set() if scheme.name in ("gptq", "awq") else {linear.name for linear in quantized(model)})
    for name, tensor in codes.items():
        assert tensor.shape == model.get_parameter(name).shape
        assert not tensor.is_floating_point()
        assert len(tensor.unique()) > 2
    assert math.isnan(collision_rate(codes, codes)) if not codes else collision_rate(codes, codes) == 1


@pytest.mark.parametrize("family", ["mixtral", "gpt_oss", "jamba"])
def test_each_expert_is_rounded_as_a_matrix_of_its_own(scheme, family):
    """But where a library has no layer for them: then the share of weights that is covered says so."""
    model = build(family)
    made, codes = scheme.quantize(model, TEXTS), scheme.codes(model)
    share = covered_share(model, {one.name for one in scheme.covers(model)})
    whole = (scheme.name not in ("gptq", "awq") and getattr(scheme, "type", "") != "int8") or scheme.name == "torchao"
    assert (share > 0.9) == whole
    turned = family == "gpt_oss"
    for name, weight in model.named_parameters():
        if not name.endswith(("experts.down_proj", "experts.gate_up_proj")):
            continue
        found = made.get_parameter(name)
        assert torch.equal(found, weight) != whole
        if whole:
            assert codes[name].shape == weight.shape
            matrix = weight[1].detach().t() if turned else weight[1].detach()
            expected = scheme.encode(matrix)
            for own, one in ((codes[name][1], expected[0]), (found[1], expected[1])):
                assert torch.equal(own.t() if turned else own, one)


def test_the_same_twice(scheme):
    assert torch.equal(logits(scheme.quantize(llama(), TEXTS)), logits(scheme.quantize(llama(), TEXTS)))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_weight_that_is_not_finite_is_named(scheme, value):
    model = llama()
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[3, 4] = value
    with pytest.raises(ArtifactError, match=r"up_proj.weight: 1 of 1536 entries are not finite"):
        scheme.quantize(model, TEXTS)


def test_a_weight_of_zeros_stays_zero(scheme):
    model = llama()
    nn.init.zeros_(model.model.layers[0].mlp.down_proj.weight)
    assert logits(scheme.quantize(model, TEXTS)).isfinite().all()


def test_the_head_is_quantized_where_asked_for_and_not_where_it_is_the_embedding():
    scheme = quantizer("rtn", include_head=True)
    model = llama(tied=False)
    made = scheme.quantize(model, [])
    assert "lm_head.weight" in scheme.codes(model)
    assert not torch.equal(made.lm_head.weight, model.lm_head.weight)
    assert torch.equal(made.model.embed_tokens.weight, model.model.embed_tokens.weight)
    assert "lm_head.weight" not in quantizer("rtn").codes(model)
    with pytest.raises(ConfigError, match="shares its weight"):
        scheme.quantize(llama(), [])


@pytest.mark.parametrize("name", ["gptq", "awq"])
def test_calibration_texts_are_asked_for(name):
    scheme = quantizer(name)
    if reason := scheme.unavailable():
        pytest.skip(reason)
    with pytest.raises(ConfigError, match="no calibration texts"):
        scheme.quantize(llama(), [])


def test_a_library_that_is_not_there_is_refused_with_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(ConfigError, match=r"bitsandbytes is not installed .*pip install 'blur-unlearning\[quant"):
        quantizer("bitsandbytes").quantize(llama(), [])
    assert cannot_import("math", "math") is None


def test_collisions_are_counted_over_all_tensors_jointly():
    one = {"a": torch.tensor([[1, 2, 3]]), "b": torch.tensor([4])}
    other = {"b": torch.tensor([4]), "a": torch.tensor([[1, 0, 0]])}
    assert collision_rate(one, other) == 2 / 4  # the mean of the tensors' rates would be 2 / 3
    assert collision_rate(one, one) == 1
    assert collision_rate({"a": torch.tensor([1])}, {"a": torch.tensor([2])}) == 0
    assert math.isnan(collision_rate({}, {}))


@pytest.mark.parametrize("other", [{}, {"a": torch.zeros(2, 3)}, {"a": torch.zeros(3), "b": torch.zeros(1)}])
def test_codes_of_another_architecture_are_refused(other):
    with pytest.raises(ArtifactError, match="differ in shape or name"):
        collision_rate({"a": torch.zeros(3)}, other)


def test_a_small_change_collides_and_a_large_one_does_not():
    original, near, far = llama(), llama(), llama(seed=1)
    with torch.no_grad():
        for parameter in near.parameters():
            parameter.add_(1e-5 * torch.randn_like(parameter))
    codes = {name: quantizer("rtn").codes(model) for name, model in (("o", original), ("n", near), ("f", far))}
    assert collision_rate(codes["n"], codes["o"]) > 0.99
    assert collision_rate(codes["f"], codes["o"]) < 0.3
    assert weights_hash(near) != weights_hash(original)
