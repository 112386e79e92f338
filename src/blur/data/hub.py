"""Rows of a dataset on the Hugging Face hub, for every benchmark that is published there."""

from __future__ import annotations

from blur.core import hub
from blur.core.errors import BlurError, DataError
from blur.data.records import Record
from blur.data.settings import Repository


def hub_rows(source: Repository, name: str | None, benchmark: str | None, split: str = "train") -> list[Record]:
    """Fetch one split of one configuration of the source's dataset, or take it from the local cache.

    Args:
        source: repository and revision.
        name: the configuration; None for the dataset's own default.
        benchmark: what the reader knows the files as, for the remedy; None where the files are of no benchmark.
        split: the split; named in faults unless it is ``train``, the only one of many datasets.

    Errors:
        DataError: it can be neither fetched nor found in the cache.
    """
    which = "" if split == "train" else f", split {split}"
    configuration = "" if name is None else f", configuration {name}"
    place = f"{source.repo}{configuration}{which}, revision {source.revision}"
    instead = f"put {benchmark}'s files in a folder and use `source: {{kind: local, path: <folder>}}`"
    if benchmark is None:
        instead = "save what you mean (`save_to_disk` of `datasets`), and name that folder"
    try:
        import datasets

        with hub.whole("dataset", source.repo):
            rows = datasets.load_dataset(source.repo, name, revision=source.revision, split=split)
    except BlurError:
        raise
    except Exception as error:  # the hub's clients raise a dozen unrelated types; each means: no data from there
        raise DataError(
            f"cannot be loaded from the hub ({hub.reason(error)})",
            place,
            f"{hub.remedy(error, 'dataset', source.repo) or hub.USUAL}, or {instead}",
        ) from error
    return [Record(row, f"{place}, row {number}") for number, row in enumerate(rows, start=1)]
