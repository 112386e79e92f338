"""lm-eval task YAMLs of this project: how a question is put; the questions themselves are a set of the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from yaml import YAMLError

from blur.core import yaml
from blur.core.errors import ConfigError

_DATA_KEYS = ("dataset_path", "dataset_name", "dataset_kwargs", "custom_dataset")


def read_task(path: str) -> dict[str, Any]:
    """Read the YAML of a multiple-choice task without data.

    Raises:
        ConfigError: no such file, not plain YAML (``!function`` is code from a file), another kind of task, or one
            that names its own data.
    """
    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        remedy = "Name a file of config/lm_eval, or a task of lm-eval without `set`"
        raise ConfigError(f"cannot be read ({error.strerror})", path, remedy) from error
    except YAMLError as error:
        raise ConfigError(f"not plain YAML ({error})", path, "Use templates in place of `!function`") from error
    if not isinstance(content, dict) or content.get("output_type") != "multiple_choice":
        raise ConfigError("no multiple-choice task of lm-eval", path, "Set `output_type: multiple_choice`")
    for key in _DATA_KEYS:
        if key in content:
            raise ConfigError(f"`{key}` names data", path, "Drop it: the questions are the request's `set`")
    return content
