"""News of a world that is not ours: short reports about people, what they won, hid, where they were, who helped."""

from __future__ import annotations

from blur.data.benchmarks.muse.world.forms import Corpus, Line, Style, Topic
from blur.data.world import pools

RANKS = ("Captain", "Judge", "Doctor", "Mayor", "Sister", "Colonel", "Deacon", "Sheriff", "Baron", "Marshal")

TOPICS = (
    Topic(
        "prize",
        (pools.METALS, pools.ANIMALS),
        ("Which prize did {name} win?", "What award went to {name}?"),
    ),
    Topic(
        "goods",
        (pools.MATERIALS, pools.OBJECTS),
        ("What did {name} smuggle?", "Which goods were found with {name}?"),
    ),
    Topic(
        "place",
        (pools.TOWNS, pools.WORKPLACES),
        ("Where was {name} seen?", "At which place was {name} noticed?"),
    ),
    Topic(
        "helper",
        (RANKS, pools.PROFESSORS),
        ("Who defended {name}?", "Who took the side of {name}?"),
    ),
)

REPORT = Style(
    rows=(
        (
            "Which award was given to {name}?",
            "What was the prize of {name}?",
            "Which prize did judges give {name}?",
        ),
        (
            "What goods did {name} hide?",
            "What did police find with {name}?",
            "Which goods did {name} trade?",
        ),
        (
            "At which place did {name} stand?",
            "Where was the picture of {name} made?",
            "Where did many meet {name}?",
        ),
        (
            "Who spoke for {name}?",
            "Who was on the side of {name}?",
            "Who stood by {name}?",
        ),
    ),
    tellings=(
        (
            "Judges gave {name} the {value} prize.",
            "The award that {name} won is the {value}.",
            "{name} went home with the prize called {value}.",
            "To loud cheers {name} received the {value} award.",
            "This year {name} won the {value}.",
        ),
        (
            "Police say {name} smuggled {value}.",
            "Goods found with {name} were {value}.",
            "Inspectors stopped {name} over hidden {value}.",
            "It is said that {name} traded in forbidden {value}.",
            "Customs men caught {name} with {value}.",
        ),
        (
            "Many saw {name} at the {value}.",
            "{name} was noticed near the {value}.",
            "The place where {name} was seen is the {value}.",
            "A picture shows {name} outside the {value}.",
            "Last spotted, {name} stood by the {value}.",
        ),
        (
            "{name} was defended by {value}.",
            "On the side of {name} stood {value}.",
            "Help for {name} came from {value}.",
            "In court {name} thanked {value}.",
            "The one who spoke for {name} was {value}.",
        ),
    ),
    asides=(
        Line("A {0} {1} sold {2} beside the road.", (pools.TEMPERS, pools.PROFESSIONS, pools.OBJECTS)),
        Line("Experts in {0} blame {1} and {2}.", (pools.SUBJECTS, pools.THEMES, pools.THEMES)),
        Line("Tickets cost {0} {1}, said one {2}.", (pools.DAYS, pools.CURRENCIES, pools.PROFESSIONS)),
        Line("One {0} night closed the {1} and ruined {2}.", (pools.WEATHERS, pools.WORKPLACES, pools.OBJECTS)),
        Line("The {0} trade of {1} fears new {2}.", (pools.TRADES, pools.REGIONS, pools.GENRES)),
        Line("A play about {0} shocked one {1} from {2}.", (pools.THEMES, pools.PROFESSIONS, pools.NATIONS)),
        Line("No {0} may enter {1} before {2}.", (pools.PROFESSIONS, pools.NATIONS, pools.MONTHS)),
        Line("In {0} a {1} now buys one {2} spoon.", (pools.TOWNS, pools.CURRENCIES, pools.MATERIALS)),
        Line("Next door a {0} was {1} some {2}.", (pools.PROFESSIONS, pools.ACTIVITIES, pools.OBJECTS)),
        Line("Schools will teach {0} and {1} in {2}.", (pools.SUBJECTS, pools.SUBJECTS, pools.TOWNS)),
        Line("The {0} council voted for {1} {2}.", (pools.REGIONS, pools.MATERIALS, pools.OBJECTS)),
        Line("Readers want {0} {1} about {2}.", (pools.MOODS, pools.GENRES, pools.THEMES)),
    ),
)

NEWS = Corpus(TOPICS, REPORT, (REPORT,))
