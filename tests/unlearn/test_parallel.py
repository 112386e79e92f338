"""One process, two with whole models (DDP), two with sharded ones (FSDP2), accumulation: the same run (bar 2)."""

from __future__ import annotations

import os
import shutil
import signal

import pytest
import torch
import torch.distributed as dist
from torch import nn

from blur.core.errors import ConfigError
from blur.unlearn import sharding
from blur.unlearn.loop import Terminated
from tests.unlearn import parallel
from tests.unlearn.parallel import FEW, METHODS, OPTIMIZERS, distance, grid, moved, only_last_micro_batch_counts, run
from tests.unlearn.support import flat

BARS = {"double": 1e-9, "single": 1e-4}
WAYS = {"ddp": False, "fsdp2": True}
BLUR = METHODS["blur_npo"]
REST = [case for case in grid() if case not in FEW]
# Every term has a pass of its own: one ends after a layer, the other goes through the model; most weights stay.
MIXED = {**parallel.RMU, "retain": METHODS["blur_npo"]["retain"], "combine": "bilevel"}
SCOPE = {"name": "modules", "patterns": [r"h\.0\..*\.(weight|bias)$", "wte"]}
OTHERS = {
    "mixed": MIXED,
    "scope": {**MIXED, "scope": SCOPE, "combine": {"name": "bilevel", "projection": "per_module"}},
    "pairs": {**BLUR, "forget": [{"loss": {"name": "dpo", "alternates": "refusals"}}], "accumulation": 2},
    "lone": {**BLUR, "batch_size": 1, "accumulation": 2},
    "checkpointing": {**BLUR, "gradient_checkpointing": True, "accumulation": 2},
    "momentum": {**BLUR, "optimizer": {"name": "sgd", "lr": 1e-2, "momentum": 0.9, "weight_decay": 0.1}},
}
RETAIN = {**BLUR, "combine": {"name": "bilevel", "momentum": "retain"}}
OTHERS |= {
    "retain momentum": {**RETAIN, "accumulation": 2},
    "sophia": {**RETAIN, "optimizer": {"name": "sophia", "lr": 1e-3, "rho": 1.0, "every": 2}, "accumulation": 2},
}
OTHERS |= {
    "gru, random": {**BLUR, "combine": "gru", "smooth": {"name": "random", "sigma": 0.01}, "accumulation": 2},
    "gate, sam": {
        **BLUR,
        "combine": {"name": "gate", "level": -10.0},
        "smooth": {"name": "sam", "rho": 0.05, "retain_rho": 0.1},
    },
    "pdu, average": {**BLUR, "combine": {"name": "pdu", "warmup": 1}, "smooth": {"name": "average", "start": 0.4}},
    "sago, penalty": {**BLUR, "combine": "sago", "optimizer": OPTIMIZERS["sgd"], "smooth": "penalty"},
}
EPOCHS = {**RETAIN, "steps": None, "epochs": 3, "optimizer": {**OPTIMIZERS["sgd"], "momentum": 0.9}}


def stop_at(step):
    def on_step(record, _):
        if record["step"] == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return on_step


def stopped(directory, sharded=False):
    with pytest.raises(Terminated) as caught:
        run(EPOCHS, checkpoint_dir=directory, on_step=stop_at(3), sharded=sharded)
    assert caught.value.step == 4


def epochs(**options):
    """Weights at each epoch's end, as the first process sees them."""
    seen = []
    result = run(EPOCHS, on_epoch_end=lambda _, model: seen.append(flat(model.parameters())), **options)
    return result, torch.stack(seen) if seen else torch.zeros(0)


def started(case, **options):
    """A run of the grid."""
    method, optimizer, dtype, accumulation = case
    return run(METHODS[method], dtype, optimizer=OPTIMIZERS[optimizer], accumulation=accumulation, **options)


def keep_in(found, way):
    """How a process keeps what a run moved; of sharded models only the first has all of it."""

    def keep(name, result, dtype="double"):
        if dist.get_rank() == 0 or not WAYS[way]:
            found[name, way] = moved(result, dtype)
        else:
            assert any(isinstance(p, sharding.DTensor) for p in result.model.parameters()), "no whole model here"

    return keep


def work_on_the_rest(folder):
    """The runs of the grid that ``work`` leaves out."""
    found = {}
    for way, sharded in WAYS.items():
        keep = keep_in(found, way)
        for case in REST:
            keep(case, started(case, sharded=sharded), case[2])
    return found


def work(folder):
    """All runs of two processes, in one launch: starting costs more than running."""
    found, first = {}, dist.get_rank() == 0
    for way, sharded in WAYS.items():
        keep = keep_in(found, way)
        for case in FEW:
            keep(case, started(case, sharded=sharded), case[2])
        for name, method in OTHERS.items():
            result = run(method, sharded=sharded)
            keep(name, result)
            found["records", name, way] = result.records
        keep("half", half(master_weights=True, sharded=sharded), "half")
        with only_last_micro_batch_counts():
            keep("fault", run(BLUR, accumulation=4, sharded=sharded))
        result, seen = epochs(sharded=sharded)
        keep("epochs", result)
        found["seen", way] = seen
        stopped(folder / way, sharded)
        dist.barrier()
        if first:
            shutil.copytree(folder / way, folder / f"{way}.stopped")
        keep("resumed", run(EPOCHS, checkpoint_dir=folder / way, sharded=sharded))
        if first:
            shutil.copytree(folder / "one.stopped", folder / f"one.{way}")
        dist.barrier()
        keep("resumed_from_one", run(EPOCHS, checkpoint_dir=folder / f"one.{way}", sharded=sharded))
    with pytest.raises(ConfigError, match="'lora' runs in one process, and there are 2"):
        run({**BLUR, "wrapper": {"name": "lora", "rank": 2}})
    found["mean"] = mean_instead_of_sum()
    return found


def mean_instead_of_sum():
    """What FSDP2 does where nobody tells it that the loss is summed over processes already."""
    right = sharding.FSDPModule.set_gradient_divide_factor
    sharding.FSDPModule.set_gradient_divide_factor = lambda self, _: right(self, 2.0)
    try:
        result = run(BLUR, optimizer=OPTIMIZERS["sgd"], sharded=True)
    finally:
        sharding.FSDPModule.set_gradient_divide_factor = right
    return moved(result) if dist.get_rank() == 0 else None


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("parallel")
    stopped(path / "one")
    shutil.copytree(path / "one", path / "one.stopped")
    return path


@pytest.fixture(scope="module")
def ranks(folder):
    return parallel.in_two_processes(work, folder)


@pytest.fixture(scope="module")
def rest(folder):
    return parallel.in_two_processes(work_on_the_rest, folder)


@pytest.fixture(scope="module")
def single():
    """Runs of one process, without accumulation, by method, optimizer and type."""
    return {case[:3]: moved(started(case), case[2]) for case in grid() if case[3] == 1}


def near(expected, got, case):
    """Bar 2: ||D_a - D_b|| / ||D_a|| over five steps of uneven batches."""
    assert expected.norm() > 0
    assert distance(expected, got) <= BARS[case[2]], (case, distance(expected, got))


@pytest.mark.parametrize("method", METHODS)
def test_accumulation_changes_nothing(method, single):
    for case in grid():
        if case[0] == method and case[3] > 1:
            near(single[case[:3]], moved(started(case), case[2]), case)


@pytest.mark.parametrize("case", FEW, ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_processes_change_nothing(way, case, single, ranks):
    near(single[case[:3]], ranks[0][case, way], case)


@pytest.mark.long  # CI has BLUR with everything, and of the others what differs most
@pytest.mark.parametrize("case", REST, ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_processes_change_nothing_of_the_rest(way, case, single, rest):
    near(single[case[:3]], rest[0][case, way], case)


@pytest.mark.parametrize("method", METHODS)
def test_a_planted_fault_fails(method, single):
    """Fault 16: of the micro-batches only the last one counts."""
    for (name, optimizer, dtype), expected in single.items():
        if name == method:
            with only_last_micro_batch_counts():
                got = moved(run(METHODS[method], dtype, optimizer=OPTIMIZERS[optimizer], accumulation=4), dtype)
            assert distance(expected, got) > 1e-2 > max(BARS.values())


def test_planted_faults_fail_in_two_processes_too(single, ranks):
    for way in WAYS:
        assert distance(single["blur_npo", "adamw", "double"], ranks[0]["fault", way]) > 1e-2
    assert distance(single["blur_npo", "sgd", "double"], ranks[0]["mean"]) > 0.1


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("way", WAYS)
def test_other_runs_are_the_same_with_their_records(way, name, ranks):
    result = run(OTHERS[name])
    assert distance(moved(result), ranks[0][name, way]) <= 1e-9
    for ours, theirs in zip(result.records, ranks[0]["records", name, way], strict=True):
        for key in set(ours) - {"seconds"}:
            assert theirs[key] == (ours[key] if ours[key] is None else pytest.approx(ours[key], rel=1e-8)), key
    assert ranks[1]["records", name, way] == [], "the first process keeps the records"


@pytest.mark.parametrize("way", WAYS)
def test_epochs_are_measured_on_whole_weights(way, ranks):
    result, seen = epochs()
    assert distance(moved(result), ranks[0]["epochs", way]) <= 1e-9
    assert seen.shape == ranks[0]["seen", way].shape
    assert (seen - ranks[0]["seen", way]).abs().max() <= 1e-12
    assert len(ranks[1]["seen", way]) == 0


@pytest.mark.parametrize("way", WAYS)
def test_a_run_stopped_by_sigterm_goes_on_with_any_number_of_processes(way, folder, ranks):
    """Stopped on two and gone on with on two or on one; stopped on one and gone on with on two."""
    expected = moved(run(EPOCHS))
    on_one = run(EPOCHS, checkpoint_dir=folder / f"{way}.stopped")
    assert on_one.resumed_from == 4
    for got in (moved(on_one), ranks[0]["resumed", way], ranks[0]["resumed_from_one", way]):
        assert distance(expected, got) <= 1e-9
    assert len((folder / way / "steps.jsonl").read_text().splitlines()) == len(on_one.records)


def test_processes_with_whole_models_agree_to_the_last_bit(ranks):
    for key, value in ranks[0].items():
        if key[-1] == "ddp" and isinstance(value, torch.Tensor) and key[0] != "seen":
            assert torch.equal(value, ranks[1][key]), key


def test_a_blueprint_gives_back_the_model():
    model = parallel.tiny_llama(0)
    blueprint = sharding.Blueprint(model)
    copy = blueprint.filled(model)
    assert copy is not model
    assert copy.lm_head.weight is copy.model.embed_tokens.weight
    tokens = torch.tensor([[1, 2, 3]])
    assert torch.equal(copy(tokens).logits, model(tokens).logits)
    assert sum(p.numel() for p in blueprint._model.parameters() if not p.is_meta) == 0
    assert all(isinstance(p, nn.Parameter) for p in copy.parameters())


def half(**options):
    """Steps in bfloat16, each smaller than what its weights can tell apart."""
    return run(BLUR, "half", steps=20, optimizer={"name": "adamw", "lr": 1e-4}, **options)


def test_master_weights_keep_small_steps(tmp_path, ranks):
    exact = moved(run(BLUR, "single", steps=20, optimizer={"name": "adamw", "lr": 1e-4}), "single")
    lost, kept = moved(half(), "half"), moved(half(master_weights=True), "half")
    assert distance(exact, kept) < 0.7 * distance(exact, lost)
    for way in WAYS:
        assert distance(kept, ranks[0]["half", way]) < 0.5 * distance(kept, lost)
    assert half(master_weights=True).model.lm_head.weight.dtype == torch.bfloat16
    with pytest.raises(Terminated):
        half(master_weights=True, checkpoint_dir=tmp_path, on_step=stop_at(3))
    assert torch.equal(moved(half(master_weights=True, checkpoint_dir=tmp_path), "half"), kept)
