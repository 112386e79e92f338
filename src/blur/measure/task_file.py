"""lm-eval task YAMLs of this project: how a question is put; the questions themselves are a set of the data."""

from __future__ import annotations

from typing import Any

from blur.core import yaml
from blur.core.errors import ConfigError
from blur.core.shipped import find

_DATA_KEYS = ("dataset_path", "dataset_name", "dataset_kwargs", "custom_dataset")


def read_task(path: str) -> dict[str, Any]:
    """Read the YAML of a multiple-choice task without data.

    Raises:
        ConfigError: no such file, not plain YAML (``!function`` is code from a file), another kind of task, or one
            that names its own data.
    """
    content = yaml.read(find(path))
    if not isinstance(content, dict) or content.get("output_type") != "multiple_choice":
        raise ConfigError("no multiple-choice task of lm-eval", path, "Set `output_type: multiple_choice`")
    for key in _DATA_KEYS:
        if key in content:
            raise ConfigError(f"`{key}` names data", path, "Drop it: the questions are the request's `set`")
    return content
