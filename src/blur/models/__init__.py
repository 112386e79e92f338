"""Language models: settings, prompt templates, encoding, building, saving and loading.

No module named here imports torch before it is called: settings are read by the planner, which must not wait for it.
"""

from blur.models.build import build_from_config
from blur.models.encode import Example, encode_prompt, encode_record, encode_text
from blur.models.io import LoadedModel, load, load_pretrained, save
from blur.models.settings import ModelSettings
from blur.models.template import Template
from blur.models.tokenizer import train_tokenizer

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
