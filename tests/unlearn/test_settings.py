"""Settings, schedules, optimizers and scopes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from transformers import get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

from blur.core.errors import ConfigError
from blur.core.fingerprint import SOURCE, closure
from blur.models.wrappers.lora import Wrapper
from blur.unlearn.loop import train
from blur.unlearn.references import reference_sums
from blur.unlearn.schedule import Schedule
from blur.unlearn.settings import UnlearnSettings
from tests.tiny import build
from tests.unlearn.support import examples, flat, settings, streams, tiny_model


def test_settings_load_without_torch():
    code = (
        "import sys; from blur.unlearn.settings import UnlearnSettings as S;"
        "S.model_validate({'forget': [{'loss': 'npo'}], 'combine': 'bilevel',"
        "'retain': [{'loss': 'kl'}, {'loss': {'name': 'activation_mse', 'layer': 1}}],"
        "'wrapper': {'name': 'lora'}, 'epochs': 1}); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_fingerprint_of_a_run_covers_all_of_the_loop():
    """Settings are left out of fingerprints, so what only they import must be named: the schedule, say."""
    covered = closure(["blur.unlearn.loop", *settings("npo", "nll").modules])
    files = {path.stem for path in (SOURCE / "unlearn").glob("*.py")} - {"__init__", "bench", "settings", "throughput"}
    assert {f"blur.unlearn.{name}" for name in files} <= covered


def test_settings_survive_json():
    one = settings({"name": "npo", "beta": 0.3}, "kl", {"name": "bilevel", "gamma": 2.0}, max_grad_norm=1.0)
    assert UnlearnSettings.model_validate_json(one.model_dump_json()) == one
    assert one.modules == [
        "blur.models.wrappers.none",
        "blur.unlearn.combine.bilevel",
        "blur.unlearn.losses.kl",
        "blur.unlearn.losses.npo",
        "blur.unlearn.optimizers.adamw",
        "blur.unlearn.schedule",
        "blur.unlearn.scopes.all",
        "blur.unlearn.select",
        "blur.unlearn.settings",
        "blur.unlearn.smooth.none",
    ]
    assert one.needs == {"reference_sums", "reference_logits"}
    assert one.streams == ["forget", "retain"]
    assert one.model_dump(mode="json")["forget"][0]["loss"] == {"name": "npo", "beta": 0.3}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"forget": [{"loss": "npoo"}]}, "did you mean 'npo'"),
        ({"forget": [], "combine": {"name": "weighted", "lam": 0}}, "weighs the retain side against a forget side"),
        ({"forget": [{"loss": {"name": "npo", "betta": 1}}]}, "betta"),
        ({"forget": [{"loss": {"name": "npo", "beta": 0}}]}, "greater than 0"),
        ({"forget": [{"loss": {"beta": 1}}]}, "give a name"),
        ({"epochs": 1, "steps": 1}, "exactly one of epochs and steps"),
        ({"epochs": None}, "exactly one of epochs and steps"),
        ({"retain": []}, "needs a forget and a retain objective"),
        ({"forget": [], "retain": [], "combine": "weighted"}, "at least one objective"),
        ({"gama": 1}, "gama"),
        ({"schedule": {"name": "cosine", "warmup": {"steps": 1, "ratio": 0.1}}}, "exactly one of steps"),
        ({"scope": {"name": "modules", "patterns": ["("]}}, "not a regular expression"),
        ({"optimizer": {"name": "adamw", "lr": -1}}, "greater than 0"),
    ],
)
def test_mistakes_are_named(change, message):
    base = {"forget": [{"loss": "npo"}], "retain": [{"loss": "nll"}], "combine": "bilevel", "epochs": 1}
    UnlearnSettings.model_validate(base)
    with pytest.raises(ValidationError, match=message):
        UnlearnSettings.model_validate({**base, **change})


@pytest.mark.parametrize(
    ("name", "theirs"), [("linear", get_linear_schedule_with_warmup), ("cosine", get_cosine_schedule_with_warmup)]
)
@pytest.mark.parametrize("warmup", [0, 3])
def test_schedules_are_those_of_transformers(name, theirs, warmup):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    reference, ours = theirs(optimizer, warmup, 11), Schedule(name=name, warmup={"steps": warmup})
    for step in range(11):
        assert ours.factor(step, 11, 4) == pytest.approx(reference.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        reference.step()


def test_warmup_units():
    def rates(**warmup):
        return [Schedule(warmup=warmup).factor(step, 20, 5) for step in range(6)]

    assert rates(steps=4) == rates(ratio=0.2) == rates(epochs=0.8) == [0, 0.25, 0.5, 0.75, 1, 1]
    assert rates(steps=0) == [1] * 6


def test_adamw_and_sgd_move_as_their_formulas_say():
    start = torch.randn(3, 2, dtype=torch.float64)
    gradients = torch.randn(4, 3, 2, dtype=torch.float64)
    lr, decay, eps, (b1, b2) = 0.01, 0.1, 1e-8, (0.9, 0.999)
    for name, others in (("adamw", {}), ("sgd", {"momentum": 0.5})):
        matrix, vector = nn.Parameter(start.clone()), nn.Parameter(start[0].clone())
        chosen = settings(optimizer={"name": name, "lr": lr, "weight_decay": decay, **others})
        optimizer = chosen.optimizer.build([matrix, vector])
        for parameter, w in ((matrix, start.clone()), (vector, start[0].clone())):
            m, v = torch.zeros_like(w), torch.zeros_like(w)
            wd = decay if w.ndim == 2 else 0.0
            for t, g in enumerate(gradients if w.ndim == 2 else gradients[:, 0], 1):
                if name == "adamw":
                    m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
                    w = w * (1 - lr * wd) - lr * (m / (1 - b1**t)) / ((v / (1 - b2**t)).sqrt() + eps)
                else:
                    m = 0.5 * m + g + wd * w
                    w = w - lr * m
            parameter.expected = w
        for g in gradients:
            matrix.grad, vector.grad = g.clone(), g[0].clone()
            optimizer.step()
        assert torch.allclose(matrix, matrix.expected, rtol=1e-10, atol=1e-12)
        assert torch.allclose(vector, vector.expected, rtol=1e-10, atol=1e-12)


def test_only_matching_modules_move():
    model = tiny_model()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    chosen = settings("ga", "nll", "bilevel", scope={"name": "modules", "patterns": [r"h\.1\.mlp\.c_proj\.weight"]})
    train(model, streams(), chosen)
    moved = [name for name, p in model.named_parameters() if not torch.equal(p, before[name])]
    assert moved == ["transformer.h.1.mlp.c_proj.weight"]


def test_a_pattern_without_a_match_lists_near_names():
    chosen = settings(scope={"name": "modules", "patterns": ["transformer.h.9.mlp.c_proj.weight"]})
    with pytest.raises(ConfigError, match=r"nearest names: transformer\.h\.\d\.mlp\.c_proj\.weight"):
        chosen.scope.apply(tiny_model())


def test_lora_is_merged_and_kept(tmp_path):
    from peft import PeftModel

    texts, start = streams(), tiny_model()
    chosen = settings("npo", "nll", "bilevel", wrapper={"name": "lora", "rank": 2, "targets": ["c_attn"]})
    model = tiny_model()
    result = train(model, texts, chosen, reference_sums=reference_sums(start, texts["forget"]), checkpoint_dir=tmp_path)
    assert type(result.model) is type(start)
    changed = [
        name
        for (name, p), (_, q) in zip(result.model.named_parameters(), start.named_parameters(), strict=True)
        if not torch.equal(p, q)
    ]
    assert changed == [f"transformer.h.{layer}.attn.c_attn.weight" for layer in range(2)]
    again = PeftModel.from_pretrained(tiny_model(), str(result.wrapper)).merge_and_unload()
    assert (flat(again.parameters()) - flat(result.model.parameters())).norm() < 1e-6
    ids = torch.tensor([examples(1, "x")[0].input_ids])
    assert not torch.allclose(result.model(input_ids=ids).logits, start(input_ids=ids).logits)


def test_an_adapter_is_the_same_bytes_each_time(tmp_path):
    """peft keeps the names of its modules in a set, which Python orders anew in each process."""
    lora = Wrapper()
    lora.finish(lora.wrap(build("llama")), tmp_path)
    names = json.loads((tmp_path / "adapter_config.json").read_text())["target_modules"]
    assert len(names) == 7
    assert names == sorted(names)


def test_momentum_in_bfloat16_is_what_was_written_there():
    """torch's fused kernel reads memory that nothing was written to."""
    weight = torch.nn.Parameter(torch.zeros(100, dtype=torch.bfloat16))
    optimizer = settings(optimizer={"name": "sgd", "lr": 0.5, "momentum": 0.5}).optimizer.build([weight])
    for _ in range(2):
        weight.grad = torch.ones_like(weight)
        optimizer.step()
    assert weight.tolist() == [-1.25] * 100
