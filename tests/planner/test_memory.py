"""Closed forms on a hand-counted model, and what must hold of any plan."""

from dataclasses import replace

import pytest

from blur.planner.activations import Block, Tokens
from blur.planner.architecture import LINEARS
from blur.planner.memory import Layout, Memory, plan_memory
from blur.planner.passes import passes
from tests.planner.support import BLOCK, TINY, TOKENS, WHOLE, job, trained


def moment(memory: Memory, name: str, which: int = -1) -> dict[str, float]:
    return dict([one for one in memory.moments if one.name == name][which].terms)


def test_bytes_of_weights_gradients_and_states_are_counted() -> None:
    one = trained()
    assert TINY.num_parameters == WHOLE == 1352
    assert (one.weights, one.gradients, one.optimizer) == (4 * WHOLE, 4 * WHOLE, 8 * WHOLE)
    assert trained(optimizer="sgd").optimizer == 0
    assert trained(optimizer={"name": "sgd", "momentum": 0.9}).optimizer == 4 * WHOLE
    for momentum, states in (("update", 2), ("none", 1), ("retain", 2)):
        combine = {"name": "bilevel", "momentum": momentum}
        assert trained(combine=combine).optimizer == 4 * states * WHOLE
        assert trained(combine=combine, optimizer="sophia").optimizer == 4 * states * WHOLE
        assert trained(combine=combine, optimizer="sgd").optimizer == 4 * (momentum == "retain") * WHOLE
    half = trained(element=2)
    assert (half.weights, half.gradients, half.optimizer) == (2 * WHOLE, 2 * WHOLE, 4 * WHOLE)
    assert trained(element=2, masters=True).optimizer == 12 * WHOLE


def test_float32_masters_make_the_update_of_a_bfloat16_model_once_more() -> None:
    """Found by counting live tensors: 22 bytes a parameter in BLUR's step, and 18 were planned."""
    peak = moment(plan_memory(job(trained(element=2, masters=True))), "step")
    names = ("weights", "optimizer", "gradients", "temporary")
    assert [peak[name] for name in names] == [2 * WHOLE, 12 * WHOLE, 4 * WHOLE, 4 * WHOLE]
    assert all(one.name != "step" for one in plan_memory(job(trained(element=4, masters=True))).moments)


def test_blur_holds_two_sets_of_gradients_and_the_plain_sum_one() -> None:
    assert moment(plan_memory(job(trained())), "combine")["gradients"] == 2 * 4 * WHOLE
    assert moment(plan_memory(job(trained(combine="weighted"))), "combine")["gradients"] == 4 * WHOLE
    logged = trained(combine="weighted", log_gradients=True)
    assert moment(plan_memory(job(logged)), "combine")["gradients"] == 2 * 4 * WHOLE


def test_a_live_reference_is_a_second_model_and_cached_sums_are_none() -> None:
    assert plan_memory(job(trained())).peak.terms["reference"] == 0
    live = trained(retain=[{"loss": "kl"}])
    assert plan_memory(job(live)).peak.terms["reference"] == 4 * WHOLE


def test_logits_are_counted_at_scored_positions() -> None:
    terms = moment(plan_memory(job(trained())), "loss")
    assert terms["logits"] == 16 * TOKENS.scored * TINY.vocab  # logits, log-softmax, two gradients, in float32
    everywhere = trained(forget=[{"loss": "npo_logits"}])
    assert moment(plan_memory(job(everywhere)), "loss", 0)["logits"] == 24 * TOKENS.rows * TINY.vocab


def test_a_pair_is_two_rows_that_need_padding() -> None:
    dpo = trained(forget=[{"loss": {"name": "dpo", "alternates": "refusals"}}])
    (one,) = passes(dpo, {"forget": TOKENS}, dpo.settings.forget)
    assert one.tokens == Tokens(6, 5, 24, padded=True)
    both = [{"loss": {"name": name, "alternates": "refusals"}} for name in ("dpo", "alternate_nll")]
    apart = trained(forget=[*both, {"loss": "npo"}, {"loss": "ga"}])
    found = passes(apart, {"forget": TOKENS}, apart.settings.forget)
    assert [(one.tokens.batch, len(one.losses)) for one in found] == [(6, 1), (3, 1), (3, 2)]
    assert plan_memory(job(dpo)).peak.total > plan_memory(job(trained())).peak.total


def test_a_block_keeps_what_the_formula_says() -> None:
    moving = frozenset((*LINEARS, "input_layernorm", "post_attention_layernorm"))
    rows, d, f, a, k, heads = TOKENS.rows, 8, 16, 8, 4, 2
    per_row = 2 * (4 * d + 4) + 2 * d * 4 + 2 * d * 4 + 2 * (a + k) * 4 + 4 * heads + 4 * f * 4
    assert Block(TINY, 4, moving).saved(TOKENS) == rows * per_row
    padded = replace(TOKENS, padded=True)
    more = rows * 2 * (a - k) * 4 + 3 * 5 * 5 * 4  # keys and values for all heads, and the mask
    assert Block(TINY, 4, moving).saved(padded) == rows * per_row + more
    assert Block(TINY, 4, frozenset(["down_proj"]), below=False).saved(TOKENS) == rows * f * 4
    assert Block(TINY, 4, frozenset(), below=False).saved(TOKENS) == 0


def test_checkpointing_keeps_the_inputs_of_blocks() -> None:
    (one,) = passes(trained(gradient_checkpointing=True), {"retain": TOKENS}, trained().settings.retain)
    assert one.kept == 2 * TOKENS.rows * 8 * 4


def test_a_scope_moves_what_its_patterns_match() -> None:
    scope = {"name": "modules", "layers": [1], "patterns": [r"layers\.{layer}\.mlp\.down_proj"]}
    one = trained(scope=scope)
    assert dict(one.moving) == {"model.layers.1.mlp.down_proj.weight": (8, 16)}
    assert one.gradients == 4 * 128
    assert [block.passes_on for block in one.blocks] == [False, True]


def test_lora_moves_its_adapters_in_float32() -> None:
    one = trained(element=2, wrapper={"name": "lora", "rank": 2, "targets": ["q_proj", "v_proj"]})
    assert one.gradients == 4 * 2 * 2 * ((8 + 8) + (8 + 4))  # two layers, rank 2, in + out of q and of v
    assert one.weights == 2 * WHOLE + one.gradients


def test_projections_move_a_few_rows_and_no_weight() -> None:
    one = trained(element=2, wrapper={"name": "projection", "heights": [0.5, 1.0], "rank": 3}, optimizer="sgd")
    assert dict(one.moving) == {f"model.layers.{layer}.projection.rows": (3, 8) for layer in (0, 1)}
    assert one.gradients == 4 * 2 * 3 * 8
    assert one.weights == 2 * WHOLE + one.gradients
    assert one.optimizer == 0


def test_losses_on_hidden_states_leave_what_is_above_alone() -> None:
    hidden = {"forget": [{"loss": {"name": "rmu", "layer": 0}}]}
    one = trained(**hidden, retain=[{"loss": {"name": "activation_mse", "layer": 0}}])
    assert one.gradients == 4 * (80 + BLOCK)
    assert one.optimizer == 8 * (80 + BLOCK)


def test_a_sharded_job_holds_its_share() -> None:
    one = trained()
    whole = plan_memory(job(one))
    for count in (2, 4, 8):
        share = plan_memory(job(one, Layout(count, "fsdp2", "cpu")))
        for term in ("weights", "optimizer"):
            assert share.peak.terms[term] == whole.peak.terms[term] / count
        assert moment(share, "combine")["gradients"] == moment(whole, "combine")["gradients"] / count
        gathered = moment(share, "loss")["temporary"]
        assert gathered == 4 * (2 * 80 + 8 + 4 * BLOCK)  # outside of blocks; two blocks' weights and gradients


def test_a_replicated_job_holds_everything_and_a_bucket() -> None:
    one = trained(element=2)
    terms = moment(plan_memory(job(one, Layout(2, "ddp", "cpu"))), "reduce")
    assert terms["weights"] == 2 * WHOLE
    assert terms["temporary"] == 8 * WHOLE


@pytest.mark.parametrize(
    "more",
    [Tokens(6, 5, 24), Tokens(3, 10, 27), Tokens(3, 5, 15)],
    ids=["batch", "length", "scored"],
)
def test_more_text_needs_more(more: Tokens) -> None:
    one = trained()
    assert plan_memory(job(one, tokens=more)).peak.total > plan_memory(job(one)).peak.total


@pytest.mark.parametrize("size", ["hidden", "ffn", "layers", "vocab"])
def test_a_larger_model_needs_more(size: str) -> None:
    larger = replace(TINY, **{size: 4 * getattr(TINY, size)})
    assert plan_memory(job(trained(architecture=larger))).peak.total > plan_memory(job(trained())).peak.total


def test_what_costs_memory_costs_memory() -> None:
    def total(**changes: object) -> float:
        return plan_memory(job(trained(**changes))).peak.total

    assert total() > total(combine="weighted") > total(combine="weighted", optimizer="sgd")
    assert total(retain=[{"loss": "kl"}]) > total()
    assert total(wrapper={"name": "lora", "rank": 1}) < total()
