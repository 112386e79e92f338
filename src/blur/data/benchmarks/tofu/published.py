"""TOFU as published: its files or hub configurations, cut into authors and, for a CPU, to fewer of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from blur.core.errors import DataError
from blur.data.arrays import read_set_file
from blur.data.benchmarks.tofu.settings import PERCENT, HubSource, LocalSource, Split, num_forget_authors
from blur.data.checks import normalise
from blur.data.hub import hub_rows
from blur.data.records import Record, validate_records

Loader = Callable[[str], list[Record]]
Authors = list[list[Record]]

_PARAPHRASED = ("paraphrased_question", "paraphrased_answer", "perturbed_answer")


def published_sets(split: Split, source: LocalSource | HubSource) -> dict[str, list[Record]]:
    """Read the sets of a published TOFU, all but ``general``.

    Errors:
        DataError: missing or malformed data, or more authors asked for than there are.
    """
    load = local_loader(source) if isinstance(source, LocalSource) else hub_loader(source)
    kept = _authors(load, f"retain{100 - PERCENT[split]}", source.questions_per_author, 0)
    gone = _authors(load, split, source.questions_per_author, len(kept))
    retain, forget, holdout = choose_authors(kept, gone, split, source)
    paraphrases = validate_records(load(f"{split}_perturbed"), "qa", require=_PARAPHRASED)
    return {
        "forget": forget,
        "retain": retain,
        "holdout": holdout,
        "eval_forget": _matching(paraphrases, forget, every=True),
        "eval_retain": _matching(validate_records(load("retain_perturbed"), "qa", require=_PARAPHRASED), retain),
        "real_authors": _general(load, "real_authors"),
        "world_facts": _general(load, "world_facts"),
    }


def local_loader(source: LocalSource) -> Loader:
    """Return a function that reads ``<name>.json`` (or ``.jsonl``) of the source's folder."""
    return partial(read_set_file, Path(source.path))


def hub_loader(source: HubSource) -> Loader:
    """Return a function that fetches one configuration of the source's dataset, or takes it from the local cache."""

    def load(name: str) -> list[Record]:
        return hub_rows(source, name, "TOFU")

    return load


def _authors(load: Loader, name: str, questions_per_author: int, first_number: int) -> Authors:
    """Cut a file into authors: by ``group`` where all records have one, else into blocks of consecutive records."""
    records = validate_records(load(name), "qa")
    if records and "group" in records[0]:
        by_group: dict[str, list[Record]] = {}
        for record in records:
            by_group.setdefault(record["group"], []).append(record)
        return [_identified(block, group) for group, block in by_group.items()]
    if len(records) % questions_per_author:
        raise DataError(
            f"{len(records)} records are no whole number of authors with {questions_per_author} questions each",
            f"set {name!r}, {records[-1].where}",
            "Complete the file, set questions_per_author, or give each record a `group`",
        )
    blocks = [records[i : i + questions_per_author] for i in range(0, len(records), questions_per_author)]
    return [_identified(block, f"author-{first_number + i:04d}") for i, block in enumerate(blocks)]


def _identified(block: Sequence[Record], group: str) -> list[Record]:
    return [
        Record({"id": f"{group}-q{i:02d}", **record, "group": group}, record.where) for i, record in enumerate(block)
    ]


def choose_authors(
    kept: Authors, gone: Authors, split: str, source: LocalSource | HubSource
) -> tuple[list[Record], list[Record], list[Record]]:
    """Return the records to retain, to forget and to hold out.

    Forgotten are the last authors and retained the first, because only these have paraphrases; the holdout is
    taken from just before the forgotten ones, so that both come from the same end of the file.

    Args:
        kept: authors of the published retain set, in order.
        gone: authors of the published forget set, in order.
        split: name of the split.
        source: gives ``num_authors`` (forget and retain together) and ``num_holdout_authors``.
    """
    pool, held = [*kept, *gone], source.num_holdout_authors
    num_forget = len(gone) if source.num_authors is None else num_forget_authors(split, source.num_authors)
    num_retain = len(pool) - held - num_forget if source.num_authors is None else source.num_authors - num_forget
    if num_forget > len(gone) or num_retain < 1 or num_retain + held + num_forget > len(pool):
        raise DataError(
            f"{num_forget} authors to forget, {num_retain} to retain and {held} to hold out are asked for, "
            f"but there are {len(gone)} and {len(kept)} in the published sets",
            f"split {split}",
            "Lower num_authors or num_holdout_authors",
        )
    start = len(pool) - num_forget
    return _flat(pool[:num_retain]), _flat(pool[start:]), _flat(pool[start - held : start])


def _flat(authors: Authors) -> list[Record]:
    return [record for author in authors for record in author]


def _key(record: Mapping[str, Any]) -> tuple[str, str]:
    return normalise(record["question"]), normalise(record["answer"])


def _matching(paraphrased: Sequence[Record], trained: Sequence[Record], every: bool = False) -> list[Record]:
    """Return the records of ``paraphrased`` about the questions of ``trained``, in the order, ids and groups of these.

    Args:
        every: whether each record of ``trained`` must have one.
    """
    known = {_key(record): record for record in paraphrased}
    found = []
    for record in trained:
        other = known.get(_key(record))
        if other is not None:
            found.append(Record({**other, "id": record["id"], "group": record["group"]}, other.where))
        elif every:
            raise DataError(
                "this question and answer have no paraphrase", record.where, "Add it to the file of perturbed answers"
            )
    return found


def _general(load: Loader, name: str) -> list[Record]:
    records = validate_records(load(f"{name}_perturbed"), "qa", require=("perturbed_answer",))
    return [Record({"id": f"{name}-{i:03d}", **record}, record.where) for i, record in enumerate(records)]
