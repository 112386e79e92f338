"""A task's records as token sequences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from blur.core import manifest as manifests
from blur.core.choice import build
from blur.core.errors import DataError
from blur.data.dataset import read_sets

if TYPE_CHECKING:
    from blur.models import LoadedModel
    from blur.models.encode import Example
    from blur.stages.job import Job
    from blur.unlearn.alternates.base import AlternatesBase

Record = dict[str, Any]


def stream_examples(job: Job, loaded: LoadedModel, name: str) -> list[Example]:
    """Read and tokenise a stream: its sets by topic, and its alternates, as the job's settings say."""
    source = source_of(job.settings, name)
    source = source.given(made(job, source.asks)) if source and source.asks else source
    found = ((topic, read_sets(job.data, sets)) for topic, sets in job.settings["streams"][name].items())
    return [one for topic, records in found for one in examples(loaded, records, job.settings, topic, source)]


def made(job: Job, kind: str) -> Any:
    """Read what was derived for a job, checked."""
    folder = job.inputs[kind]
    manifests.check_files(folder, manifests.read(folder))
    return job.plan.derived_settings(job.name.task, kind).read(folder)


def examples(
    loaded: LoadedModel,
    records: Iterable[Record],
    encoding: Mapping[str, Any],
    topic: str = "",
    alternates: AlternatesBase | None = None,
) -> list[Example]:
    """Tokenise question-answer records, or raw texts, as training examples.

    Args:
        encoding: ``max_length`` in tokens, and ``texts``: longer "documents" are cut into chunks one by one, "packed"
            ones are strung together first, "truncated" ones lose their end.
        topic: what the examples are about, where the stream has topics.
        alternates: where each record's other answers come from, which become further rows in the same form.

    Raises:
        DataError: a record has no alternates, or is a text that is not read whole.
    """
    from blur.models.chunks import chunks, packed

    length, found = encoding["max_length"], list(records)
    texts = [record for record in found if "text" in record and encoding["texts"] != "truncated"]
    others = [record for record in found if "text" not in record or encoding["texts"] == "truncated"]
    if encoding["texts"] == "packed":
        made = packed(loaded.tokenizer, texts, length, topic)
    else:
        made = [example for record in texts for example in chunks(loaded.tokenizer, record, length, topic)]
    if made and alternates:
        what, remedy = "a text that is cut into chunks has no alternate", "Let the task have `texts: truncated`"
        raise DataError(what, f"text {made[0].id!r}", remedy)

    return made + [
        _whole(loaded, record, length, topic, alternates.of(record) if alternates else ()) for record in others
    ]


def _whole(loaded: LoadedModel, record: Record, length: int, topic: str, alternates: Iterable[str]) -> Example:
    from blur.models.encode import encode_record, scored_field

    field = scored_field(record)
    others = ({**record, "id": f"{record['id']}~{place}", field: text} for place, text in enumerate(alternates))
    own, *rest = (encode_record(loaded.tokenizer, loaded.template, one, length) for one in (record, *others))
    return replace(own, topic=topic, alternates=tuple(replace(one, topic=topic) for one in rest))


def source_of(settings: Mapping[str, Any], stream: str) -> AlternatesBase | None:
    """Return where a stream's alternates come from, as the settings in a job's key say; None where none are read."""
    told = settings.get("alternates", {}).get(stream)
    return cast("AlternatesBase", build("blur.unlearn.alternates", "Alternates", told)) if told else None
