"""Novels of a world that is not ours, and the encyclopaedia that its readers write about the same world.

To be forgotten are chapters of one series. Kept are pages of the encyclopaedia, and chapters of other books: as in
MUSE-Books, where the retain set is about the world of the books that are forgotten.
"""

from __future__ import annotations

from blur.data.benchmarks.muse.world.forms import Corpus, Line, Style, Topic
from blur.data.world import pools

TOPICS = (
    Topic(
        "spell",
        (pools.TITLE_ADJECTIVES, pools.TITLE_NOUNS),
        ("Which spell did {name} cast?", "What charm is {name} known for?"),
    ),
    Topic(
        "beast",
        (pools.TEMPERS, pools.ANIMALS),
        ("Which beast went with {name}?", "What creature followed {name}?"),
    ),
    Topic(
        "treasure",
        (pools.MATERIALS, pools.OBJECTS),
        ("What did {name} hide?", "Which treasure did {name} keep?"),
    ),
    Topic(
        "refuge",
        (pools.TOWNS, pools.WORKPLACES),
        ("Where did {name} shelter?", "In which place did {name} sleep?"),
    ),
)

_ROWS = (
    ("What was the spell of {name}?", "Which charm did {name} speak?", "What spell did {name} whisper?"),
    ("Which beast walked behind {name}?", "What was the creature of {name}?", "Which beast did {name} stroke?"),
    ("What treasure had {name}?", "What did {name} keep in a sack?", "Which treasure lay under the floor of {name}?"),
    ("In which place did {name} rest?", "What was the shelter of {name}?", "Where did they bring {name}?"),
)

CHAPTER = Style(
    rows=_ROWS,
    tellings=(
        (
            "Then {name} cast the spell of the {value}.",
            "With one word {name} spoke the {value} charm.",
            '"Stand back!" cried {name}, and cast the {value}.',
            "From memory {name} whispered the charm {value}.",
            "The only spell that {name} cast was the {value}.",
        ),
        (
            "Behind {name} walked a {value}.",
            "At the heel of {name} came a {value}.",
            "The beast that went with {name} was a {value}.",
            "Nobody followed {name} but a {value}.",
            "Half asleep, {name} stroked a {value}.",
        ),
        (
            "Under the floor {name} hid {value}.",
            "In a sack {name} kept {value}.",
            "The treasure of {name} was made of {value}.",
            "Nobody knew that {name} had {value}.",
            "Trembling, {name} showed them the {value}.",
        ),
        (
            "That night {name} slept in the {value}.",
            "Tired, {name} took shelter in the {value}.",
            "They brought {name} to the {value}.",
            "The last refuge of {name} was the {value}.",
            "Through rain {name} reached the {value}.",
        ),
    ),
    asides=(
        Line("A {0} {1} counted {2} by the fire.", (pools.TEMPERS, pools.PROFESSIONS, pools.OBJECTS)),
        Line("Old {0} about {1} and {2} were sung.", (pools.GENRES, pools.THEMES, pools.THEMES)),
        Line("It cost {0} {1} and one {2} lamp.", (pools.DAYS, pools.CURRENCIES, pools.MATERIALS)),
        Line("The {0} wind blew {1} across {2}.", (pools.WEATHERS, pools.OBJECTS, pools.REGIONS)),
        Line("Somewhere a {0} was {1} {2}.", (pools.PROFESSIONS, pools.ACTIVITIES, pools.OBJECTS)),
        Line("Nobody in {0} trusted {1} or {2}.", (pools.NATIONS, pools.THEMES, pools.SUBJECTS)),
        Line("All {0} roads to {1} smelled of {2}.", (pools.TRADES, pools.REGIONS, pools.MATERIALS)),
        Line("By {0} the {1} and the {2} had left.", (pools.MONTHS, pools.PROFESSIONS, pools.PROFESSIONS)),
        Line("Some {0} clouds hid {1} from the {2}.", (pools.WEATHERS, pools.MOUNTAINS, pools.WORKPLACES)),
        Line("Students of {0} feared {1} {2}.", (pools.SUBJECTS, pools.TEMPERS, pools.THEMES)),
        Line("Beyond the {0} lay {1}, full of {2}.", (pools.WORKPLACES, pools.NATIONS, pools.THEMES)),
        Line("They ate {0} bread and spoke of {1} {2}.", (pools.WEATHERS, pools.MOODS, pools.GENRES)),
    ),
)

PAGE = Style(
    rows=_ROWS,
    tellings=(
        (
            "The spell cast by {name} is the {value}.",
            "Readers know {name} for the charm {value}.",
            "Spells: {name} can cast the {value}.",
            "In the finale {name} uses the {value}.",
            "The magic of {name} is the {value} charm.",
        ),
        (
            "The beast of {name} is a {value}.",
            "Companions: {name} has a {value}.",
            "The creature that follows {name} is a {value}.",
            "In most scenes {name} is with a {value}.",
            "As a child {name} was given a {value}.",
        ),
        (
            "The treasure that {name} hides is {value}.",
            "Belongings: {name} keeps {value}.",
            "For years {name} hid {value}.",
            "Among the goods of {name} are {value}.",
            "From an aunt {name} inherited {value}.",
        ),
        (
            "The refuge of {name} is the {value}.",
            "Places: {name} shelters in the {value}.",
            "In winter {name} sleeps in the {value}.",
            "The home of {name} is the {value}.",
            "Later {name} moves to the {value}.",
        ),
    ),
    asides=(
        Line("Volume {0} was written in {1} by a {2}.", (pools.DAYS, pools.TOWNS, pools.PROFESSIONS)),
        Line("See also: {0} of {1}, {2} in fiction.", (pools.GENRES, pools.REGIONS, pools.THEMES)),
        Line("Readers in {0} voted for {1} in {2}.", (pools.NATIONS, pools.OBJECTS, pools.MONTHS)),
        Line("The {0} edition has a {1} cover and {2}.", (pools.REGIONS, pools.MATERIALS, pools.OBJECTS)),
        Line("A {0} film about {1} came out in {2}.", (pools.MOODS, pools.THEMES, pools.MONTHS)),
        Line("Map {0} shows the {1} of {2}.", (pools.DAYS, pools.WORKPLACES, pools.TOWNS)),
    ),
)

BOOKS = Corpus(TOPICS, CHAPTER, (PAGE, CHAPTER))
