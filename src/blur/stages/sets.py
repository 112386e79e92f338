"""Reading a task's sets, verified, and turning them into token sequences."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blur.core import manifest as manifests
from blur.data.dataset import read_set

if TYPE_CHECKING:
    from blur.models import LoadedModel
    from blur.models.encode import Example

Record = dict[str, Any]


def read_sets(directory: Path, names: Iterable[str]) -> list[Record]:
    """Return the records of several sets one after another; each file is checked against the manifest."""
    manifest = manifests.read(directory)
    return [record for name in names for record in read_set(directory, name, manifest)]


def examples(loaded: LoadedModel, records: Iterable[Record], max_length: int) -> list[Example]:
    """Tokenise question-answer records, or raw texts, as training examples."""
    from blur.models.encode import encode_record

    return [encode_record(loaded.tokenizer, loaded.template, record, max_length) for record in records]
