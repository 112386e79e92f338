"""WMDP as published: corpora and questions from the hub, or from a folder with the files as shipped.

Schemas, as loaded: ``cais/wmdp-corpora`` has a configuration per corpus with ``text``; the gated
``cais/wmdp-bio-forget-corpus`` has ``title, abstract, text, doi``; ``cais/wmdp`` and ``cais/mmlu`` have ``question``,
``choices`` and ``answer`` (an index), the latter ``subject`` too. In the shipped folder a line of a corpus is a JSON
object with ``text``, a JSON string or bare text.

Faults of the authors' loader (BLUR and RMU, ``rmu/utils.py``) that are not repeated: it parses the bio corpus only
under the name ``bio-forget-corpus`` while the file comes as ``bio_remove_dataset.jsonl`` (centerforaisafety/wmdp#3),
and trains on raw JSON, field names and all, under any other name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from blur.core.errors import DataError
from blur.data.arrays import read_array
from blur.data.benchmarks.wmdp.settings import HubSource, LocalSource
from blur.data.hub import hub_rows
from blur.data.records import Record, parse, read_bytes, validate_records
from blur.data.settings import Repository

_SUBJECTS = {"bio": "biology", "cyber": "cybersecurity", "chem": "chemistry"}  # lm-eval's words in its wmdp tasks
_WITHOUT_BIO = "or do without bio: `topics: [cyber]`"


def published_sets(source: HubSource | LocalSource, topics: Sequence[str]) -> dict[str, list[Record]]:
    """Read the sets that a published WMDP has; those of other topics are left out.

    Errors:
        DataError: missing or malformed data; for the gated corpus it says how to get access.
    """
    return _from_hub(source, topics) if isinstance(source, HubSource) else _from_folder(source, topics)


def _from_hub(source: HubSource, topics: Sequence[str]) -> dict[str, list[Record]]:
    sets: dict[str, list[Record]] = {}
    for topic in topics:
        rows = _bio_forget(source) if topic == "bio" else _rows(source.corpora, f"{topic}-forget-corpus")
        sets[f"{topic}_forget"] = _texts(rows, f"{topic}_forget", source.min_characters)
        if source.neighbours:
            rows = _rows(source.corpora, f"{topic}-retain-corpus")
            sets[f"{topic}_retain"] = _texts(rows, f"{topic}_retain", source.min_characters)
    for topic in (*topics, "chem"):
        sets[f"wmdp_{topic}"] = _questions(_rows(source.questions, f"wmdp-{topic}", "test"), topic)
    wikitext = _rows(source.wikitext, "wikitext-2-raw-v1", "test")
    return {
        **sets,
        "retain": _texts(wikitext, "retain", source.min_characters),
        "mmlu": _questions(_rows(source.mmlu, "all", "test"), "mmlu"),
        "mmlu_dev": _questions(_rows(source.mmlu, "all", "dev"), "mmlu-dev"),
    }


def _rows(repository: Repository, name: str, split: str = "train") -> list[Record]:
    return hub_rows(repository, name, "WMDP", split)


def _bio_forget(source: HubSource) -> list[Record]:
    try:
        return _rows(source.bio_forget, "default")
    except DataError as error:
        raise DataError(error.what, f"the gated corpus {error.where}", f"{error.remedy}, {_WITHOUT_BIO}") from error


def _from_folder(source: LocalSource, topics: Sequence[str]) -> dict[str, list[Record]]:
    files = _Folder(Path(source.path))
    sets: dict[str, list[Record]] = {}
    for topic in topics:
        names = (f"{topic}-forget-corpus.jsonl", f"{topic}-remove-dataset.jsonl")
        sets[f"{topic}_forget"] = _texts(_corpus(files.find(*names)), f"{topic}_forget", source.min_characters)
        if source.neighbours:
            rows = _corpus(files.find(f"{topic}-retain-corpus.jsonl"))
            sets[f"{topic}_retain"] = _texts(rows, f"{topic}_retain", source.min_characters)
        sets[f"wmdp_{topic}"] = _questions(read_array(files.find(f"{topic}-questions.json")), topic)
    if files.has("chem-questions.json"):
        sets["wmdp_chem"] = _questions(read_array(files.find("chem-questions.json")), "chem")
    wikitext = [Record({"text": line}, where) for where, line in _lines(files.find("wiki.test.raw"))]
    return {**sets, "retain": _texts(wikitext, "retain", source.min_characters)}


class _Folder:
    """Files by name, hyphens and underscores alike, since the files as shipped mix them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_dir():
            raise DataError("no such folder", str(path), "Check `path` in the task's data settings")
        self._files = {file.name.replace("_", "-"): file for file in sorted(path.iterdir())}

    def has(self, name: str) -> bool:
        """Say whether there is a file of that name, written with hyphens."""
        return name in self._files

    def find(self, *names: str) -> Path:
        """Return the first file that there is of these names, written with hyphens."""
        for name in names:
            if name in self._files:
                return self._files[name]
        hint = "Put it there (hyphens or underscores in the name), or choose other `topics`"
        raise DataError(f"no file {' or '.join(names)}", str(self.path), hint)


def _lines(path: Path) -> list[tuple[str, str]]:
    """Return the lines that are not blank, each with its place."""
    try:
        lines = read_bytes(path).decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        remedy = "Give a file in UTF-8: iconv -t utf-8 -f <its encoding>"
        raise DataError(f"not UTF-8 (byte {error.start + 1})", str(path), remedy) from None
    found = [(f"{path}, line {number}", line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not found:
        raise DataError("no texts", str(path), "Restore the file as shipped")
    return found


def _corpus(path: Path) -> list[Record]:
    """Return the texts of a corpus; what looks like JSON must be JSON, so that none is trained on as text."""
    rows = []
    for where, line in _lines(path):
        value: Any = parse(line.encode(), where) if line.lstrip()[0] in '{"[' else line
        rows.append(Record(value if isinstance(value, dict) else {"text": value}, where))
    return rows


def _texts(rows: Iterable[Record], name: str, min_characters: int) -> list[Record]:
    """Return text records of the rows long enough, as the authors' ``get_data`` chooses; so headings and blanks go."""
    kept = []
    for number, row in enumerate(rows):
        text = row.get("text")
        if not isinstance(text, str) or (len(text) > min_characters and text.strip()):
            kept.append(Record({"id": f"{name}-{number:05d}", **{k: row[k] for k in ("text",) if k in row}}, row.where))
    return validate_records(kept, "text")


def _questions(rows: Iterable[Record], name: str) -> list[Record]:
    """Return choice records, each with its subject as ``topic``."""
    records = [
        Record(
            {
                "id": f"{name}-{number:05d}",
                **{key: row[key] for key in ("question", "choices", "answer") if key in row},
                "topic": row.get("subject", _SUBJECTS.get(name, name)).replace("_", " "),
            },
            row.where,
        )
        for number, row in enumerate(rows)
    ]
    return validate_records(records, "choice")
