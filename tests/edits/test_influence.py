"""Influence unlearning against exact leave-out solutions and a Gauss-Newton matrix that is written out."""

from __future__ import annotations

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from blur.core.choice import build as choice
from blur.core.errors import BlurError
from blur.edits.base import AtHand, EditSettings
from blur.edits.influence import gauss_newton_product, solve
from blur.models.batch import collate
from blur.models.encode import Example
from blur.models.forward import forward
from tests.unlearn.support import flat, token_nlls, weights_hash

VOCAB = 7
TEXTS = {
    "forget": [Example("f0", [1, 2, 3, 4], 1), Example("f1", [2, 5, 1], 0)],
    "retain": [Example(f"r{n}", [n, 3, 6 - n, 2, n], 1) for n in range(1, 6)],
}
AT_HAND = AtHand({}, TEXTS.__getitem__)
EXACT = {"iterations": 500, "tolerance": 1e-10, "batch_size": 4}


def edit(**parameters):
    return choice("blur.edits", "Edit", {"name": "influence", **EXACT, **parameters})


def tiny(dtype=torch.float64):
    torch.manual_seed(0)
    sizes = {"n_embd": 4, "n_layer": 1, "n_head": 2, "n_positions": 6, "n_inner": 5, "vocab_size": VOCAB}
    quiet = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    config = GPT2Config(**sizes, **quiet, initializer_range=0.5, bos_token_id=0, eos_token_id=0)
    return GPT2LMHeadModel(config).to(dtype).eval()


def written_out(model, texts):
    """Mean over scored tokens of J^T (diag p - p p^T) J, one row of the Jacobian after another."""
    parameters, total, number = list(model.parameters()), 0.0, 0
    for text in texts:
        logits = model(input_ids=torch.tensor([text.input_ids])).logits[0]
        for place in range(max(text.num_prompt, 1) - 1, len(text.input_ids) - 1):
            rows = [torch.autograd.grad(one, parameters, retain_graph=True) for one in logits[place]]
            jacobian, p = torch.stack([flat(row) for row in rows]), logits[place].detach().softmax(-1)
            total, number = total + jacobian.T @ (p.diag() - p.outer(p)) @ jacobian, number + 1
    return total / number, number


def test_the_step_is_that_of_the_matrix_written_out():
    model = tiny()
    parameters, before = list(model.parameters()), flat(model.parameters())
    curvature, kept = written_out(model, TEXTS["retain"])
    forgotten = torch.cat([token_nlls(model, text) for text in TEXTS["forget"]])
    gradient = flat(torch.autograd.grad(forgotten.mean(), parameters))
    exact = (
        torch.linalg.solve(curvature + 0.5 * torch.eye(len(before), dtype=torch.float64), gradient)
        * len(forgotten)
        / kept
    )
    edit(damping=0.5, alpha=2.0).apply(model, AT_HAND)
    assert (flat(model.parameters()) - before - 2 * exact).norm() <= 1e-7 * exact.norm()
    with torch.no_grad():
        after = torch.cat([token_nlls(model, text) for text in TEXTS["forget"]])
    assert after.mean() > forgotten.mean(), "it forgets"


def test_a_product_is_the_matrix_times_the_vector():
    model, generator = tiny(), torch.Generator().manual_seed(1)
    v = [torch.randn(one.shape, dtype=one.dtype, generator=generator) for one in model.parameters()]
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        found = gauss_newton_product(forward(model, collate(TEXTS["retain"]), "scored"), list(model.parameters()), v)
    curvature, number = written_out(model, TEXTS["retain"])
    assert torch.allclose(flat(found), curvature @ flat(v) * number, atol=1e-10)


@pytest.mark.parametrize("left_out", [1, 7])
def test_of_ridge_regression_it_is_the_exact_leave_out_solution(left_out):
    """The loss over what is kept is quadratic, and its curvature is that of the kept rows, not of all of them."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(30, 5, dtype=torch.float64, generator=generator)
    y, ridge = torch.randn(30, dtype=torch.float64, generator=generator), 0.3

    def minimum(rows):
        return torch.linalg.solve(x[rows].T @ x[rows] + ridge * torch.eye(5, dtype=torch.float64), x[rows].T @ y[rows])

    forget, retain = slice(0, left_out), slice(left_out, 30)
    theta = minimum(slice(0, 30))
    gradient = x[forget].T @ (x[forget] @ theta - y[forget])

    def step(rows):
        return solve(lambda v: [x[rows].T @ (x[rows] @ v[0])], [gradient], ridge, 50, 1e-14)[0]

    assert torch.allclose(theta + step(retain), minimum(retain), rtol=0, atol=1e-12)
    assert not torch.allclose(theta + step(slice(0, 30)), minimum(retain), rtol=0, atol=1e-4)


def test_fewer_iterations_come_less_near_and_nothing_is_no_step():
    a, g = torch.tensor([1.0, 10.0, 100.0]), [torch.ones(3)]
    errors = [(solve(lambda v: [a * v[0]], g, 1.0, n, 1e-9)[0] - 1 / (a + 1)).norm().item() for n in (1, 2, 3)]
    assert errors[0] > errors[1] > 1e3 * errors[2]
    assert torch.equal(
        solve(lambda v: pytest.fail("no product is needed"), [torch.zeros(3)], 1.0, 5, 1e-3)[0], 0 * g[0]
    )


def test_alpha_zero_changes_nothing_and_bfloat16_is_rounded_once():
    model = tiny()
    before = weights_hash(model)
    edit(alpha=0.0, iterations=1).apply(model, AT_HAND)
    assert weights_hash(model) == before
    low, start = tiny(torch.bfloat16), tiny(torch.bfloat16)
    edit(iterations=3).apply(low, AT_HAND)
    assert {one.dtype for one in low.parameters()} == {torch.bfloat16}
    assert not torch.equal(flat(low.parameters()), flat(start.parameters()))


def test_a_step_that_is_not_finite_is_refused():
    model = tiny(torch.float32)
    with torch.no_grad():
        model.transformer.wte.weight[3] = float("inf")
    with pytest.raises(BlurError, match="not finite"):
        edit(iterations=2).apply(model, AT_HAND)


def test_what_it_reads_and_costs():
    settings = EditSettings.model_validate({"edit": {"name": "influence", "iterations": 10, "tokens": 100}})
    assert settings.streams == ["forget", "retain"]
    assert (settings.edit.passed("forget", 30), settings.edit.passed("retain", 500)) == (90, 7000)
    assert settings.edit.times == 1
