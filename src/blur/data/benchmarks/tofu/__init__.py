"""The sets of the TOFU benchmark (Maini et al., arXiv 2401.06121) from files, the hub, or a generated world.

What published TOFU holds (checked in the tests): 200 authors of 20 questions in order; ``forget<p>`` is the last p
percent of ``full`` and ``retain<100-p>`` the rest; ``forget<p>_perturbed`` repeats ``forget<p>`` with paraphrases and
five wrong answers, and ``retain_perturbed`` does so for the first 20 authors only.

``request_1..4`` part ``forget`` by author, for requests that come one after another; with fewer than four authors there
are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from blur.core.settings import Count, Flag
from blur.data.benchmarks.base import DataBase
from blur.data.benchmarks.tofu import world
from blur.data.benchmarks.tofu.published import published_sets
from blur.data.benchmarks.tofu.settings import PERCENT, HubSource, LocalSource, Split, WorldSource, num_forget_authors
from blur.data.checks import check_sets
from blur.data.records import Record

Sets = dict[str, list[Any]]

NUM_REQUESTS = 4
REQUESTS = tuple(f"request_{number}" for number in range(1, NUM_REQUESTS + 1))
SET_NAMES = (
    *("forget", "retain", "general", "eval_forget", "eval_retain", "real_authors", "world_facts", "holdout"),
    *REQUESTS,
)
_TRAINED = ("id", "question", "answer", "alternate", "group", "topic")


class Data(DataBase):
    """The sets of the TOFU benchmark, whatever their source."""

    name: Literal["tofu"] = "tofu"
    set_names: ClassVar = SET_NAMES
    texts_in: ClassVar = {"perturbed_answer": 5}
    source: Annotated[LocalSource | HubSource | WorldSource, Field(discriminator="kind")]
    split: Split = Field("forget10", description="share of the authors to forget, in percent")
    max_eval_retain: Count | None = Field(
        None, description="keep that many retain questions for evaluation, evenly spaced; all by default"
    )
    learn_general: Flag = Field(
        True, description="both trainings learn the real authors and world facts (needed from scratch)"
    )

    def build(self) -> Sets:
        """Build and check all sets of a task.

        ``general`` is empty without ``learn_general``, ``holdout`` without holdout authors, the requests with fewer
        than ``NUM_REQUESTS`` authors to forget.

        Errors:
            DataError: a file, record, split or overlap is at fault; names the place and the remedy.
        """
        source = self.source
        sets: Sets = {}
        sets |= (
            _from_world(self.split, source) if isinstance(source, WorldSource) else published_sets(self.split, source)
        )
        known = [record for name in ("real_authors", "world_facts") for record in sets[name]]
        sets["general"] = [*map(_trained, known), *_asked_again(known)] if self.learn_general else []
        sets["eval_retain"] = evenly(sets["eval_retain"], self.max_eval_retain)
        sets |= dict(zip(REQUESTS, _parted(sets["forget"]), strict=True))
        optional = {"general", "holdout", *REQUESTS}
        check_sets(sets, [name for name in SET_NAMES if name not in optional])
        return {name: sets[name] for name in SET_NAMES}

    def describe(self) -> dict[str, float]:
        """Return the known chance levels of the built sets (see ``world.chance``); empty for published data."""
        source = self.source
        if not isinstance(source, WorldSource):
            return {}
        num_forget = num_forget_authors(self.split, source.num_authors)
        return world.chance(source.num_authors - num_forget, source.questions_per_author)

    def published(self, records: Mapping[str, int]) -> dict[str, int]:
        """Return the records of each set: ``forget10`` and ``retain90`` are the published ones, others their shares."""
        percent = PERCENT[self.split]
        gone, kept = percent / PERCENT["forget10"], (100 - percent) / (100 - PERCENT["forget10"])
        shares = {"forget": gone, "eval_forget": gone, "retain": kept}
        sets = {name: round(count * shares.get(name, 1)) for name, count in records.items()}
        return sets if self.learn_general else {name: count for name, count in sets.items() if name != "general"}


def _parted(records: list[Any]) -> list[list[Any]]:
    """Cut records into ``NUM_REQUESTS`` parts of whole authors, in order, evenly; all empty with too few."""
    authors = list(dict.fromkeys(record["group"] for record in records))
    if len(authors) < NUM_REQUESTS:
        return [[] for _ in REQUESTS]
    part_of = {author: place * NUM_REQUESTS // len(authors) for place, author in enumerate(authors)}
    return [[record for record in records if part_of[record["group"]] == part] for part in range(NUM_REQUESTS)]


def evenly(records: list[Any], limit: int | None) -> list[Any]:
    """Return at most ``limit`` records, evenly spaced, so that every author and kind of question has its share."""
    if limit is None or limit >= len(records):
        return records
    return [records[index * len(records) // limit] for index in range(limit)]


def _from_world(split: Split, source: WorldSource) -> Sets:
    num_forget = num_forget_authors(split, source.num_authors)
    made = world.generate(
        seed=source.seed,
        num_forget=num_forget,
        num_retain=source.num_authors - num_forget,
        num_holdout=source.num_holdout_authors,
        questions_per_author=source.questions_per_author,
        num_real_authors=source.num_real_authors,
        num_world_facts=source.num_world_facts,
    )
    return {
        **{name: [_trained(record) for record in made[name]] for name in ("forget", "retain", "holdout")},
        "eval_forget": made["forget"],
        "eval_retain": made["retain"],
        "real_authors": made["real_authors"],
        "world_facts": made["world_facts"],
    }


def _trained(record: dict[str, Any]) -> dict[str, Any]:
    """Return what the training sets hold of a record: no paraphrase, no wrong answer."""
    fields = {field: record[field] for field in _TRAINED if field in record}
    return Record(fields, record.where) if isinstance(record, Record) else fields


def _asked_again(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a training record for each paraphrased question; the world's general items have one, TOFU's have none."""
    return [
        _trained({**record, "id": f"{record['id']}-p", "question": record["paraphrased_question"]})
        for record in records
        if "paraphrased_question" in record
    ]
