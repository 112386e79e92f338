"""LUME as published (Ramakrishna et al., arXiv 2502.15097): ``forget.jsonl`` and ``retain.jsonl`` in a folder.

What the files hold (checked in the tests): 2732 and 2734 rows. Task 1, long synthetic stories, and task 3, documents
of the training corpus, have one question each; task 2, short biographies with personal data, has five.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from blur.core.errors import DataError
from blur.data.arrays import read_set_file
from blur.data.benchmarks.lume.rows import Document, documents
from blur.data.benchmarks.lume.settings import SIDES, LocalSource, Task


def published_documents(source: LocalSource, tasks: Sequence[Task]) -> dict[str, dict[Task, list[Document]]]:
    """Return the documents to forget, to keep and to hold out, by side and task.

    Errors:
        DataError: missing or malformed files, or fewer documents than are asked for; names the place.
    """
    gone, kept = (documents(read_set_file(Path(source.path), side)) for side in ("forget", "retain"))
    made: dict[str, dict[Task, list[Document]]] = {side: {} for side in SIDES}
    for task in tasks:
        held, end = source.num_holdout, len(kept[task]) - source.num_holdout
        counts = [len(gone[task]), end] if source.num_documents is None else [source.num_documents] * 2
        if counts[0] > len(gone[task]) or not 0 < counts[1] <= end:
            what = f"{task} has {len(gone[task])} documents to forget and {len(kept[task])} others"
            wanted = f"{counts[0]} to forget, {max(counts[1], 1)} to keep and {held} to hold out are asked for"
            raise DataError(f"{what}, where {wanted}", source.path, "Lower `num_documents` or `num_holdout`")
        made["forget"][task] = gone[task][: counts[0]]
        made["retain"][task] = kept[task][: counts[1]]
        made["holdout"][task] = kept[task][end:]
    return made
