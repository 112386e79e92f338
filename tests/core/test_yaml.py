"""libyaml reads what PyYAML reads, and a fault is told in PyYAML's words."""

from pathlib import Path

import pytest
import yaml as pyyaml

from blur.core import yaml

FILES = sorted(Path("config").rglob("*.yaml"))
FAULTS = ["a: [1, 2", "a: b: c", "\tx: 1", "a: 'open", "- 1\nb: 2", "a: !function x.y", "&a *b", 'a: "\\q"']
VALUES = (
    "a: 1e-3\nb: 1.0e-3\nc: on\nd: 0x1F\ne: 2020-01-01\nf: ~\ng: {x: [1, 2]}\n"
    "h: |\n  two\n  lines\ni: ü\nj: &k [1]\nl: *k\n"
)


@pytest.mark.parametrize(
    "text",
    [VALUES, "", "# nothing\n", *(pytest.param(path.read_text(encoding="utf-8"), id=str(path)) for path in FILES)],
)
def test_the_content_is_the_same(text: str) -> None:
    assert repr(yaml.load(text)) == repr(pyyaml.safe_load(text))


def test_libyaml_is_there_and_configuration_is_read() -> None:
    assert issubclass(yaml._Fast, pyyaml.CSafeLoader)
    assert len(FILES) > 40


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_is_told_in_the_same_words(text: str) -> None:
    with pytest.raises(pyyaml.YAMLError) as expected:
        pyyaml.safe_load(text)
    with pytest.raises(pyyaml.YAMLError) as found:
        yaml.load(text)
    assert str(found.value) == str(expected.value)
