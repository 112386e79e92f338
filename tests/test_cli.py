"""The command line's help: what each command and option is, whole in a terminal of 80 columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from blur.cli import app

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
