"""The command line's help: what each command and option is, whole in a terminal of 80 columns."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from blur import cli
from blur.cli import app
from blur.config.plan import Plan
from blur.config.stages import STAGES
from blur.config.task import JobName, Run
from blur.core.errors import ConfigError

CLAUSE = 60


def commands(group: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every group and command below, each with the words that call it."""
    yield name, group
    for own, command in getattr(group, "commands", {}).items():
        yield from commands(command, f"{name} {own}".strip())


COMMANDS = dict(commands(typer.main.get_command(app)))


def first_clause(text: str) -> str:
    return re.split(r"[.;:](?:\s|$)", text, maxsplit=1)[0]


def test_first_clause() -> None:
    assert first_clause("GPUs of the job; with two or more, others.") == "GPUs of the job"
    assert first_clause("Write schemas/*.json, and no more.") == "Write schemas/*.json, and no more"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_first_clause_fits(name: str) -> None:
    command = COMMANDS[name]
    helps = {name: command.help, **{one.name: one.help for one in command.params}}
    assert all(helps.values()), "each has a help line"
    assert {one: text for one, text in helps.items() if len(first_clause(text)) > CLAUSE} == {}


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if hasattr(command, "commands")])
def test_a_list_of_commands_is_not_cut(name: str) -> None:
    shown = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": "80"}, terminal_width=80).output
    assert "Commands:" in shown
    assert "..." not in shown.partition("Commands:")[2]
    assert max(map(len, shown.splitlines())) <= 80
    for own, command in COMMANDS[name].commands.items():
        line = next(line for line in shown.splitlines() if line.split()[:1] == [own])
        assert line.split(maxsplit=1)[1].startswith(first_clause(command.help))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("unlearn --method blur_npo --gpus 2", "data/ci/tofu/manifest.json: no manifest"),
        ("train --gpus 2", "data/ci/tofu/manifest.json: no manifest"),
        ("unlearn --method blur_nop --gpus 2", "no method 'blur_nop'. Did you mean 'blur_npo'"),
        ("train --role retraind", "--role: no role 'retraind'. Did you mean 'retrained'"),
        ("unlearn --method ../x", "no method '../x'"),
        ("unlearn --method blur_npo --variant ../x", "--variant: no variant of 'blur_npo' matches '../x'"),
        ("evaluate --method blur_npo --scale ../ci", "'../ci' can be no scale's name"),
        ("data --task ../tofu", "'../tofu' can be no task's name"),
        ("figures tradeof", "figures: no figure 'tradeof'. Did you mean 'tradeoff'"),
        ("attack --method blur_npo --attack relern", "no attack 'relern'. Did you mean 'relearn'"),
    ],
)
def test_a_command_that_cannot_be_done_ends_with_one_line(
    typed: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config").symlink_to(Path("config").resolve())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "spread", lambda *_: pytest.fail("processes were started"))
    stage, *further = typed.split()
    given = [word for word in ("--scale ci", "--task tofu") if word.split()[0] not in further]
    monkeypatch.setattr(sys, "argv", ["blur", stage, *further, *" ".join(given).split()])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("blur: error: ")
    assert said in told
    assert told.count("\n") == 1


def test_what_snakemake_was_told_of_tracking_reaches_the_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setenv("BLUR_TRACKING", '{"wandb": "disabled", "project": "blur"}')
    monkeypatch.setattr("blur.stages.data.run", lambda job: seen.append(job.plan.main.tracking.wandb))
    CliRunner().invoke(app, ["data", "--scale", "ci", "--task", "tofu"], catch_exceptions=False)
    assert seen == ["disabled"]


def test_an_unknown_metric_is_blamed_on_its_file_by_every_command(tmp_path: Path) -> None:
    folder = Path(shutil.copytree("config", tmp_path / "config"))
    file = folder / "benchmarks/tofu.yaml"
    file.write_text(file.read_text().replace("metric: privleak", "metric: privleek"))
    plan = Plan(folder, {"scale": "ci"})
    run = Run("tofu", "blur_npo", "lora")
    for stage in ("metrics", "attack"):
        with pytest.raises(
            ConfigError, match=r"benchmarks/tofu.yaml: metric privleak: .*no 'privleek' among .*did you mean 'privleak'"
        ):
            STAGES[stage].key(plan, JobName("tofu", run, attack="relearn"))
