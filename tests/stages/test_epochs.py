"""Measurements at epochs' ends: every kind the settings ask for, in order, also after an interruption."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from blur.config.task import JobName
from blur.core.errors import ArtifactError
from blur.measure import run
from blur.measure.settings import MeasureSettings
from blur.measurements import read_epochs, tables
from blur.metrics.store import trajectory
from blur.models import Template, build_from_config, train_tokenizer
from blur.stages import epochs

SETS = {
    "texts": [{"id": "t", "text": "Ann went to Rome."}],
    "verbmem": [{"id": "v", "prompt": "Ann went", "gt": " to Rome, and then home."}],
    "empty": [],
}
SETTINGS = {
    "likelihood": [{"set": "texts", "fields": ["text"]}],
    "generation": [{"set": "verbmem", "max_new_tokens": 6}, {"set": "empty"}],
}
ARCHITECTURE = {"model_type": "llama", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}


@pytest.fixture
def measured(monkeypatch, tmp_path):
    monkeypatch.setattr(epochs, "read_sets", lambda _, names: [record for name in names for record in SETS[name]])
    tokenizer = train_tokenizer(["Ann went to Rome, and then home."], 300)
    model = build_from_config(ARCHITECTURE | {"num_attention_heads": 2}, tokenizer, seed=0)
    settings = MeasureSettings.model_validate(SETTINGS)
    job = SimpleNamespace(
        plan=SimpleNamespace(epoch_settings=lambda _: settings),
        name=JobName("muse"),
        data=None,
        settings={"max_length": 64},
    )
    loaded = SimpleNamespace(tokenizer=tokenizer, template=Template(), model=model)
    return model, lambda: epochs.EpochMeasurements(job, loaded, tmp_path / "work")


def test_every_epoch_has_likelihoods_and_generations(measured, tmp_path):
    model, make = measured
    first = make()
    first(0, model)
    first(1, model)
    with torch.no_grad():
        model.lm_head.weight.mul_(3)
    resumed = make()
    resumed(1, model)
    resumed(10, model)
    resumed.collect(tmp_path / "model")
    found = read_epochs(tmp_path / "model")
    assert list(found) == [0, 1, 10]
    losses = [found[epoch].likelihood("texts", "text")[0].logprob.sum() for epoch in found]
    assert losses[0] != losses[1] == losses[2]
    assert all(found[epoch].generations("verbmem")[0].num_tokens <= 6 for epoch in found)
    specs = [
        {"name": "verbmem_f", "metric": "rouge_l_f1", "set": "verbmem"},
        {"name": "knowmem_f", "metric": "rouge_l_f1", "set": "empty"},
    ]
    records = trajectory(found, specs, frozenset({"empty"}))
    assert [record["epoch"] for record in records] == [0, 1, 10]
    assert all(0 <= record["verbmem_f"] <= 1 and record["knowmem_f"] is None for record in records)


def test_files_are_named_within_the_folder(measured, tmp_path):
    model, make = measured
    measurements = make()
    measurements(0, model)
    names = measurements.collect(tmp_path / "model")
    assert names == [f"{table}.parquet" for table in ("likelihood", "generations", "gradnorm", "choices")]
    assert all((tmp_path / "model" / name).is_file() for name in names)


def test_an_epoch_cut_short_while_it_is_written_is_measured_again(measured, tmp_path, monkeypatch):
    model, make = measured
    first = make()
    first(0, model)
    with monkeypatch.context() as patch:
        patch.setattr(tables.pq, "write_table", lambda table, path, **_: killed(path))
        with pytest.raises(KeyboardInterrupt):
            first(1, model)
    (tmp_path / "work/epoch0001/.likelihood.parquet.1.tmp").write_bytes(b"PAR1 half")
    with pytest.raises(ArtifactError, match="no such table"):
        make().collect(tmp_path / "model")
    resumed = make()
    resumed(1, model)
    resumed.collect(tmp_path / "model")
    assert list(read_epochs(tmp_path / "model")) == [0, 1]


def killed(path):
    path.write_bytes(b"half")
    raise KeyboardInterrupt


def test_texts_are_encoded_once(measured, monkeypatch):
    model, make = measured
    measurements = make()
    monkeypatch.setattr(run, "encode_record", lambda *_, **__: pytest.fail("encoded again"))
    monkeypatch.setattr(run, "prompts_of", lambda *_: pytest.fail("encoded again"))
    measurements(0, model)
    measurements(1, model)
