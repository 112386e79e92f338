"""An error names the command that mends it: one that the command line takes, and that the graph's own rule runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from blur.cli import app
from blur.core.errors import ArtifactError
from blur.core.manifest import check_files, read
from blur.core.paths import data_dir, phase_dir
from blur.core.remedy import producer, to_make, to_mend
from blur.data.dataset import read_set
from blur.measurements import Measurements
from blur.models import load
from blur.report.runs import read_runs

ROOT = Path(__file__).parents[2]
OTHERS = {"scale": "ci", "task": "wmdp", "variant": "lora", "seed": "3", "request": "sust2", "attack": "rtt"}
DEFAULTS = {"variant": "default", "seed": "0", "request": "own"}
COMPUTE = ("threads", "gpus")  # of the machine, not of the result


def parsed(typed: str) -> tuple[str, dict[str, Any]]:
    """Which command the command line takes ``typed`` for, and with what."""
    first, *words = shlex.split(typed)
    assert first == "blur"
    name, command = "blur", typer.main.get_command(app)
    while hasattr(command, "commands"):
        name = words.pop(0)
        command = command.commands[name]
    params = command.make_context(name, words).params
    return name, {key: value for key, value in params.items() if key not in COMPUTE}


def rules() -> dict[str, tuple[str, str]]:
    """The manifest and the command of each rule that writes one, with Snakemake's wildcards in braces."""
    found = {}
    for file in sorted((ROOT / "workflow/rules").glob("*.smk")):
        for name, body in re.findall(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", file.read_text(encoding="utf-8"), re.S | re.M):
            made = re.search(r'output:\n\s+manifest="([^"]+)"', body)
            if made:
                shell = "".join(re.findall(r'"([^"]*)"', body.partition("shell:")[2]))
                command = re.sub(r" --\w+ {(threads|resources\.gpu)}| 2>&1.*", "", shell)
                found[name] = made[1], command.replace("{wildcards.", "{")
    return found


RULES = rules()
CASES = {
    "data": {},
    "base": {},
    "train": {"role": "retrained"},
    "unlearn": {"method": "blur_rmu"},
    "derive": {"method": "target", "derived": "reference_sums"},
    "evaluate": {"method": "target"},
    "metrics": {"method": "blur_rmu"},
    "attack": {"method": "blur_rmu"},
    "attack_metrics": {"method": "retrained"},
    "table": {},
    "robustness": {},
}


def test_every_rule_with_a_manifest_is_here() -> None:
    assert RULES.keys() == CASES.keys()


@pytest.mark.parametrize("rule", CASES)
@pytest.mark.parametrize("values", [OTHERS, OTHERS | DEFAULTS], ids=["others", "defaults"])
def test_the_command_is_that_of_the_rule(rule: str, values: dict[str, str]) -> None:
    pattern, command = RULES[rule]
    values = values | CASES[rule]
    named = producer(Path(pattern.format(**values)))
    assert named
    assert parsed(named) == parsed(command.format(**values))


def test_defaults_are_not_typed() -> None:
    target = phase_dir("models", "ci", "tofu/target/default/seed0")
    assert producer(target) == "blur train --task tofu --role target --scale ci"
    assert producer(Path.cwd() / target / "model.safetensors") == producer(target)


@pytest.mark.parametrize(
    "path", ["results", "results/ci/models", "results/ci/figures/tofu/x.png", "/elsewhere/data/a/b"]
)
def test_what_no_stage_wrote_has_no_command(path: str) -> None:
    assert producer(Path(path)) is None
    assert "make verify" in to_mend(Path(path))
    assert "blur" not in to_make(Path(path))


def test_errors_name_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = "tofu/blur_npo/lora/seed1"
    models, evaluation, metrics = (phase_dir(phase, "ci", run) for phase in ("models", "evaluation", "metrics"))
    options = "--task tofu --method blur_npo --variant lora --seed 1 --scale ci`"
    for fail, expected in (
        (lambda: read(models), f"Type `blur unlearn {options}"),
        (lambda: load(models), f"Type `blur unlearn {options}"),
        (lambda: Measurements.read(evaluation), f"Type `make verify SCALE=ci`, then `blur evaluate {options}"),
        (lambda: read_runs([metrics.absolute()]), f"Type `blur metrics {options}"),
        (
            lambda: check_files(models, {"files": {"a": ""}}),
            f"Type `make verify SCALE=ci`, then `blur unlearn {options}",
        ),
        (
            lambda: check_files(
                phase_dir("drawn", "ci", "tofu/front"), {"files": {"../../../figures/tofu/front.pdf": ""}}
            ),
            "Type `make verify SCALE=ci`, then `blur figures front --task tofu --scale ci`",
        ),
        (lambda: read_set(data_dir("ci", "tofu"), "forget"), "Type `blur data --task tofu --scale ci`, or name one"),
    ):
        with pytest.raises(ArtifactError) as caught:
            fail()
        assert caught.value.remedy is not None
        assert caught.value.remedy.startswith(expected)
