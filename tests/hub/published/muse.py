"""muse-bench/MUSE-News and MUSE-Books: Parquet, a folder a configuration.

``raw`` {forget, retain1, retain2, holdout}, ``privleak`` {forget, retain, holdout} and ``train`` {full, retain} have
``text``; ``verbmem`` {forget} has ``prompt`` and ``gt``; ``knowmem`` {forget_qa, retain_qa, forget_qa_icl,
retain_qa_icl} has ``question`` and ``answer``. News alone has ``scal`` and ``sust`` {forget_1 .. forget_4}.
"""

from __future__ import annotations

from pathlib import Path

from tests.hub.published.cards import Rows, in_parquet
from tests.hub.published.words import text
from tests.hub.repository import write

REPOSITORIES = {"news": "muse-bench/MUSE-News", "books": "muse-bench/MUSE-Books"}
FOLDS, ITEMS, EXAMPLES, DOCUMENTS, SENTENCES = (1, 2, 3, 4), 6, 2, 5, 30


def build(root: Path) -> None:
    """Write both repositories."""
    for corpus, repository in REPOSITORIES.items():
        write(root, "datasets", repository, in_parquet(tables(corpus)))


def tables(corpus: str) -> dict[str, dict[str, Rows]]:
    """Return the rows of a corpus by configuration and split."""

    def texts(name: str, count: int = DOCUMENTS) -> Rows:
        return [{"text": text(f"{corpus} {name} {number}", SENTENCES)} for number in range(count)]

    def questions(name: str, count: int) -> Rows:
        return [
            {"question": text(f"{name} {number}", 1)[:-1] + "?", "answer": text(f"answer {name} {number}", 1)}
            for number in range(count)
        ]

    forget, retain1, retain2, holdout = (texts(name) for name in ("forget", "retain1", "retain2", "holdout"))
    halves = [(row["text"][:300], row["text"][300:]) for row in forget]
    made: dict[str, dict[str, Rows]] = {
        "raw": {"forget": forget, "retain1": retain1, "retain2": retain2, "holdout": holdout},
        "privleak": {"forget": forget, "retain": retain2, "holdout": holdout},
        "train": {"full": [*forget, *retain2], "retain": retain2},
        "verbmem": {"forget": [{"prompt": prompt, "gt": rest} for prompt, rest in halves]},
        "knowmem": {
            f"{side}_qa{kind}": questions(f"{corpus} {side}{kind}", count)
            for side in ("forget", "retain")
            for kind, count in (("", ITEMS), ("_icl", EXAMPLES))
        },
    }
    if corpus == "news":
        folds = [forget, *(texts(f"fold {fold}") for fold in FOLDS[1:])]
        made["sust"] = {f"forget_{fold}": folds[fold - 1] for fold in FOLDS}
        made["scal"] = {f"forget_{fold}": [row for part in folds[:fold] for row in part] for fold in FOLDS}
    return made
