"""Projections of hidden states: projectors, their first directions in closed form, requests in sequence, the bypass."""

from __future__ import annotations

import copy

import pytest
import torch
from safetensors.torch import load_file
from scipy.linalg import eigh

from blur.core.choice import build as choice
from blur.core.errors import ConfigError
from blur.models.anatomy import Built
from blur.models.batch import collate
from blur.models.hidden import hidden_states
from blur.models.projector import Projector
from blur.models.wrappers.projection import FILE, directions, generalised
from blur.unlearn.loop import train
from tests.architectures import build
from tests.unlearn.support import examples, paired, settings, streams, tiny_model, weights_hash

STREAMS = streams()
IDS = torch.tensor([[1, 2, 3, 4, 5]])
D = 6


def projection(**parameters):
    return choice("blur.models.wrappers", "Wrapper", {"name": "projection", "heights": [0.5], **parameters})


def projector(kept=0, rows=0):
    """A projector after a layer that passes its input on."""
    torch.manual_seed(0)
    part = Projector(torch.nn.Identity(), torch.linalg.qr(torch.randn(D, kept, dtype=torch.float64)).Q.T)
    part.rows = torch.nn.Parameter(torch.randn(rows, D, dtype=torch.float64)) if rows else None
    return part


@pytest.mark.parametrize(("kept", "rows"), [(0, 2), (2, 2), (3, 0), (2, 4)])
def test_it_is_an_orthogonal_projector_of_the_rank_that_is_left(kept, rows):
    part = projector(kept, rows)
    matrix = part(torch.eye(D, dtype=torch.float64)).detach()
    assert torch.allclose(matrix @ matrix, matrix, atol=1e-12)
    assert torch.allclose(matrix, matrix.T, atol=1e-12)
    assert torch.linalg.matrix_rank(part.basis.detach()) == kept + rows
    assert matrix.trace().item() == pytest.approx(D - kept - rows)
    states = torch.randn(3, 4, D, dtype=torch.float64)
    assert torch.allclose(part(states) @ part.basis.T, torch.zeros(3, 4, kept + rows, dtype=torch.float64), atol=1e-12)
    for gone in (part.kept, part.rows):
        assert gone is None or torch.allclose(gone @ matrix, torch.zeros_like(gone), atol=1e-12)


def test_without_a_direction_states_are_untouched():
    states = torch.randn(2, 3, D)
    assert projector()(states) is states


def test_the_gradient_goes_through_the_basis():
    part, states = projector(2, 2), torch.randn(3, D, dtype=torch.float64)
    rows = part.rows

    def value(given):
        q = torch.linalg.qr(torch.cat([part.kept, given]).T).Q.T
        return ((states - states @ q.T @ q) ** 3).sum()

    (part(states) ** 3).sum().backward()
    for place in ((0, 0), (1, 3)):
        step = torch.zeros_like(rows)
        step[place] = 1e-6
        with torch.no_grad():
            slope = (value(rows + step) - value(rows - step)) / 2e-6
        assert rows.grad[place].item() == pytest.approx(slope.item(), rel=1e-5)
    assert part.kept.grad is None


def test_gen_eig_directions_have_the_largest_ratio_of_the_two_moments():
    roots = torch.randn(2, D, D, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    forget, retain = (root @ root.T for root in roots)
    ridged = retain + 0.1 * retain.trace() / D * torch.eye(D, dtype=torch.float64)
    values, vectors = eigh(forget.numpy(), ridged.numpy())
    rows = generalised(forget, retain, 0.1, 2)
    assert len(rows) == 2
    for row, value, vector in zip(rows, values[::-1], vectors.T[::-1], strict=False):
        assert (row @ forget @ row / (row @ ridged @ row)).item() == pytest.approx(value)
        assert torch.cosine_similarity(row, torch.from_numpy(vector.copy()), 0).abs().item() == pytest.approx(1)
        assert row.norm().item() == pytest.approx(1)
    assert len(generalised(torch.diag(torch.eye(D, dtype=torch.float64)[2]), retain, 0.1, 4)) == 1, "no more are there"


def test_contrastive_directions_are_those_of_forget_that_retain_does_not_need():
    axes = torch.eye(D, dtype=torch.float64)
    forget = torch.diag(torch.tensor([9.0, 4.0, 1.0, 0.0, 0.0, 0.0], dtype=torch.float64))
    retain = torch.diag(torch.tensor([90.0, 0.0, 4.0, 6.0, 0.0, 0.0], dtype=torch.float64))
    assert torch.allclose(directions(forget, retain, 0.9, 1).abs(), axes[[1]])
    assert torch.allclose(directions(forget, retain, 0.9, 2).abs(), axes[[1, 2]]), "the third has 4% of retain"
    assert torch.allclose(directions(forget, retain, 1.0, 2).abs(), axes[[1]]), "all that retain has is spared"
    assert directions(forget, torch.eye(D, dtype=torch.float64), 1.0, 2).shape == (0, D)
    assert directions(0 * forget, retain, 0.9, 2).shape == (0, D)
    turn = torch.linalg.qr(torch.randn(D, D, dtype=torch.float64)).Q
    turned = directions(turn @ forget @ turn.T, turn @ retain @ turn.T, 0.9, 1)
    assert torch.allclose((turned @ turn[:, 1]).abs(), torch.ones(1, dtype=torch.float64))


@pytest.mark.parametrize("init", ["contrastive", "reference"])
def test_where_it_starts_is_read_off_the_states_after_the_layer(init):
    """Of 16 directions, two forget texts of one token span two: theirs, or what retain has besides, in closed form."""
    from blur.models.encode import Example

    forget = [Example("f0", [1], 0), Example("f1", [2], 0)]
    retain = examples(8, "r", 2)
    model, part = tiny_model(), projection(init=init, energy=0.5, rank=3)
    states = {
        name: torch.cat([hidden_states(model, collate([text]), "attended", 0).states for text in texts]).detach()
        for name, texts in (("forget", forget), ("retain", retain))
    }
    part.start(part.wrap(model), forget, retain)
    rows = model.transformer.h[0].projection.rows.detach()
    wanted, spared = ("retain", "forget") if init == "reference" else ("forget", "retain")
    _, s, v = torch.linalg.svd(states[spared], full_matrices=False)
    number = len(s) if init == "reference" else int(((s**2).cumsum(0) - s**2 < 0.5 * (s**2).sum()).sum())
    outside = states[wanted] - states[wanted] @ v[:number].T @ v[:number]
    expected = torch.linalg.svd(outside, full_matrices=False).Vh[:3]
    assert rows.shape == ((3, 16) if init == "reference" else (2, 16))
    assert torch.allclose(rows.T @ rows, expected.T @ expected, atol=1e-8)


def test_what_is_said_in_an_answer_s_place_is_no_forget_text() -> None:
    """Under a loss on pairs (IdkDPO) examples have alternates: their states are not to be taken out."""
    started = []
    for texts in (examples(4, "f", 1), paired(examples(4, "f", 1))):
        model, wrapper = tiny_model(), choice("blur.models.wrappers", "Wrapper", {"name": "projection"})
        wrapper.start(wrapper.wrap(model), texts, examples(5, "r", 2))
        started.append(torch.cat([p for name, p in model.named_parameters() if name.endswith("rows")]))
    assert torch.equal(*started)


def test_a_start_without_any_direction_is_refused():
    """Many forget texts span all directions, so that the authors' start has nothing but rounding left."""
    model, part = tiny_model(), projection(init="reference")
    with pytest.raises(ConfigError, match=r"wrapper.init: reference: .*no direction"):
        part.start(part.wrap(model), examples(40, "f", 1), examples(8, "r", 2))


@pytest.mark.parametrize("family", ["llama", "gpt2", "gpt_neox", "mixtral"])
def test_only_the_projection_learns_and_it_is_saved_and_put_back(family, tmp_path):
    model, plain = build(family), build(family)
    wrapper = {"name": "projection", "heights": [0.5, 1.0], "rank": 2, "energy": 0.5}
    config = settings("ga", "nll", "bilevel", wrapper=wrapper, steps=3)
    seen = []
    result = train(
        model,
        STREAMS,
        config,
        checkpoint_dir=tmp_path,
        on_epoch_end=lambda epoch, at: seen.append(at(input_ids=IDS).logits.detach()),
    )
    assert weights_hash(result.model) == weights_hash(plain)
    assert torch.equal(result.model(input_ids=IDS).logits, plain(input_ids=IDS).logits), "the bypass: all is back"
    assert not any(one._forward_hooks for one in result.model.modules())
    back = config.wrapper.around(plain, result.wrapper)
    assert torch.allclose(back(input_ids=IDS).logits, seen[-1], atol=1e-5)
    assert not torch.allclose(seen[-1], result.model(input_ids=IDS).logits, atol=1e-3)
    assert torch.equal(copy.deepcopy(back)(input_ids=IDS).logits, back(input_ids=IDS).logits)
    assert not any("projection" in name for name in (*back.state_dict(), *dict(back.named_parameters())))
    stored = load_file(result.wrapper / FILE)
    assert {name: tuple(one.shape) for name, one in stored.items()} == {"0": (2, 32), "1": (2, 32)}
    assert torch.allclose(stored["1"] @ stored["1"].T, torch.eye(2), atol=1e-6)
    assert weights_hash(config.wrapper.off(back, result.wrapper)) == weights_hash(build(family))


def test_what_is_planned_is_what_learns():
    model, part = build("llama"), projection(heights=[0.34, 1.0], rank=3, energy=0.5)
    planned = part.adds(Built(model))
    wrapped = part.wrap(model)
    part.start(wrapped, STREAMS["forget"], STREAMS["retain"])
    learns = {name: tuple(one.shape) for name, one in wrapped.named_parameters() if one.requires_grad}
    assert planned == learns
    assert part.layers(32) == [10, 31]
    assert [projection(heights=[h]).layers(4) for h in (0.1, 0.34, 0.67, 1)] == [[0], [0], [2], [3]]


def test_requests_in_sequence_keep_the_directions_of_those_before(tmp_path):
    first, second = (tmp_path / name for name in ("first", "second"))
    wrapper = {"name": "projection", "heights": [0.5], "rank": 2, "energy": 0.5}
    config = settings("ga", "nll", "weighted", wrapper=wrapper, steps=2)
    one = train(build("llama"), STREAMS, config, checkpoint_dir=first)
    model = config.wrapper.around(one.model, one.wrapper)
    texts = {**STREAMS, "forget": examples(5, "g", 9)}
    two = train(model, texts, config, checkpoint_dir=second)
    before, after = (load_file(result.wrapper / FILE)["0"] for result in (one, two))
    assert (before.shape, after.shape) == ((2, 32), (4, 32))
    assert torch.allclose(before @ after.T @ after, before, atol=1e-6)
    assert weights_hash(two.model) == weights_hash(build("llama"))


def test_relearning_moves_the_weights_and_not_the_projection(tmp_path):
    """The attacker's training goes on with the projection active, and frozen."""
    wrapper = {"name": "projection", "heights": [0.5], "rank": 2, "energy": 0.5}
    config = settings("ga", "nll", "weighted", wrapper=wrapper, steps=1)
    result = train(build("llama"), STREAMS, config, checkpoint_dir=tmp_path)
    model = config.wrapper.around(result.model, result.wrapper)
    basis = model.model.layers[0].projection.basis.clone()
    train(model, STREAMS, settings(None, "nll", "weighted", steps=1))
    assert weights_hash(model) != weights_hash(build("llama"))
    assert torch.equal(model.model.layers[0].projection.basis, basis)
    states = hidden_states(model, collate(STREAMS["forget"]), "attended", 0).states
    assert (states @ basis.T).abs().max() < 1e-5
