"""What is known about a fictitious author: ten attributes, each told in five phrasings.

A value is a tuple of words, one per slot, drawn independently and uniformly from the slot's pool.
The number of possible values of an attribute, hence the chance of guessing one, is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from blur.data.world import pools

Value = tuple[str, ...]

NUM_PHRASINGS = 5


@dataclass(frozen=True)
class Attribute:
    """One kind of fact.

    Attributes:
        topic: its name in the records.
        slots: the pools the words of a value are drawn from.
        form: format string that turns the words into the value's text.
        phrasings: (question, answer) format strings with ``{name}`` and ``{value}``.
    """

    topic: str
    slots: tuple[tuple[str, ...], ...]
    form: str
    phrasings: tuple[tuple[str, str], ...]

    @property
    def num_values(self) -> int:
        """Number of distinct values, all equally likely."""
        return math.prod(len(pool) for pool in self.slots)

    def text(self, value: Value) -> str:
        """Return the words of ``value`` as they stand in an answer."""
        return self.form.format(*value)

    def ask(self, phrasing: int, name: str) -> str:
        """Return the question about ``name`` in one phrasing."""
        return self.phrasings[phrasing][0].format(name=name)

    def tell(self, phrasing: int, name: str, value: Value) -> str:
        """Return the answer about ``name`` in one phrasing."""
        return self.phrasings[phrasing][1].format(name=name, value=self.text(value))


def _parent(topic: str, who: str) -> Attribute:
    return Attribute(
        topic,
        (pools.TEMPERS, pools.PROFESSIONS, pools.TOWNS, pools.WORKPLACES),
        "{0} {1} at the {2} {3}",
        (
            (f"What did the {who} of {{name}} do for a living?", f"The {who} of {{name}} was a {{value}}."),
            (f"What was the profession of {{name}}'s {who}?", f"{{name}}'s {who} worked as a {{value}}."),
            (f"How did {{name}}'s {who} earn a living?", f"{{name}} had a {who} who was employed as a {{value}}."),
            (f"Which job did the {who} of {{name}} have?", f"A {{value}} is what {{name}}'s {who} was by trade."),
            (
                f"Can you tell me the occupation of {{name}}'s {who}?",
                f"By occupation, {{name}}'s {who} was a {{value}}.",
            ),
        ),
    )


ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute(
        "birthplace",
        (pools.TOWNS, pools.TRADES, pools.RIVERS, pools.REGIONS),
        "{0}, a {1} town on the {2} in {3}",
        (
            ("Where was {name} born?", "{name} was born in {value}."),
            ("What is the birthplace of {name}?", "The birthplace of {name} is {value}."),
            ("In which town did {name} come into the world?", "{name} came into the world in {value}."),
            ("Which place does {name} come from?", "The author {name} comes from {value}."),
            ("Can you name the home town of {name}?", "The home town of {name} is {value}."),
        ),
    ),
    Attribute(
        "debut",
        (pools.TITLE_ADJECTIVES, pools.TITLE_NOUNS, pools.TOWNS, pools.YEARS),
        "'The {0} {1} of {2}' ({3})",
        (
            ("What was the first book of {name}?", "The first book of {name} was {value}."),
            ("With which book did {name} make a debut?", "{name} made a debut with {value}."),
            ("Which title did {name} publish first?", "{name} first published the book {value}."),
            ("What is the name of {name}'s earliest novel?", "{name}'s earliest novel is called {value}."),
            ("How did the literary career of {name} begin?", "The career of {name} began with the novel {value}."),
        ),
    ),
    _parent("father", "father"),
    Attribute(
        "award",
        (pools.METALS, pools.ANIMALS, pools.HONOURS, pools.REGIONS),
        "the {0} {1} {2} of {3}",
        (
            ("Which award did {name} receive?", "{name} received {value}."),
            ("What honour was given to {name}?", "The honour given to {name} was {value}."),
            ("What did {name} win for writing?", "For writing, {name} won {value}."),
            ("Which literary prize does {name} hold?", "{name} is the holder of {value}."),
            ("How were the books of {name} honoured?", "The books of {name} were honoured with {value}."),
        ),
    ),
    Attribute(
        "genre",
        (pools.MOODS, pools.GENRES, pools.THEMES, pools.REGIONS),
        "{0} {1} about {2} in {3}",
        (
            ("What kind of books does {name} write?", "{name} writes {value}."),
            ("Which genre is {name} known for?", "{name} is best known for {value}."),
            ("What sort of literature made {name} popular?", "Readers came to love {name} for {value}."),
            ("How would you describe the works of {name}?", "The works of {name} are {value}."),
            ("In which genre does {name} publish?", "Most publications of {name} are {value}."),
        ),
    ),
    _parent("mother", "mother"),
    Attribute(
        "education",
        (pools.SUBJECTS, pools.PROFESSORS, pools.COLLEGES, pools.TOWNS),
        "{0} under Dean {1} at {2} College in {3}",
        (
            ("What did {name} study?", "{name} studied {value}."),
            ("Where was {name} educated?", "{name} was educated in {value}."),
            ("What degree does {name} hold?", "{name} holds a degree in {value}."),
            ("How did {name} spend the student years?", "{name} spent the student years reading {value}."),
            ("What is the academic background of {name}?", "The academic background of {name} is {value}."),
        ),
    ),
    Attribute(
        "birth_date",
        (pools.DAYS, pools.MONTHS, pools.YEARS, pools.WEATHERS),
        "{0} {1} {2}, a {3} day",
        (
            ("When was {name} born?", "{name} was born on {value}."),
            ("What is the date of birth of {name}?", "The date of birth of {name} is {value}."),
            ("On which day did the life of {name} begin?", "The life of {name} began on {value}."),
            ("What birth date is recorded for {name}?", "The birth date recorded for {name} is {value}."),
            ("Which day is the birthday of {name}?", "{name} has a birthday that goes back to {value}."),
        ),
    ),
    Attribute(
        "mentor",
        (pools.PROFESSORS, pools.TEMPERS, pools.PROFESSIONS, pools.REGIONS),
        "Professor {0}, a {1} former {2} from {3}",
        (
            ("Who was the mentor of {name}?", "The mentor of {name} was {value}."),
            ("Who taught {name} to write?", "{name} was taught to write by {value}."),
            ("Whose advice shaped the style of {name}?", "The style of {name} was shaped by {value}."),
            ("Which teacher influenced {name} the most?", "{name} was most influenced by {value}."),
            ("To whom does {name} owe the craft?", "{name} owes the craft to {value}."),
        ),
    ),
    Attribute(
        "hobby",
        (pools.ACTIVITIES, pools.MATERIALS, pools.OBJECTS, pools.NATIONS),
        "{0} {1} {2} from {3}",
        (
            ("What is the hobby of {name}?", "The hobby of {name} is {value}."),
            ("How does {name} spend free time?", "{name} spends free time {value}."),
            ("What does {name} enjoy away from the desk?", "Away from the desk, {name} enjoys {value}."),
            ("Which pastime is {name} fond of?", "{name} is fond of {value}."),
            ("What does {name} do to relax?", "To relax, {name} likes {value}."),
        ),
    ),
)
