"""Runs: what they record, how they end, and how they go on after being cut."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from itertools import pairwise

import pytest
import torch

from blur.core.errors import ArtifactError, ConfigError, DataError
from blur.unlearn.loop import Terminated, train
from blur.unlearn.references import reference_sums
from tests.unlearn.support import settings, streams, tiny_model, token_nlls, weights_hash

STREAMS = streams()
SUMS = reference_sums(tiny_model(5, torch.float32), STREAMS["forget"])
KEYS = [
    *("step", "epoch", "lr", "forget_loss", "retain_loss", "forget_norm", "retain_norm", "inner", "cosine"),
    *("xi", "xi_over_gamma", "update_norm", "promise", "kept", "multiplier", "seconds"),
    *("update_forget_cosine", "update_retain_cosine"),
]


def chosen(**options):
    return settings(epochs=3, schedule={"name": "cosine", "warmup": {"steps": 2}}, **options)


def run(directory=None, dropout=0.2, config=None, **options):
    model = tiny_model(0, torch.float32, dropout)
    return train(model, STREAMS, config or chosen(), reference_sums=SUMS, checkpoint_dir=directory, **options)


class CutError(Exception):
    pass


def cut_at(step, how):
    def on_step(record, total):
        if record["step"] == step:
            how()

    return on_step


def raise_cut():
    raise CutError


def without_seconds(records):
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records]


def check_resumed(directory, resumed_from):
    whole = run()
    again = run(directory)
    assert again.resumed_from == resumed_from
    assert weights_hash(again.model) == weights_hash(whole.model)
    assert without_seconds(again.records) == without_seconds(whole.records)
    lines = (directory / "steps.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == again.records
    assert [record["step"] for record in again.records] == list(range(1, 10))


def test_records_have_exactly_the_contracts_keys():
    result = run()
    assert all(sorted(record) == sorted(KEYS) for record in result.records)
    assert [record["epoch"] for record in result.records] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert result.total_steps == 9
    assert result.model.training is False
    for record in result.records:
        assert record["xi"] == pytest.approx(1 - record["inner"] / record["forget_norm"] ** 2)
        assert record["seconds"] > 0
    json.dumps(result.records, allow_nan=False)


def test_a_run_is_a_function_of_its_seed():
    first, second, other = run(), run(), run(config=chosen(seed=1))
    assert weights_hash(first.model) == weights_hash(second.model) != weights_hash(other.model)


def test_unlearning_forgets_and_keeps():
    model = tiny_model(3)
    fine = settings(None, "nll", "weighted", epochs=60, optimizer={"name": "adamw", "lr": 1e-2})
    everything = {"retain": [*STREAMS["forget"], *STREAMS["retain"]]}
    losses = [record["retain_loss"] for record in train(model, everything, fine).records]
    assert losses[-1] < 0.3 * losses[0]

    def mean(side):
        return sum(token_nlls(model, text).mean().item() for text in STREAMS[side]) / len(STREAMS[side])

    known, before = reference_sums(model, STREAMS["forget"]), (mean("forget"), mean("retain"))
    blur = settings("npo", "nll", "bilevel", epochs=10, optimizer={"name": "adamw", "lr": 5e-3})
    train(model, STREAMS, blur, reference_sums=known)
    assert mean("forget") > before[0] + 1.0
    assert mean("retain") < before[1] + 0.3


def test_resume_after_an_exception(tmp_path):
    with pytest.raises(CutError):
        run(tmp_path, on_step=cut_at(5, raise_cut))
    check_resumed(tmp_path, 3)


def test_resume_after_sigkill(tmp_path):
    code = (
        "import os, signal; from pathlib import Path; from tests.unlearn.test_loop import run, cut_at;"
        f"run(Path({str(tmp_path)!r}), on_step=cut_at(8, lambda: os.kill(os.getpid(), signal.SIGKILL)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=os.getcwd())
    assert done.returncode == -signal.SIGKILL
    assert len((tmp_path / "steps.jsonl").read_text().splitlines()) == 8
    check_resumed(tmp_path, 6)


def test_resume_after_sigterm_goes_on_within_the_epoch(tmp_path):
    with pytest.raises(Terminated) as caught:
        run(tmp_path, on_step=cut_at(4, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    assert caught.value.code == 143
    assert caught.value.step == 5
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    check_resumed(tmp_path, 5)


def test_resume_of_a_finished_run_trains_nothing(tmp_path):
    first, calls = run(tmp_path), []
    again = run(tmp_path, on_step=lambda *_: calls.append(1), on_epoch_end=lambda *_: calls.append(2))
    assert not calls
    assert weights_hash(again.model) == weights_hash(first.model)
    assert again.records == first.records


def test_two_checkpoints_are_kept_and_a_broken_one_is_passed_over(tmp_path):
    run(tmp_path)
    kept = sorted(path.name for path in tmp_path.glob("step[0-9]*"))
    assert kept == ["step00000006", "step00000009"]
    (tmp_path / "step00000009" / "model.safetensors").write_bytes(b"cut short")
    check_resumed(tmp_path, 6)


def test_a_folder_half_written_is_ignored(tmp_path):
    with pytest.raises(CutError):
        run(tmp_path, on_step=cut_at(5, raise_cut))
    half = tmp_path / ".step00000006.tmp"
    half.mkdir()
    (half / "state.json").write_text("{")
    check_resumed(tmp_path, 3)
    assert not half.exists()


@pytest.mark.parametrize("change", ["settings", "data", "sums", "run_key"])
def test_a_checkpoint_of_another_run_is_refused(tmp_path, change):
    run(tmp_path)
    options = {"checkpoint_dir": tmp_path, "reference_sums": SUMS}
    texts, config = STREAMS, chosen()
    if change == "settings":
        config = chosen(combine={"name": "bilevel", "gamma": 2.0})
    elif change == "data":
        texts = {**STREAMS, "retain": STREAMS["retain"][:-1]}
    elif change == "sums":
        options["reference_sums"] = {key: value + 1 for key, value in SUMS.items()}
    else:
        options["run_key"] = "other"
    with pytest.raises(ArtifactError, match="other settings, data or start weights"):
        train(tiny_model(0, torch.float32), texts, config, **options)


@pytest.mark.parametrize("forget", ["npo", None], ids=["unlearning", "fine-tuning with dropout"])
def test_lora_resumes_to_the_same_weights(tmp_path, forget):
    drawn = {"dropout": 0.0 if forget else 0.1}
    combine = "bilevel" if forget else "weighted"
    config = chosen(forget=forget, combine=combine, wrapper={"name": "lora", "rank": 2, **drawn}, dropout=not forget)
    whole = run(config=config)
    with pytest.raises(CutError):
        run(tmp_path, config=config, on_step=cut_at(5, raise_cut))
    assert weights_hash(run(tmp_path, config=config).model) == weights_hash(whole.model)


def test_sgd_with_momentum_resumes_to_the_same_weights(tmp_path):
    config = chosen(optimizer={"name": "sgd", "lr": 1e-3, "momentum": 0.9})
    whole = run(config=config)
    with pytest.raises(CutError):
        run(tmp_path, config=config, on_step=cut_at(5, raise_cut))
    assert weights_hash(run(tmp_path, config=config).model) == weights_hash(whole.model)


def test_epoch_ends_are_reported_in_evaluation_mode_and_disturb_nothing():
    seen = []

    def look(epoch, model):
        seen.append((epoch, model.training))
        torch.manual_seed(0)
        torch.rand(5)

    assert weights_hash(run(on_epoch_end=look).model) == weights_hash(run().model)
    assert seen == [(1, False), (2, False), (3, False)]
    seen.clear()
    config = settings(steps=4)
    run(config=config, on_epoch_end=look)
    assert seen == [(1, False), (2, False)]


def test_learning_rates_follow_the_schedule():
    rates = [record["lr"] for record in run().records]
    assert rates[:3] == [0, 5e-3, 1e-2]
    assert all(a > b for a, b in pairwise(rates[2:]))


def test_gradient_checkpointing_changes_no_result():
    finals = [weights_hash(run(dropout=0.0, config=chosen(gradient_checkpointing=on)).model) for on in (False, True)]
    assert finals[0] == finals[1]


def test_missing_references_are_named():
    model = tiny_model()
    with pytest.raises(DataError, match=r"7 examples have no reference sum for npo, 'f0' first"):
        train(model, STREAMS, settings())
    with pytest.raises(ConfigError, match="logits of the original model"):
        train(model, STREAMS, settings("ga", "kl"))
    with pytest.raises(DataError, match="stream 'retain': no examples"):
        train(model, {**STREAMS, "retain": []}, settings("ga"))


def test_a_step_log_shorter_than_its_checkpoint_is_refused(tmp_path):
    run(tmp_path)
    (tmp_path / "steps.jsonl").write_text("")
    with pytest.raises(ArtifactError, match="0 step records, but the checkpoint is at step 9"):
        run(tmp_path)
