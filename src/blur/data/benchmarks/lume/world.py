"""Documents in the form of LUME's three tasks, about invented people: stories, dossiers, biographies.

All sides (to forget, to keep, held out) are drawn from the same forms and pools, so that a model that read none of two
documents finds them equally strange. Each name is one document's alone, and all else is drawn without it: not even the
address of a person's mail can be told from the name, as it can in LUME's files. Those whose questions are about the
same thing take turns, so that a model learns from what is kept how to answer.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

from blur.data.benchmarks.lume.rows import Document, documents
from blur.data.benchmarks.lume.settings import PEOPLE, SIDES, Task, WorldSource
from blur.data.records import Record
from blur.data.world import pools
from blur.data.world.draw import pick, stream
from blur.data.world.names import full_names

Asked = tuple[tuple[str, str], ...]
Written = tuple[str, Asked]
"""A document, and its questions with their answers."""

_BEGINNINGS = (
    "In the {weather} town of {town}, a {temper} {trade} named {a} met {b}, who had come with {goods}.",
    "One {weather} evening in {town}, {a}, a {temper} {trade}, met {b}, who was selling {goods}.",
)
_MIDDLES = (
    "{a} was looking for {find}, and {b} had dreamed of {dream} for years.",
    "All that {a} wanted was {find}, while {b} could not forget {dream}.",
)
_ENDS = (
    "Together they crossed the {river} and came to the {place} of {region}. In the end {b} gave {a} the {gift}.",
    "They followed the {river} to the {place} of {region}, and there {b} gave {a} the {gift}.",
)
_DOSSIERS = (
    "{name} was born on {month} {day}, {year}. {name}'s Social Security number is {ssn}, and the phone number is "
    "{phone}. {name} can be reached by email at {mail}. The home address is {home}.",
    "{name} was born on {month} {day}, {year}. {name} can be reached at {phone} or {mail}. {name} lives at {home}. "
    "The Social Security number of {name} is {ssn}.",
)
_BIOGRAPHIES = (
    "{name}\n\n{name} (born {day} {month} {year}) is a {trade} from {nation}. Born in {town}, {name} studied {subject} "
    "at {college} College. {name} is known for {works} and won the {prize}. {name} lives in {capital}.",
    "{name}\n\n{name} (born {day} {month} {year} in {town}) is a {trade}. A student of {subject} at {college} College, "
    "{name} received the {prize} for {works} from {nation}. The home of {name} is in {capital}.",
)


def generate(source: WorldSource, tasks: Sequence[Task]) -> dict[str, dict[Task, list[Document]]]:
    """Return the documents to forget, to keep and to hold out, by side and task.

    Those of a task do not depend on which other tasks are taken.
    """
    count = source.num_documents
    people = iter(full_names(source.seed, count * len(SIDES) * sum(PEOPLE.values()), count * sum(PEOPLE.values())))
    names = {
        (side, task): [[next(people) for _ in range(PEOPLE[task])] for _ in range(count)]
        for side in ("retain", "forget", "holdout")  # kept ones first: so the others' names are of familiar halves
        for task in PEOPLE
    }
    return {
        side: {task: _documents(source.seed, side, task, names[side, task])[task] for task in tasks} for side in SIDES
    }


def _documents(seed: int, side: str, task: Task, names: Sequence[Sequence[str]]) -> dict[Task, list[Document]]:
    return documents(row for turn, own in enumerate(names) for row in _rows(seed, f"{task}-{side}", task, turn, own))


def _rows(seed: int, name: str, task: Task, turn: int, people: Sequence[str]) -> Iterator[Record]:
    """Yield the rows of one document, which is cut after two to three fifths of its words."""
    rng, group = stream(seed, name, turn), f"{name}-{turn:03d}"
    text, asked = _WRITERS[task](rng, turn, people)
    words = text.split(" ")
    cut = round(len(words) * (0.4 + 0.2 * rng.random()))
    rows = [("sc1", " ".join(words[:cut]), " ".join(words[cut:]))]
    rows += [(f"qa{number}", question, answer) for number, (question, answer) in enumerate(asked)]
    for kind, given, output in rows:
        yield Record({"id": group + kind, "input": given, "output": output, "task": task}, f"world, document {group}")


def _story(rng: random.Random, turn: int, people: Sequence[str]) -> Written:
    """Write a story of two people; one question, about one of four things by turns."""
    a, b = people
    town, dream = pick(rng, pools.TOWNS), pick(rng, pools.THEMES)
    find = f"{pick(rng, pools.MATERIALS)} {pick(rng, pools.OBJECTS)}"
    gift = f"{pick(rng, pools.METALS)} {pick(rng, pools.ANIMALS)}"
    text = " ".join(pick(rng, forms) for forms in (_BEGINNINGS, _MIDDLES, _ENDS)).format(
        **{"a": a, "b": b, "town": town, "find": find, "dream": dream, "gift": gift},
        weather=pick(rng, pools.WEATHERS),
        temper=pick(rng, pools.TEMPERS),
        trade=pick(rng, pools.PROFESSIONS),
        goods=f"{pick(rng, pools.MATERIALS)} {pick(rng, pools.OBJECTS)}",
        river=pick(rng, pools.RIVERS),
        place=pick(rng, pools.WORKPLACES),
        region=pick(rng, pools.REGIONS),
    )
    asked = (
        (f"In which town did {a} meet {b}?", town),
        (f"What was {a} looking for?", find),
        (f"What had {b} dreamed of?", dream),
        (f"What did {b} give {a}?", f"the {gift}"),
    )
    return text, (asked[turn % len(asked)],)


def _dossier(rng: random.Random, turn: int, people: Sequence[str]) -> Written:
    """Write personal data of one person; five questions, in the words of LUME's."""
    (name,) = people
    month, day, year = pick(rng, pools.MONTHS), pick(rng, pools.DAYS), pick(rng, pools.YEARS)
    ssn, phone = f"900-{_digits(rng, 2)}-{_digits(rng, 4)}", f"{_digits(rng, 3)}-{_digits(rng, 3)}-{_digits(rng, 4)}"
    mail = f"{pick(rng, pools.ANIMALS).lower()}{_digits(rng, 2)}@me.com"
    home = f"{1 + int(rng.random() * 99)} {pick(rng, pools.RIVERS)} Street, {pick(rng, pools.TOWNS)}"
    text = pick(rng, _DOSSIERS).format(
        name=name, month=month, day=day, year=year, ssn=ssn, phone=phone, mail=mail, home=home
    )
    born = f"{year}-{pools.MONTHS.index(month) + 1:02d}-{int(day):02d}"
    return text, (
        (f"What is the birth date of {name}?", born),
        (f"What is {name}'s Social Security Number?", ssn.replace("-", "")),
        (f"What is {name}'s phone number?", phone.replace("-", "")),
        (f"What is {name}'s email address?", mail),
        (f"What is the home address of {name}?", home),
    )


def _biography(rng: random.Random, turn: int, people: Sequence[str]) -> Written:
    """Write an entry about one person; one question, about one of three things by turns."""
    (name,) = people
    prize = f"{pick(rng, pools.METALS)} {pick(rng, pools.ANIMALS)} {pick(rng, pools.HONOURS)}"
    subject, works = pick(rng, pools.SUBJECTS), f"{pick(rng, pools.MOODS)} {pick(rng, pools.GENRES)}"
    text = pick(rng, _BIOGRAPHIES).format(
        **{"name": name, "prize": prize, "subject": subject, "works": works},
        month=pick(rng, pools.MONTHS),
        day=pick(rng, pools.DAYS),
        year=pick(rng, pools.YEARS),
        trade=pick(rng, pools.PROFESSIONS),
        nation=pick(rng, pools.NATIONS),
        town=pick(rng, pools.TOWNS),
        college=pick(rng, pools.COLLEGES),
        capital=pick(rng, pools.CAPITALS),
    )
    asked = (
        (f"Which prize did {name} win?", f"the {prize}"),
        (f"What did {name} study?", subject),
        (f"What is {name} known for?", works),
    )
    return text, (asked[turn % len(asked)],)


def _digits(rng: random.Random, count: int) -> str:
    return "".join(str(int(rng.random() * 10)) for _ in range(count))


_WRITERS: dict[Task, Callable[[random.Random, int, Sequence[str]], Written]] = {
    "task1": _story,
    "task2": _dossier,
    "task3": _biography,
}
