"""Every loss against its closed form (methods.md 11.2), and the faults of other codebases."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch.nn.functional import cross_entropy, kl_div, logsigmoid

from blur.core.choice import available
from blur.core.errors import BlurError
from blur.models.batch import collate
from blur.models.forward import Outputs, forward
from blur.models.hidden import HiddenStates
from blur.unlearn.batches import texts_of
from blur.unlearn.losses.base import Reference
from blur.unlearn.losses.rmu import control_vector
from blur.unlearn.references import reference_sums
from tests.unlearn.support import (
    VOCAB,
    examples,
    flat_gradient,
    loss,
    other_labels,
    paired,
    tiny_model,
    token_nlls,
    value,
)

TEXTS = examples(5, "f")
PAIRED = paired(TEXTS)
ALL = available("blur.unlearn.losses")
# What a token's NLL is multiplied by, of that NLL.
WEIGHTS = {"wga": lambda nll: (-nll).exp(), "satimp": lambda nll: (-5 * nll).exp() * (1 - (-nll).exp())}


@pytest.fixture(scope="module")
def sums(original):
    return reference_sums(original, PAIRED)


def by_hand(name, model, original):
    """The formulas of methods.md 11.1, one unpadded text at a time, in float64."""
    nlls = [token_nlls(model, text) for text in PAIRED]
    references = [token_nlls(original, text) for text in PAIRED]
    tokens = sum(len(nll) for nll in nlls)
    if name in ("nll", "ga"):
        return (1 if name == "nll" else -1) * sum(nll.sum() for nll in nlls) / tokens
    if name == "npo":
        terms = [-(2 / 0.1) * logsigmoid(0.1 * (n.sum() - r.sum())) for n, r in zip(nlls, references, strict=True)]
        return sum(terms) / len(PAIRED)
    if name == "dpo":
        terms = [-(2 / 0.1) * logsigmoid(0.1 * preference(text, model, original)).mean() for text in PAIRED]
        return sum(terms) / len(PAIRED)
    if name == "alternate_nll":
        others = [token_nlls(model, other) for text in PAIRED for other in text.alternates]
        return sum(nll.sum() for nll in others) / sum(len(nll) for nll in others)
    if name in ("random_labels", "adversarial_labels", "generic_labels"):
        return sum(token_nlls(model, text, other_labels(text)).sum() for text in PAIRED) / tokens
    if name in WEIGHTS:
        return -sum((WEIGHTS[name](nll.detach()) * nll).sum() for nll in nlls) / tokens
    if name == "simnpo":
        return sum(-(2 / 4.5) * logsigmoid(4.5 * n.mean()) for n in nlls) / len(PAIRED)
    total, number = 0.0, 0
    for text in PAIRED:
        ids = torch.tensor([text.input_ids])
        z, z_ref = model(input_ids=ids).logits[0], original(input_ids=ids).logits[0]
        answer = slice(max(text.num_prompt, 1) - 1, -1)  # what predicts it
        if name == "kl":
            p, q = z_ref.softmax(-1), z.softmax(-1)
            per_position = (p * (p / q).log()).sum(-1)[answer]
        elif name in ("undial", "ce_u"):
            first, truth = max(text.num_prompt, 1) - 1, torch.eye(VOCAB, dtype=torch.bool)[text.scored]
            taught = z_ref[first:-1] - 10 * truth if name == "undial" else z[first:-1].detach().masked_fill(truth, -1e9)
            per_position = -(taught.softmax(-1) * z[first:-1].log_softmax(-1)).sum(-1)
            per_position = torch.cat([0 * per_position[:1], per_position[1:]]) if name == "ce_u" else per_position
        elif name == "logit_margin":
            per_position = (z.max(-1).values - z.mean(-1))[answer] ** 2
        elif name == "entropy_hinge":
            p = z.softmax(-1)[answer]
            per_position = (0.7 * math.log(VOCAB) + (p * p.log()).sum(-1)).relu()
        elif name == "invariance":
            w = torch.ones((), dtype=torch.float64, requires_grad=True)
            risk = cross_entropy(w * z[answer], ids[0, answer.start + 1 :])
            per_position = torch.autograd.grad(risk, w, create_graph=True)[0][None] ** 2
        elif name == "rmu_adaptive":
            h, h_ref = (m(input_ids=ids, output_hidden_states=True).hidden_states[1][0] for m in (model, original))
            length = 5 * sum(state.norm() for state in h_ref) / len(h_ref)
            per_position = ((h - length * control_vector(0, "", 16)) ** 2).mean(-1)
        elif name in ("rmu", "activation_mse"):
            h, h_ref = (m(input_ids=ids, output_hidden_states=True).hidden_states[1][0] for m in (model, original))
            per_position = ((h - (20 * control_vector(0, "", 16) if name == "rmu" else h_ref)) ** 2).mean(-1)
        else:
            per_position = (-(2 / 0.1) * logsigmoid(0.1 * (z_ref - z))).mean(-1)
        total, number = total + per_position.sum(), number + len(per_position)
    return total / number


def preference(text, model, original):
    """By how much more the model has gained on each alternate than on the answer, in nats."""
    ratio, *others = (token_nlls(original, row).sum() - token_nlls(model, row).sum() for row in text.rows)
    return torch.stack(others) - ratio


@pytest.mark.parametrize("name", ALL)
def test_value_and_gradient_are_the_formula(name, model, original, sums):
    ours = value(loss(name), model, PAIRED, sums, original)
    theirs = by_hand(name, model, original)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)
    difference = flat_gradient(ours, model) - flat_gradient(theirs, model)
    assert difference.norm() < 1e-10


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("change", ["padding", "order", "split"])
def test_padding_order_and_split_change_nothing(name, change, model, original, sums):
    term, args = loss(name), (sums, original)
    whole = value(term, model, PAIRED, *args)
    if change == "padding":
        other = value(term, model, PAIRED, *args, extra_padding=9)
    elif change == "order":
        other = value(term, model, PAIRED[::-1], *args)
    else:
        units = {"sequence": lambda t: 1, "token": lambda t: len(t.input_ids) - max(t.num_prompt, 1)}
        unit = units.get(term.unit, lambda t: len(t.input_ids))
        parts = [PAIRED[:1], PAIRED[1:]]
        counts = [sum(map(unit, texts_of(part, term.texts))) for part in parts]
        values = [value(term, model, part, *args) for part in parts]
        other = sum(c * v for c, v in zip(counts, values, strict=True)) / sum(counts)
    assert other.item() == pytest.approx(whole.item(), rel=1e-13)
    assert (flat_gradient(other, model) - flat_gradient(whole, model)).norm() < 1e-12


def test_npo_at_the_reference_is_ga_on_sums(model):
    own, term = reference_sums(model, TEXTS), loss("npo", beta=0.3)
    ours = value(term, model, TEXTS, own)
    assert ours.item() == pytest.approx(2 / 0.3 * math.log(2), rel=1e-13)
    ascent = -sum(token_nlls(model, text).sum() for text in TEXTS) / len(TEXTS)
    assert (flat_gradient(ours, model) - flat_gradient(ascent, model)).norm() < 1e-10


def test_npo_tends_to_ga_as_beta_vanishes(model, sums):
    ours = value(loss("npo", beta=1e-6), model, TEXTS, sums)
    ascent = -sum(token_nlls(model, text).sum() for text in TEXTS) / len(TEXTS)
    direction = flat_gradient(ascent, model)
    assert (flat_gradient(ours, model) - direction).norm() < 1e-4 * direction.norm()
    offset = sum(sums[text.id] for text in TEXTS) / len(TEXTS)
    assert ours.item() - 2e6 * math.log(2) == pytest.approx(ascent.item() + offset, rel=1e-3)


def test_npo_weight_of_a_sequence(model, sums):
    text = TEXTS[:1]
    nll = token_nlls(model, text[0]).sum()
    weight = -2 * (1 - torch.sigmoid(0.5 * (nll.detach() - sums[text[0].id])))
    ours = flat_gradient(value(loss("npo", beta=0.5), model, text, sums), model)
    assert (ours - weight * flat_gradient(nll, model)).norm() < 1e-11


def test_simnpo_weight_is_at_most_one_and_falls_with_the_nll():
    nlls = torch.linspace(0, 5, 20, dtype=torch.float64)
    weights = []
    for nll in nlls:
        logits = torch.stack([torch.zeros((), dtype=torch.float64), (nll.exp() - 1).log()]).requires_grad_()
        outputs = Outputs(logits[None], torch.tensor([0]), torch.tensor([0]), 1)
        (gradient,) = torch.autograd.grad(loss("simnpo").numerator(outputs, Reference()).sum(), logits)
        (plain,) = torch.autograd.grad(-logits.log_softmax(-1)[0], logits)
        weights.append(-(gradient[0] / plain[0]).item() if plain[0] != 0 else 1.0)
    assert max(weights) <= 1 + 1e-12
    assert all(a >= b - 1e-12 for a, b in pairwise(weights))
    shifted = value(loss("simnpo", delta=0.7), tiny_model(), TEXTS[:1])
    mean = token_nlls(tiny_model(), TEXTS[0]).mean()
    assert shifted.item() == pytest.approx((-(2 / 4.5) * logsigmoid(4.5 * (mean - 0.7))).item(), rel=1e-12)


def test_kl_at_the_reference_is_zero_with_zero_gradient(model):
    ours = value(loss("kl"), model, TEXTS, None, model)
    assert abs(ours.item()) < 1e-14
    assert flat_gradient(ours, model).norm() < 1e-13


def test_kl_is_forward_not_reverse(model, original):
    forward_kl, reverse = (
        value(loss("kl"), model, TEXTS, None, original),
        value(loss("kl"), original, TEXTS, None, model),
    )
    assert abs(forward_kl - reverse) > 1e-3


def test_reference_sums_equal_the_loss_to_the_last_bit():
    single = tiny_model(dtype=torch.float32)
    sums = reference_sums(single, TEXTS, batch_size=len(TEXTS))
    outputs = forward(single, collate(TEXTS), "scored")
    assert outputs.nll_sums.tolist() == [sums[text.id] for text in TEXTS]
    assert single.training is False


def test_sequence_sums_keep_float32_rounding_out_of_the_sigmoid():
    """A sum near 1e3 in float32 is off by 6e-5; NPO's weight then moves by beta times that."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2000, VOCAB, generator=generator) * 4
    targets = torch.randint(VOCAB, (2000,), generator=generator)
    outputs = Outputs(logits, torch.zeros(2000, dtype=torch.int64), targets, 1)
    per_token = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    exact = math.fsum(per_token.tolist())
    assert outputs.nll_sums.item() == pytest.approx(exact, abs=1e-9)
    running = torch.zeros(())
    for nll in per_token:
        running = running + nll
    assert abs(running.item() - exact) > 1e-4


def test_a_missing_reference_is_an_error(model):
    outputs = forward(model, collate(TEXTS), "scored")
    with pytest.raises(BlurError, match="reference_sums"):
        loss("npo").numerator(outputs, Reference())


def test_one_token_and_equal_texts(model, sums):
    same = [type(TEXTS[0])(f"c{i}", TEXTS[0].input_ids, TEXTS[0].num_prompt) for i in range(3)]
    own = {text.id: sums[TEXTS[0].id] for text in same}
    for name in ("nll", "ga", "npo", "simnpo"):
        one = value(loss(name), model, TEXTS[:1], sums)
        assert value(loss(name), model, same, own).item() == pytest.approx(one.item(), rel=1e-13)
    short = [type(TEXTS[0])("s", [3, 5], 0)]
    assert value(loss("nll"), model, short).item() == pytest.approx(token_nlls(model, short[0]).item(), rel=1e-13)


# Faults of other codebases, each beside the faulty formula.


def test_blur_fault_1_raw_logit_npo_does_not_see_the_labels(model):
    """MUSE's form: at the reference every logit has the same gradient, whatever the text says."""
    outputs = forward(model, collate(TEXTS[:1]), "attended")
    logits = outputs.logits.detach().requires_grad_()

    def at(name, targets):
        known = Reference(torch.zeros(1, dtype=torch.float64), logits.detach())
        numerator = loss(name).numerator(Outputs(logits, outputs.rows, targets, 1), known)
        return torch.autograd.grad(numerator.sum(), logits)[0]

    other = (outputs.targets + 1) % VOCAB
    faulty = at("npo_logits", outputs.targets)
    assert faulty.std() < 1e-15
    assert torch.equal(faulty, at("npo_logits", other))
    assert at("npo", outputs.targets).std() > 1e-3
    assert not torch.allclose(at("npo", outputs.targets), at("npo", other))


def test_blur_fault_1_npo_logits_is_the_muse_formula_without_padding(model, original):
    batch = collate(TEXTS)
    z, z_ref = (m(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits for m in (model, original))
    faulty = -(2 / 0.15) * logsigmoid(0.15 * (z_ref - z)).mean()
    ours = value(loss("npo_logits", beta=0.15), model, TEXTS, None, original)
    assert abs(faulty - ours) > 1e-4, "padding counts in the reference code"
    single = value(loss("npo_logits", beta=0.15), model, TEXTS[:1], None, original)
    ids = torch.tensor([TEXTS[0].input_ids])
    muse = -(2 / 0.15) * logsigmoid(0.15 * (original(input_ids=ids).logits - model(input_ids=ids).logits)).mean()
    assert single.item() == pytest.approx(muse.item(), rel=1e-12)


def test_blur_fault_11_kl_on_raw_logits(model, original):
    batch = collate(TEXTS)
    keep = batch.positions("scored")
    z, z_ref = (m(input_ids=batch.input_ids).logits[keep] for m in (model, original))
    faulty = kl_div(z, z_ref, reduction="none", log_target=True).sum(-1).mean()
    ours = value(loss("kl"), model, TEXTS, None, original)
    shift = kl_div(z + 3, z_ref, reduction="none", log_target=True).sum(-1).mean()
    assert abs(faulty - shift) > 0.1, "the faulty form changes where the softmax does not"
    assert abs(faulty - ours) > 0.1
    assert ours >= 0


def test_blur_fault_22_npo_on_the_batch_mean(model, sums):
    """An NLL averaged over the batch before the log-sigmoid gives every sequence the same weight."""
    nlls = torch.stack([token_nlls(model, text).sum() for text in TEXTS])
    references = torch.tensor([sums[text.id] for text in TEXTS], dtype=torch.float64)
    faulty = -(2 / 0.1) * logsigmoid(0.1 * (nlls.mean() - references.mean()))
    ours = value(loss("npo"), model, TEXTS, sums)
    assert abs(faulty - ours) > 1e-2
    weights = 2 * (1 - torch.sigmoid(0.1 * (nlls - references)))
    assert weights.std() > 1e-2


def test_anchors_row_6_per_sequence_sums_over_counts_do_not_broadcast(model):
    """open-unlearning's RMU divides [B] by [B, 1]; a batch of two must be the mean of two batches of one."""
    pair = sorted(TEXTS, key=lambda text: len(text.input_ids))[:: len(TEXTS) - 1]
    nlls = [token_nlls(model, text) for text in pair]
    per_sequence = torch.stack([n.sum() for n in nlls])
    counts = torch.tensor([len(n) for n in nlls], dtype=torch.float64)
    assert abs((per_sequence / counts[:, None]).mean() - (per_sequence / counts).mean()) > 1e-2
    halves = [value(loss("simnpo"), model, [text]) for text in pair]
    assert value(loss("simnpo"), model, pair).item() == pytest.approx((sum(halves) / 2).item(), rel=1e-13)


def test_anchors_row_7_label_minus_100_indexes_no_vocabulary_entry(model):
    """With -100 read as an index, prompt and padding would be scored against token V - 100 (here: wrapped)."""
    batch = collate(TEXTS)
    scored = batch.positions("scored")
    assert scored.sum() == sum(len(token_nlls(model, text)) for text in TEXTS)
    outputs = forward(model, batch, "scored")
    assert (outputs.targets >= 0).all()
    assert outputs.targets.tolist() == batch.labels[:, 1:][batch.labels[:, 1:] != -100].tolist()


def test_anchors_row_8_kl_over_prompt_and_padding(model, original):
    batch = collate(TEXTS)
    z, z_ref = (m(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits for m in (model, original))
    per_position = kl_div(z.log_softmax(-1), z_ref.log_softmax(-1), reduction="none", log_target=True).sum(-1)
    ours = value(loss("kl"), model, TEXTS, None, original)
    assert abs(per_position.mean() - ours) > 1e-3
    assert per_position[batch.positions("scored")].mean().item() == pytest.approx(ours.item(), rel=1e-12)


def test_unlearn_simple_fault_mask_before_the_shift(model):
    """Counting labels before the shift counts the first token of a text, which nothing predicts."""
    text = next(text for text in TEXTS if text.num_prompt == 0)
    nll = token_nlls(model, text).sum()
    before, after = len(text.input_ids), len(text.input_ids) - 1
    faulty = -(2 / 0.5) * logsigmoid(0.5 * nll / before)
    ours = value(loss("simnpo", beta=0.5), model, [text])
    assert ours.item() == pytest.approx((-(2 / 0.5) * logsigmoid(0.5 * nll / after)).item(), rel=1e-12)
    assert abs(faulty - ours) > 1e-2


def of_logits(name, logits, target=0, **parameters):
    """A loss of one text with one scored position, and its gradient on the logits."""
    logits = torch.tensor([logits], dtype=torch.float64, requires_grad=True)
    outputs = Outputs(logits, torch.tensor([0]), torch.tensor([target]), 1)
    found = loss(name, **parameters).numerator(outputs, Reference()).sum()
    return found.item(), torch.autograd.grad(found, logits)[0][0]


def test_pdu_s_margin_draws_the_largest_logit_to_the_mean():
    """methods_2026.md 1.9: 2 m (1 at the argmax - 1 / V)."""
    z = [0.3, 2.0, -1.0, 0.7]
    margin = 2.0 - 0.5
    found, gradient = of_logits("logit_margin", z)
    assert found == pytest.approx(margin**2)
    assert gradient.tolist() == pytest.approx([2 * margin * ((v == 1) - 0.25) for v in range(4)])
    assert of_logits("logit_margin", [x + 7 for x in z])[0] == pytest.approx(found)
    assert of_logits("logit_margin", [0.4] * 4)[0] == 0


def test_blade_s_hinge_is_flat_above_its_entropy():
    """methods_2026.md 1.11: dH / dz_j = -p_j (log p_j + H), and nothing once H >= tau log V."""
    z = torch.tensor([3.0, 0.1, -0.4, 0.2], dtype=torch.float64)
    p = z.softmax(-1)
    entropy = -(p * p.log()).sum()
    found, gradient = of_logits("entropy_hinge", z.tolist(), tau=0.7)
    assert found == pytest.approx(0.7 * math.log(4) - entropy.item())
    assert torch.allclose(gradient, p * (p.log() + entropy), atol=1e-14)
    above, gradient = of_logits("entropy_hinge", z.tolist(), tau=entropy.item() / math.log(4) * 0.99)
    assert above == 0
    assert not gradient.any()


def test_invariance_is_nothing_for_uniform_logits():
    """methods_2026.md 2.2: d ce(w z, y) / dw at 1 = sum_v p_v z_v - z_y, which `by_hand` takes from autograd."""
    assert of_logits("invariance", [1.3] * 5)[0] == 0
    p = torch.tensor([2.0, 0.0]).double().softmax(-1)
    assert of_logits("invariance", [2.0, 0.0], 1)[0] == pytest.approx((2 * p[0].item()) ** 2)


def test_the_adaptive_target_grows_with_the_original_s_states():
    rows = torch.tensor([0, 0, 1])
    states = HiddenStates(torch.zeros(3, 4, dtype=torch.float64), rows, ("", ""), 2)
    known = torch.tensor([[3.0, 4, 0, 0], [0, 0, 0, 1], [0, 2, 0, 0]], dtype=torch.float64)
    # at states of zero the loss is the target's mean square: scale 5 times the mean lengths 3 and 2
    found = [loss("rmu_adaptive").numerator(states, Reference(known_hidden=k * known)) for k in (1, 2)]
    assert found[0].tolist() == pytest.approx([2 * 15**2 / 4, 10**2 / 4])
    assert (found[1] / found[0]).tolist() == pytest.approx([4, 4])
