"""Operations, steps and hours against counts by hand."""

import pytest

from blur.planner.activations import Tokens
from blur.planner.architecture import LINEARS
from blur.planner.catalogue import load_catalogue
from blur.planner.cost import Clock, block_weights, forward, update_operations
from blur.planner.workload import Measured, Stream, spread, steps
from tests.planner.support import TINY, job, settings, trained

MATRICES = 2 * (64 + 32 + 32 + 64 + 3 * 128) + 80  # both blocks, and the head
WHOLE = Tokens(3, 5, 15)  # every position scored, so that the head counts fully
LENGTHS = {"forget": 0.0, "retain": 0.0}


def test_a_forward_pass_is_two_operations_a_weight_and_token() -> None:
    assert block_weights(TINY) == sum(out * into for out, into in map(TINY.linear, LINEARS))
    assert forward(TINY, 0.0) == 2 * MATRICES
    assert forward(TINY, 100.0) - forward(TINY, 0.0) == 2 * 2 * 8 * 100


def per_token(**changes: object) -> float:
    one = job(trained(**changes), tokens=WHOLE)
    return update_operations(one, {"forget": 1e-9, "retain": 1e-9}) / (3 * 1e-9)


def test_an_update_is_six_a_side_and_more_where_more_is_done() -> None:
    blocks = MATRICES - 80
    assert per_token(retain=[], combine="weighted") == pytest.approx(6 * MATRICES)
    assert per_token() == pytest.approx(12 * MATRICES)
    assert per_token(combine="weighted") == per_token()
    assert per_token(retain=[{"loss": "kl"}]) == pytest.approx(14 * MATRICES)
    assert per_token(forget=[{"loss": {"name": "dpo", "alternates": "refusals"}}]) == pytest.approx(18 * MATRICES)
    assert per_token(gradient_checkpointing=True) == pytest.approx(12 * MATRICES + 4 * blocks)


def test_a_loss_on_hidden_states_stops_at_its_layer() -> None:
    hidden = {"forget": [{"loss": {"name": "rmu", "layer": 0}}], "retain": [], "combine": "weighted"}
    assert per_token(**hidden) == pytest.approx(6 * (MATRICES - 80) / 2)
    scope = {"name": "modules", "layers": [0], "patterns": [r"layers\.{layer}\.mlp\.down_proj"]}
    assert per_token(**hidden, scope=scope) < per_token(**hidden)


def test_steps_are_epochs_of_the_largest_topic_in_turn() -> None:
    assert steps(settings(steps=7), Stream((400,), 100, 200, 1.0)) == 7
    assert steps(settings(steps=None, epochs=10, batch_size=32), Stream((400,), 100, 200, 1.0)) == 130
    assert steps(settings(steps=None, epochs=2, batch_size=4), Stream((10, 3), 100, 200, 1.0)) == 2 * 2 * 3


@pytest.mark.parametrize(
    ("batch", "accumulation", "gpus", "expected"),
    [
        (32, 8, 1, (4, 8)),
        (32, 8, 2, (4, 4)),
        (32, 8, 8, (4, 1)),
        (4, 4, 1, (1, 4)),
        (4, 1, 4, (1, 1)),
        (6, 1, 4, (2, 1)),
    ],
)
def test_more_gpus_take_fewer_micro_batches(
    batch: int, accumulation: int, gpus: int, expected: tuple[int, int]
) -> None:
    assert spread(settings(batch_size=batch, accumulation=accumulation), gpus) == expected


def test_decoding_is_bound_by_reading_the_weights() -> None:
    catalogue = load_catalogue("config")
    clock = Clock(catalogue.gpu("h100-80g"), catalogue.assumptions, 2)
    assert clock.measuring(TINY, Measured(decode_steps=100)) == 100 * catalogue.assumptions.decode_step_seconds
    assert clock.training(clock.flops) == pytest.approx(1 / catalogue.assumptions.training_mfu)
