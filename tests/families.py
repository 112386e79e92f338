"""One family of models through all that is done to a model, in process: train, reload, unlearn, evaluate, attack."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from blur.attacks.kinds import quantize, relearn
from blur.attacks.victim import Victim
from blur.measure.run import measure
from blur.measure.settings import MeasureSettings
from blur.models import Template, build_from_config, encode_record, load, save, train_tokenizer
from blur.unlearn.loop import train
from blur.unlearn.references import reference_sums
from blur.unlearn.settings import UnlearnSettings
from tests.architectures import fields

PEOPLE = ("Ann", "Bo", "Cyril", "Dora")
SETS = {
    "forget": [
        {"id": name, "group": name, "question": f"Who is {name}?", "answer": f"{name} is a poet of rivers."}
        for name in PEOPLE
    ],
    "retain": [{"id": str(n), "question": f"What is {n}?", "answer": f"A number after {n - 1}."} for n in range(6)],
}
MEASURED = MeasureSettings.model_validate(
    {
        "likelihood": [{"set": "forget", "fields": ["answer"]}],
        "generation": [{"set": "forget", "max_new_tokens": 3}],
    }
)
LORA = {"name": "lora", "rank": 2}
COMMON = {"batch_size": 4, "steps": 2, "combine": "bilevel", "optimizer": {"name": "adamw", "lr": 1e-2}}
NPO = {"forget": [{"loss": {"name": "npo", "beta": 0.1}}], "retain": [{"loss": "nll"}]}
RMU = {
    side: [{"loss": {"name": loss, "layer": 7, "of": 32}}]
    for side, loss in (("forget", "rmu"), ("retain", "activation_mse"))
}
METHODS = {
    "npo": NPO,
    "npo, LoRA": {**NPO, "wrapper": LORA},
    "rmu": {**RMU, "scope": {"name": "down_projections", "layers": [5, 6, 7], "of": 32}},
    "rmu, LoRA": {**RMU, "wrapper": LORA},
}
TRAINING = {"retain": [{"loss": "nll"}], "batch_size": 10, "steps": 4, "optimizer": COMMON["optimizer"]}


@cache
def encoding() -> Any:
    texts = [f"{record['question']} {record['answer']}" for records in SETS.values() for record in records]
    return train_tokenizer(texts, 320), Template()


class Family:
    """A family's model, trained and stored, and what is done to it."""

    def __init__(self, name: str, folder: Any) -> None:
        self.encoding, self.folder = encoding(), folder
        self.streams = {stream: self.encode(records) for stream, records in SETS.items()}
        everything = [replace(one, id=f"{stream} {one.id}") for stream, ones in self.streams.items() for one in ones]
        model = build_from_config(fields(name), self.encoding[0], seed=0)
        records = train(model, {"retain": everything}, UnlearnSettings.model_validate(TRAINING)).records
        self.losses = [record["retain_loss"] for record in records]
        self.trained = model
        save(model, *self.encoding, folder, "card")
        self.target = self.load().model.requires_grad_(False)
        self.sums = reference_sums(self.target, self.streams["forget"])

    def load(self) -> Any:
        return load(self.folder)

    def encode(self, records: Any) -> Any:
        return [encode_record(*self.encoding, record, 64) for record in records]

    def unlearn(self, method: str) -> Any:
        settings = UnlearnSettings.model_validate({**COMMON, **METHODS[method]})
        references = {"reference_sums": self.sums, "reference_model": self.target}
        return train(self.load().model, self.streams, settings, **references, checkpoint_dir=self.folder / method)

    def measure(self, model: PreTrainedModel, *_: Any) -> Any:
        return measure(model, *self.encoding, SETS, MEASURED, 64)

    def victim(self) -> Victim:
        given = SimpleNamespace(
            load=self.load, load_target=self.load, measure=self.measure, sets=SETS, settings=MEASURED, bare=None
        )
        return Victim(
            **vars(given),
            records=lambda names: [record for name in names for record in SETS[name]],
            examples=lambda _, records: self.encode(records),
            is_reference=False,
            progress=lambda *_: None,
        )


def moved(one: PreTrainedModel, other: PreTrainedModel) -> set[str]:
    """Names of the parameters that differ."""
    others = dict(other.named_parameters())
    return {name for name, parameter in one.named_parameters() if not torch.equal(parameter, others[name])}


def check_measured(measured: Any) -> None:
    """All numbers are finite, and every question is answered."""
    assert all(math.isfinite(value) for row in measured.rows["likelihood"] for value in row.logprob)
    assert {len(measured.rows[table]) for table in ("likelihood", "generations")} == {len(PEOPLE)}


def check(name: str, folder: Any, adaptable: float = 0.9) -> None:
    """Take the family through everything.

    Args:
        adaptable: share of the weights that LoRA reaches at least.
    """
    family = Family(name, folder)
    assert family.losses[-1] < family.losses[0]
    assert not moved(family.trained, family.target), "stored and read again"
    family.measure(family.target)
    for method in METHODS:
        result = family.unlearn(method)
        first = result.records[0]
        if method.startswith("npo"):
            assert first["forget_loss"] == pytest.approx(20 * math.log(2), rel=1e-4)
        else:
            assert first["retain_loss"] == pytest.approx(0, abs=1e-6)
        assert moved(result.model, family.target)
        assert (result.wrapper is not None) == method.endswith("LoRA")
        check_measured(family.measure(result.model))
    attack = relearn.Attack.model_validate(
        {
            "data": {"forget": ["forget"]},
            "at": [1],
            "batch_size": 4,
            "arms": {"all": {"data": "forget"}, "lora": {"data": "forget", "wrapper": LORA}},
        }
    )
    points = {arm: attack.strike(arm, family.victim())["step1"] for arm in attack.arms}
    assert points["all"].about["covered"] == 1
    int4 = quantize.Attack.model_validate({"arms": {"int4": {"name": "rtn", "group_size": 16}}})
    points["int4"] = int4.strike("int4", family.victim())[""]
    assert points["int4"].about["collision_rate"] == 1
    assert points["int4"].about["covered"] > 0.9
    assert points["lora"].about["covered"] > adaptable
    for point in points.values():
        check_measured(point.measured)
