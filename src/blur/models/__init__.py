"""Language models: settings, prompt templates, encoding, building, saving and loading.

Names are imported when first used: settings are read by the planner, which must not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blur.models.build import build_from_config
    from blur.models.encode import Example, encode_prompt, encode_record, encode_text
    from blur.models.io import LoadedModel, load, load_pretrained, save
    from blur.models.settings import ModelSettings
    from blur.models.template import Template
    from blur.models.tokenizer import train_tokenizer

_HOME = {
    "Example": "encode",
    "LoadedModel": "io",
    "ModelSettings": "settings",
    "Template": "template",
    "build_from_config": "build",
    "encode_prompt": "encode",
    "encode_record": "encode",
    "encode_text": "encode",
    "load": "io",
    "load_pretrained": "io",
    "save": "io",
    "train_tokenizer": "tokenizer",
}
__all__ = [
    "Example",
    "LoadedModel",
    "ModelSettings",
    "Template",
    "build_from_config",
    "encode_prompt",
    "encode_record",
    "encode_text",
    "load",
    "load_pretrained",
    "save",
    "train_tokenizer",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
