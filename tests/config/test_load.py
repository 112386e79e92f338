"""Faults in YAML files are named with file, key and remedy."""

from pathlib import Path

import pytest

from blur.config.load import merge, read_yaml, validate
from blur.config.schema import MethodConfig
from blur.core.errors import ConfigError
from blur.data.benchmarks.tofu import Data
from blur.unlearn.settings import UnlearnSettings

BASE = ("scale.yaml", {"epochs": 1})
BOTH = {"forget": [{"loss": "npo"}], "retain": [{"loss": "nll"}]}


def fault(*layers: tuple[str, dict]) -> str:
    with pytest.raises(ConfigError) as caught:
        validate(UnlearnSettings, *layers)
    return str(caught.value)


def test_merge_goes_key_by_key_and_replaces_lists_whole() -> None:
    assert merge({"a": {"x": 1, "y": 2}, "l": [1, 2]}, {"a": {"y": 3}, "l": [9]}) == {"a": {"x": 1, "y": 3}, "l": [9]}


def test_merge_drops_the_parameters_of_another_choice() -> None:
    below = {"combine": {"name": "bilevel", "gamma": 4.0}}
    assert merge(below, {"combine": {"name": "weighted"}}) == {"combine": {"name": "weighted"}}
    assert merge(below, {"combine": {"gamma": 2.0}}) == {"combine": {"name": "bilevel", "gamma": 2.0}}


def test_merge_leaves_its_arguments_alone() -> None:
    below = {"a": {"x": 1}}
    merge(below, {"a": {"y": 2}})
    assert below == {"a": {"x": 1}}


def test_the_file_that_a_wrong_value_came_from_is_named() -> None:
    assert fault(("scale.yaml", {"epochs": "x"}), ("m.yaml", BOTH)).startswith("scale.yaml: key 'epochs'")
    assert fault(BASE, ("m.yaml", {**BOTH, "batch_size": 0})).startswith("m.yaml: key 'batch_size'")


def test_an_unknown_key_gets_the_nearest_name() -> None:
    message = fault(BASE, ("m.yaml", {"retain": [{"loss": "nll", "strem": "retain"}]}))
    assert message.startswith("m.yaml: unknown key 'retain.0.strem'. Did you mean 'stream'?")
    assert "batchsize" in fault(BASE, ("m.yaml", {**BOTH, "batchsize": 4}))


def test_an_unknown_loss_gets_the_nearest_name() -> None:
    message = fault(BASE, ("m.yaml", {"retain": [{"loss": "nl"}]}))
    assert message.startswith("m.yaml: key 'retain.0.loss'")
    assert "'nll'" in message


def test_an_unknown_hyper_parameter_is_refused() -> None:
    message = fault(BASE, ("m.yaml", {**BOTH, "combine": {"name": "bilevel", "gama": 1.0}}))
    assert message.startswith("m.yaml")
    assert "gama" in message


def test_files_that_are_missing_or_no_yaml(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text("a: [1\n")
    with pytest.raises(ConfigError, match="Did you mean 'small'"):
        read_yaml(tmp_path / "smal.yaml")
    with pytest.raises(ConfigError, match=r"small.yaml, line 2: not valid YAML"):
        read_yaml(tmp_path / "small.yaml")
    (tmp_path / "small.yaml").write_text("- 1\n")
    with pytest.raises(ConfigError, match="mapping"):
        read_yaml(tmp_path / "small.yaml")


def test_a_contradiction_of_the_whole_file_names_no_key() -> None:
    assert fault(("m.yaml", BOTH)) == "m.yaml: give exactly one of epochs and steps. Mend it"


def test_a_misspelt_key_is_named_rather_than_the_one_that_is_missing() -> None:
    with pytest.raises(ConfigError, match=r"s.yaml: unknown key 'titel'. Did you mean 'title'"):
        validate(MethodConfig, ("s.yaml", {"titel": "x"}))


def test_keys_of_data_are_named_as_the_file_has_them() -> None:
    with pytest.raises(ConfigError, match=r"t.yaml: data: unknown key 'splitt'. Did you mean 'split'"):
        validate(Data, ("t.yaml: data", {"source": {"kind": "world"}, "splitt": "forget10"}))
