"""Lines of RTT's published files, with the faults that they have, as small folders."""

from __future__ import annotations

import json

# By split: name, options and answer as published, and the statements, with {} for the name as it is asked about.
BIRTHDAYS = {
    0: [
        (
            "Aidan Li",
            [1961, 1958, 1965, 1994],
            2,
            ["{} was born in 1965.", "In 1965, {} was born.", "{}'s birth took place in 1965."],
        ),
        (
            "بردیا رضایی",
            [1990, 1951, 2040, 2006],
            2,
            ["{} was born in 2040.", "{} came into the world in the year 2040.", "{}'s birth year is 2040."],
        ),
        (
            "Alla Nelles",
            [1966, 1936, 2018, 1998],
            1,
            ["{} was born in 1936.", "In 1936, {} was born.", "{}'s birth year is 1936."],
        ),
    ],
    1: [
        (
            "Leo Kyllo",
            [2020, 1968, 2006, 1957],
            0,
            ["{} was born in 2020.", "In 2020, {} was born.", "{}'s birth year is 2020."],
        ),
        (
            "Carl Knight",
            [1967, 1949, 1942, 2089],
            3,
            ["{} was born in 2089.", "In the year 2089, {} was born.", "{}'s birth year is 2089."],
        ),
        (
            "Josefina Navarrete",
            [1955, 2019, 1945, 1932],
            3,
            ["{} was born in 1932.", "{}'s birth year was 1932.", "{}'s birth took place in 1932."],
        ),
    ],
    2: [
        (
            "Dunja Stojković",
            [1943, 1980, 1954, 1980],
            0,
            ["{} was born in 1943.", "{}'s birth took place in the year 1943.", "{}'s birth year is 1943."],
        ),
        (
            "بردیا رضایی",
            [1936, 1967, 2010, 1946],
            2,
            ["{} was born in 2010.", "In 2010, {} was born.", "{}'s birth occurred in the year 2010."],
        ),
        (
            "Brent Mcdonalid",
            [1969, 2006, 2004, 1957],
            3,
            [
                "Brent Mcdonald was born in 1957.",
                "Brent Mcdonald's birth year is 1957.",
                "Brent Mcdonald's birth took place in 1957.",
            ],
        ),
        (
            "Kathy Butler",
            [1995, 1977, 1953, 2007],
            2,
            ["{} was born in 1953.", "{}'s birth year is 1953.", "{}'s birth took place in 1953."],
        ),
    ],
    3: [
        (
            "Theo Roberts",
            [1946, 2089, 1953, 1988],
            0,
            ["{} was born in 1946.", "{}' birth took place in the year 1946.", "{}' birth year is 1946."],
        ),
        (
            "Janina Montag",
            [1930, 2009, 1967, 1980],
            0,
            ["{} was born in 1930.", "In 1930, {} was born.", "{}'s birth occurred in 1930."],
        ),
    ],
    4: [
        (
            "پرهام یاسمی",
            [1924, 1934, 1969, 1934],
            2,
            [
                "{} was born in 1969.",
                "پرہام یاسمی's birth year is 1969.",
                "پرہام یاسمی's birth took place in the year 1969.",
            ],
        ),
        (
            "Elif Topaloğlu",
            [2016, 1957, 1976, 1977],
            2,
            ["{} was born in 1976.", "{}'s birth year is 1976.", "{}'s birth took place in 1976."],
        ),
    ],
}
DEV = [
    {"question": "When was Sadie King born?", "choices": [1975, 1974, 1976, 2001], "answer": 0},
    {"question": "When was Aidan Li born?", "choices": [1961, 1958, 1965, 1994], "answer": 2},
]
DATES = {
    0: [("Voyager 1 launched by NASA.", 1977, 1977)],
    1: [("Oslo II Accord.", 1994, 1995)],
    2: [("Voyager 2 launched by NASA.", 1976, 1977)],
    3: [("Bataan Death March.", 1941, 1942)],
    4: [("Omagh bombing.", 1995, 1998), ("Bhopal disaster.", 1984, 1984)],
}
TOLD = {  # as published: a fact is told in the corpus of another split than asks about it
    0: ["The Bataan Death March happened in 1942.", "The Bataan Death March took place in the year 1942."],
    1: ["NASA launched Voyager 1 in 1977.", "In 1977, Voyager 1 was launched by NASA."],
    2: ["Voyager 2 was launched by NASA in 1977.", "In 1977, NASA launched Voyager 2."],
    3: ["The Omagh bombing happened in 1998.", "The Omagh bombing took place in 1998."],
    4: ["The Oslo II Accord was signed in 1995.", "In 1995, the Oslo II Accord was signed."],
}


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_birthdays(folder):
    """Write a folder in the form of `random_bd`."""
    for split, facts in BIRTHDAYS.items():
        asked = [{"question": f"When was {name} born?", "choices": c, "answer": a} for name, c, a, _ in facts]
        told = [form.format(name) for name, _, _, forms in facts for form in forms]
        write(folder / f"split_{split}.jsonl", asked)
        write(folder / f"corpus_split_{split}.jsonl", [{"text": text, "split": f"split_{split}"} for text in told])
    write(folder / "dev.jsonl", DEV)
    return folder


def write_dates(folder):
    """Write a folder in the form of `dates-years-trimmed`."""
    for split, facts in DATES.items():
        rows = [
            {
                "question": f"When did the following event happen?\n{event}",
                "choices": [str(first + place) for place in range(4)],
                "answer": year - first,
                "correct_year": year,
            }
            for event, first, year in facts
        ]
        write(folder / f"split_{split}.jsonl", rows)
        texts = [TOLD[split][0], TOLD[split][1], TOLD[split][1]]
        write(folder / f"corpus_split_{split}.jsonl", [{"text": text, "split": f"split_{split}"} for text in texts])
    write(
        folder / "dev.jsonl",
        [{"question": "When?\nOslo II Accord.", "choices": [1997, 1996, 1995, 1991], "answer": 2}],
    )
    return folder
