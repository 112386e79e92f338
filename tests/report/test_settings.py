"""Each figure types its options, and knows them before it draws."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.report.options import OPTIONS, TOFU, made


@pytest.mark.parametrize("bench", OPTIONS)
@pytest.mark.parametrize("name", sorted(TOFU))
def test_a_figure_holds_its_options_as_they_resolve(name: str, bench: str) -> None:
    told = made(name, bench).model_dump(mode="json")
    assert told == {**told, "name": name, **json.loads(json.dumps(OPTIONS[bench][name]))}
    assert made(name, bench, **{key: value for key, value in told.items() if key != "name"}) == made(name, bench)


def test_options_are_checked_without_matplotlib() -> None:
    code = "from tests.report.options import TOFU, made\nfor name in TOFU: made(name)\nimport sys\n"
    code += "assert not {'matplotlib', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
