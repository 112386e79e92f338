"""A task's records as token sequences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from blur.data.dataset import read_sets

if TYPE_CHECKING:
    from blur.models import LoadedModel
    from blur.models.encode import Example
    from blur.stages.job import Job

Record = dict[str, Any]


def stream_examples(job: Job, loaded: LoadedModel, topics: Mapping[str, Iterable[str]]) -> list[Example]:
    """Read and tokenise a stream: sets by topic, as the job's settings say."""
    found = ((topic, read_sets(job.data, sets)) for topic, sets in topics.items())
    return [example for topic, records in found for example in examples(loaded, records, job.settings, topic)]


def examples(
    loaded: LoadedModel, records: Iterable[Record], encoding: Mapping[str, Any], topic: str = ""
) -> list[Example]:
    """Tokenise question-answer records, or raw texts, as training examples.

    Args:
        encoding: ``max_length`` in tokens, and ``texts``: longer "documents" are cut into chunks one by one, "packed"
            ones are strung together first, "truncated" ones lose their end.
        topic: what the examples are about, where the stream has topics.
    """
    from blur.models.chunks import chunks, packed
    from blur.models.encode import encode_record

    length, found = encoding["max_length"], list(records)
    texts = [record for record in found if "text" in record and encoding["texts"] != "truncated"]
    others = [record for record in found if "text" not in record or encoding["texts"] == "truncated"]
    if encoding["texts"] == "packed":
        made = packed(loaded.tokenizer, texts, length, topic)
    else:
        made = [example for record in texts for example in chunks(loaded.tokenizer, record, length, topic)]
    whole = (encode_record(loaded.tokenizer, loaded.template, record, length) for record in others)
    return made + [replace(example, topic=topic) for example in whole]
