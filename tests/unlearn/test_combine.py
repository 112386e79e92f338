"""The combination against the float64 closed form, the paper's facts about it, and the faults of the authors' code."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from blur.core.choice import build
from blur.unlearn.combine.base import NonFiniteGradient
from blur.unlearn.gradients import add_scaled, products

SHAPES = [(100, 60), (13000,), (7, 143)]
NAMES = ["a.weight", "a.bias", "b.weight"]
SIZE = sum(math.prod(shape) for shape in SHAPES)
UNIT = torch.finfo(torch.float64).eps / 2  # the relative error of one rounding in float64


def combination(name, **parameters):
    return build("blur.unlearn.combine", "Combine", {"name": name, **parameters})


def pieces(vector, dtype=torch.float32):
    parts = vector.split([math.prod(shape) for shape in SHAPES])
    return [part.reshape(shape).to(dtype).clone() for part, shape in zip(parts, SHAPES, strict=True)]


def join(tensors):
    return torch.cat([tensor.double().flatten() for tensor in tensors])


def exact(first, second):
    """The inner product of float32 (or coarser) entries, correctly rounded: each float64 product of two is exact."""
    return math.fsum((first.double().flatten() * second.double().flatten()).tolist())


def rounding(first, second):
    """How far a float64 sum of their products in any order, on any processor, may be from it: (n - 1) u sum |x y|."""
    products = first.double().flatten() * second.double().flatten()
    return products.numel() * UNIT * products.abs().sum().item() * (1 + 1e-9)


def exact_norm(vector):
    """Its norm, and how far one taken from a float64 sum of squares may be from it: half of the sum's, and two more."""
    square = exact(vector, vector)
    return math.sqrt(square), math.sqrt(square) * (rounding(vector, vector) / square / 2 + 2 * UNIT)


def exact_xi(gamma, first, second):
    """gamma - <first, second> / ||first||^2, and how far one taken from float64 sums may be from it."""
    square = exact(first, first)
    share = exact(first, second) / square
    slack = (rounding(first, second) + abs(share) * rounding(first, first)) / square + 2 * UNIT * (gamma + abs(share))
    return gamma - share, slack


def pair(cosine, ratio, seed=0, dtype=torch.float32):
    """Two sets of gradients at a given cosine and ratio of norms (retain over forget)."""
    generator = torch.Generator().manual_seed(seed)
    f, other = torch.randn(2, SIZE, dtype=torch.float64, generator=generator)
    other -= (other @ f) / (f @ f) * f
    f, other = f / f.norm(), other / other.norm()
    return pieces(f, dtype), pieces(ratio * (cosine * f + math.sqrt(1 - cosine**2) * other), dtype)


# Ratios that are not round: at cosine 0.3 and ratio 1000, xi - gamma = -300 is a float32 number and hides rounding.
SWEEP = [(c, r) for c in (-0.999, -0.9, -0.3, 0.0, 0.3, 0.9, 0.999) for r in (1e-3, 0.0123, 1.0, 123.4, 987.654, 1e3)]


@pytest.mark.parametrize("gamma", [1.0, 3.0])
@pytest.mark.parametrize("name", ["bilevel", "reversed"])
def test_equals_the_closed_form_over_cosines_and_norm_ratios(name, gamma):
    """Bar 3. Stored float32 entries alone leave about 3e-8 ||u|| / (gamma ||g|| sqrt(n)) in the identity."""
    for cosine, ratio in SWEEP:
        forget, retain = pair(cosine, ratio if name == "bilevel" else 1 / ratio)
        f, r = join(forget), join(retain)
        first, second = (f, r) if name == "bilevel" else (r, f)
        expected = second + (gamma - (first @ second) / (first @ first)) * first
        update, statistics = combination(name, gamma=gamma).combine(forget, retain, NAMES)
        u = join(update)
        assert (u - expected).norm() <= 1e-6 * expected.norm(), (cosine, ratio)
        descent = gamma * (first @ first)
        assert abs(first @ u - descent) <= 1e-6 * descent, (cosine, ratio)
        along = (f @ expected).item()
        assert statistics.promise == pytest.approx(along, rel=1e-9, abs=1e-12 * (f.norm() * expected.norm()).item())
        assert statistics.xi_over_gamma == pytest.approx(statistics.xi / gamma)
        assert statistics.update_norm == pytest.approx(expected.norm().item(), rel=1e-9)
        xi, slack = exact_xi(gamma, first, second)
        assert abs(statistics.xi - xi) <= slack
        assert abs(statistics.inner - exact(f, r)) <= rounding(f, r)
        assert statistics.cosine == pytest.approx(cosine, abs=1e-6)
        norm, slack = exact_norm(f)
        assert abs(statistics.forget_norm - norm) <= slack


def test_float32_arithmetic_would_miss_the_bar():
    """What float64 is for: xi in float32, or the part it loses added in a second pass, breaks the identity."""
    plain, twice, ours = [], [], []
    for cosine in (-0.71, -0.27, 0.13, 0.49):
        forget, retain = pair(cosine, 987.654)
        f32, r32 = (torch.cat([t.flatten() for t in side]) for side in (forget, retain))
        f64, r64 = f32.double(), r32.double()
        xi = (1 - f64 @ r64 / (f64 @ f64)).item()
        high = torch.tensor(xi).item()
        plain.append(r32 + (1.0 - torch.dot(f32, r32) / torch.dot(f32, f32)) * f32)
        twice.append(r32.add(f32, alpha=high).add(f32, alpha=xi - high))
        ours.append(join(combination("bilevel").combine(forget, retain, NAMES)[0]))
        for made in (plain, twice, ours):
            made[-1] = abs(f64 @ made[-1].double() / (f64 @ f64) - 1).item()
    assert max(plain) > 1e-6
    assert max(twice) > 1e-6
    assert max(ours) <= 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_products_are_exact(dtype):
    forget, retain = pair(-0.4, 30.0, dtype=dtype)
    forget[1], retain[2] = None, None
    blank = [torch.zeros(shape) for shape in SHAPES]
    full = [[b if t is None else t for t, b in zip(side, blank, strict=True)] for side in (forget, retain)]
    ours = products(forget, retain).sum(0)
    f, r = join(full[0]), join(full[1])
    for entry, first, second in ((ours[0, 0], f, f), (ours[0, 1], f, r), (ours[1, 1], r, r)):
        assert abs(entry.item() - exact(first, second)) <= rounding(first, second)


def test_foreach_norm_is_too_coarse():
    big = torch.rand(2_000_000, generator=torch.Generator().manual_seed(0)) + 1
    square = exact(big, big)
    assert abs(torch._foreach_norm([big])[0].item() ** 2 / square - 1) > 1e-6
    assert abs(products([big])[0, 0, 0].item() - square) <= rounding(big, big)


def test_large_and_transposed_tensors():
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 300, 700, generator=generator)
    for left in (first, first.t().contiguous().t()):
        assert abs(products([left], [second])[0, 0, 1].item() - exact(first, second)) <= rounding(first, second)
    target = second.t().contiguous().t()
    expected = (second.double() + 1000.00001 * first.double()).float()
    source = first.clone()
    assert torch.equal(add_scaled([target.clone()], [source], [1000.00001], 0.0, into=[source])[0], expected)
    moved = [target]
    assert add_scaled(moved, [first], [1000.00001], 0.0, into=moved) is moved
    assert torch.equal(target, expected)


def test_weighted_is_the_sum():
    forget, retain = pair(-0.5, 2.0)
    expected = join(forget) + 0.7 * join(retain)
    update, statistics = combination("weighted", lam=0.7).combine(forget, retain, NAMES)
    assert (join(update) - expected).norm() < 1e-7 * expected.norm()
    assert statistics.update_norm == pytest.approx(expected.norm().item(), rel=1e-7)
    assert statistics.xi is None
    assert statistics.cosine == pytest.approx(-0.5, abs=1e-6)


def test_bilevel_is_the_weighted_sum_at_one_over_xi():
    forget, retain = pair(-0.5, 2.0)
    copies = [[t.clone() for t in side] for side in (forget, retain)]
    update, statistics = combination("bilevel").combine(forget, retain, NAMES)
    summed, _ = combination("weighted", lam=1 / statistics.xi).combine(*copies, NAMES)
    assert (join(summed) * statistics.xi - join(update)).norm() < 1e-6 * join(update).norm()


def test_one_sided_clamps_only_a_negative_xi():
    for cosine, clamped in ((0.9, True), (-0.9, False)):
        forget, retain = pair(cosine, 10.0)
        r, f = join(retain), join(forget)
        update, statistics = combination("bilevel", one_sided=True).combine(forget, retain, NAMES)
        xi = 1 - (f @ r).item()
        assert (xi < 0) is clamped
        assert statistics.xi == pytest.approx(max(xi, 0.0), abs=1e-6)
        assert (join(update) - (r + max(xi, 0.0) * f)).norm() < 1e-6 * r.norm()
        assert statistics.update_norm == pytest.approx(join(update).norm().item(), rel=1e-6)


@pytest.mark.parametrize(("projection", "groups"), [("per_module", [(0, 1), (2,)]), ("per_tensor", [(0,), (1,), (2,)])])
def test_a_narrower_projection_projects_each_group_alone(projection, groups):
    forget, retain = pair(0.3, 5.0)
    f, r = [t.double() for t in forget], [t.double() for t in retain]
    update, statistics = combination("bilevel", projection=projection).combine(forget, retain, NAMES)
    for members in groups:
        fm, rm = (torch.cat([side[i].flatten() for i in members]) for side in (f, r))
        um = torch.cat([update[i].double().flatten() for i in members])
        expected = rm + (1 - (fm @ rm) / (fm @ fm)) * fm
        assert (um - expected).norm() < 1e-6 * expected.norm()
    assert statistics.xi == pytest.approx(1 - statistics.inner / statistics.forget_norm**2, rel=1e-9)
    assert statistics.update_norm == pytest.approx(join(update).norm().item(), rel=1e-6)
    whole, _ = combination("bilevel").combine(*pair(0.3, 5.0), NAMES)
    assert (join(whole) - join(update)).norm() > 1e-3


@pytest.mark.parametrize("name", ["bilevel", "reversed", "weighted"])
def test_update_is_made_in_place_of_the_retain_gradient_and_the_forget_gradient_stays(name):
    for missing in (None, 0, 1):
        g_f, g_r = pair(0.1, 987.654)
        if missing is not None:
            (g_f, g_r)[missing][0] = None
        pointers = [None if t is None else t.data_ptr() for t in g_r]
        before = [None if t is None else t.clone() for t in g_f]
        update, _ = combination(name).combine(g_f, g_r, NAMES)
        made = [t.data_ptr() for t in update]
        assert all(ours == there for ours, there in zip(made, pointers, strict=True) if there is not None)
        update[0].mul_(2)  # as clipping does
        for stayed, was in zip(g_f, before, strict=True):
            assert (stayed is None and was is None) or torch.equal(stayed, was)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["bilevel", "reversed", "weighted"])
def test_what_is_not_finite_is_refused(name, bad):
    for position, side in enumerate(("forget", "retain")):
        gradients = pair(0.1, 1.0)
        gradients[position][1][5] = bad
        with pytest.raises(NonFiniteGradient, match=side):
            combination(name).combine(*gradients, NAMES)


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    gamma=st.floats(0.01, 10),
    logs=st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
    mix=st.floats(-3, 3),
)
def test_the_papers_five_helper_facts(seed, gamma, logs, mix):
    """Facts listed in blur_paper.md 2.4, with C the larger of the two norms."""
    generator = torch.Generator().manual_seed(seed)
    f, r = torch.randn(2, 50, dtype=torch.float64, generator=generator)
    f, r = f * 10 ** logs[0], (r + mix * f) * 10 ** logs[1]
    update, statistics = combination("bilevel", gamma=gamma).combine([f.clone()], [r.clone()], ["w"])
    u, xi, ff = update[0], statistics.xi, (f @ f).item()
    bound = max(f.norm(), r.norm()).item()
    slack = 1e-9 * (1 + gamma) * max(ff, bound**2)
    assert (f @ u).item() == pytest.approx(gamma * ff, abs=slack)
    assert u.norm() <= (2 + gamma) * bound * (1 + 1e-9)
    assert xi * ff <= gamma * ff + bound * math.sqrt(ff) + slack
    assert xi * (f @ u).item() <= gamma**2 * ff + bound * gamma * math.sqrt(ff) + slack * (1 + abs(xi))
    assert (r @ u).item() >= (u @ u).item() - gamma**2 * ff - bound * gamma * math.sqrt(ff) - slack * (1 + gamma)


# Faults of the authors' code (blur_paper.md section 9).


def test_blur_faults_6_and_25_products_in_bfloat16():
    forget, retain = pair(0.3, 3.0, dtype=torch.bfloat16)
    f, r = join(forget), join(retain)
    low = [torch.cat([t.flatten() for t in side]) for side in (forget, retain)]
    xi, slack = exact_xi(1.0, f, r)
    faulty = 1 - (low[0] * low[1]).sum() / (low[0] * low[0]).sum()
    assert abs(faulty.double() - xi) > 1e-4
    _, statistics = combination("bilevel").combine(forget, retain, NAMES)
    assert abs(statistics.xi - xi) <= slack


def test_blur_fault_7_a_vanished_forget_gradient():
    _, retain = pair(0.0, 1.0)
    expected = join(retain)
    zero = [torch.zeros_like(t) for t in retain]
    assert not math.isfinite((1 - torch.tensor(0.0) / torch.tensor(0.0)).item())
    update, statistics = combination("bilevel").combine(zero, retain, NAMES)
    assert torch.equal(join(update), expected)
    assert statistics.xi is None
    assert statistics.cosine is None
    norm, slack = exact_norm(expected)
    assert abs(statistics.update_norm - norm) <= slack


def test_blur_fault_7_a_forget_gradient_near_nothing():
    """||f||^2 underflows in float32, and xi does not fit it; the direction is defined all the same."""
    forget, retain = pair(0.5, 1.0)
    forget = [t * 2.0**-100 for t in forget]
    f, r = join(forget), join(retain)
    assert torch.cat([t.flatten() for t in forget]).square().sum() == 0
    update, statistics = combination("bilevel").combine(forget, retain, NAMES)
    expected = r + (1 - (f @ r) / (f @ f)) * f
    assert (join(update) - expected).norm() < 1e-6 * expected.norm()
    assert math.isfinite(statistics.xi)


def test_blur_fault_8_parameters_without_gradient():
    forget, retain = pair(0.3, 2.0)
    f, r = join(forget), join(retain)
    first, second = [t.clone() for t in forget], [t.clone() for t in retain]
    first[0], second[1] = None, None
    f[: 100 * 60], r[6000 : 6000 + 13000] = 0, 0
    expected = r + (1 - (f @ r) / (f @ f)) * f
    with pytest.raises(TypeError):
        sum((a * b).sum() for a, b in zip(first, second, strict=True))
    update, _ = combination("bilevel").combine(first, second, NAMES)
    assert (join(update) - expected).norm() < 1e-6 * expected.norm()
    nothing, _ = combination("bilevel").combine([None, forget[1], forget[2]], [None, retain[1], retain[2]], NAMES)
    assert nothing[0] is None


def test_blur_fault_17_gamma_is_not_ignored():
    updates = [join(combination("bilevel", gamma=gamma).combine(*pair(0.3, 2.0), NAMES)[0]) for gamma in (1.0, 2.0)]
    f = join(pair(0.3, 2.0)[0])
    assert (updates[1] - updates[0] - f).norm() < 1e-6


def test_blur_faults_24_and_25_the_wmdp_form_is_gamma_one_over_alpha():
    """f + alpha (r - proj r) is alpha times ours at gamma = 1 / alpha; with gamma left at 1 it is another direction."""
    alpha, (forget, retain) = 800.0, pair(0.4, 3.0)
    f, r = join(forget), join(retain)
    theirs = f + alpha * (r - (f @ r) / (f @ f) * f)
    ours = join(combination("bilevel", gamma=1 / alpha).combine(forget, retain, NAMES)[0])
    assert (alpha * ours - theirs).norm() < 1e-5 * theirs.norm()
    plain = join(combination("bilevel").combine(*pair(0.4, 3.0), NAMES)[0])
    assert torch.cosine_similarity(plain, theirs, 0) < 0.97
