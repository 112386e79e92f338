"""Stage ``base``: the model that training starts from, fetched by name or built from its architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blur.core.errors import asked_in
from blur.core.runtime import make_deterministic
from blur.data.dataset import read_sets, texts_of
from blur.models.build import build_from_config
from blur.models.io import load_pretrained, save
from blur.models.tokenizer import train_tokenizer
from blur.stages.card import card
from blur.stages.job import Job

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def run(job: Job) -> None:
    """Write the base model's directory."""
    with job.writing() as done:
        if done:
            return
        make_deterministic(job.threads)
        model, tokenizer = _made(job)
        files = save(model, tokenizer, job.task.model.template, job.directory, card(job))
        job.close(files, num_parameters=sum(p.numel() for p in model.parameters()))


def _made(job: Job) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Fetch or build the model and its tokenizer."""
    settings = job.task.model
    if settings.name_or_path is not None:
        with asked_in(f"{job.task.model_file[0]}: model.name_or_path"):
            loaded = load_pretrained(
                settings.name_or_path,
                settings.revision,
                template=settings.template,
                max_length=settings.max_length,
                dtype=settings.dtype,
            )
        return loaded.model, loaded.tokenizer
    assert settings.architecture is not None
    assert settings.tokenizer is not None
    texts = texts_of(read_sets(job.data, job.settings["texts"]), settings.template)
    tokenizer = train_tokenizer(texts, settings.tokenizer.vocab_size)
    return build_from_config(settings.architecture, tokenizer, seed=0, dtype=settings.dtype), tokenizer
