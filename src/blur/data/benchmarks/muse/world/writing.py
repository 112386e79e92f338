"""From forms to documents: which sentences a document has, which words they get, and the twins of both.

Documents tell of a cast, a few people at once, and each fact is asked for at the beginning of one document, after
questions that everybody can answer in another, and told in about six more. So the name is all that a fact can be
remembered by. Where a document told of one person, or asked several questions about people, a small model remembered
each fact by whatever came before it: it continued every document and answered no question (ROUGE-L F1 0.05 and 0.3).

A model that never saw a document must find it as strange as any other it never saw. So all words and sentence forms of
the forget and holdout documents occur in kept ones too, and a holdout document is the twin of a forget document: the
same sentence forms in the same order, filled with the words of all forget documents, dealt anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blur.data.benchmarks.muse.world.forms import Pool, Style, Topic, Value
from blur.data.world.draw import deal, draw, stream

CAST = 4
NUM_OTHERS = 3
NUM_ASIDES = 2
MIN_WORDS = 4


@dataclass(frozen=True)
class Sentence:
    """A format string with ``slots``, or, told of the cast's member ``person``, with the value of ``topic``."""

    form: str
    slots: tuple[Pool, ...] = ()
    person: int = -1
    topic: int = -1


Plan = tuple[tuple[Sentence, ...], ...]  # the documents about one cast, each a row of sentences
Words = dict[Pool, list[str]]


def plans(
    seed: int, split: str, styles: Sequence[Style], count: int, known: Sequence[str], num_known: int
) -> list[Plan]:
    """Return the sentences of the documents about ``count`` casts, which are told of in ``styles`` by turns."""
    return [
        _plan(seed, f"{split} {turn}", styles[turn % len(styles)], turn // len(styles), known, num_known)
        for turn in range(count)
    ]


def _plan(seed: int, name: str, style: Style, turn: int, known: Sequence[str], num_known: int) -> Plan:
    """Ask for each fact in two documents, in one of them after ``num_known`` known rows, and tell it in others.

    Each time a fact comes up, it is told in the next of its forms; ``turn`` says which comes first.
    """
    facts = [(person, topic) for person in range(CAST) for topic in range(len(style.tellings))]
    asked = [fact for part in range(2) for fact in draw(stream(seed, name, "rows", part), facts, len(facts))]
    asides = deal(stream(seed, name, "asides"), style.asides, len(asked) * NUM_ASIDES)
    times: Counter[tuple[str, int, int]] = Counter()

    def tell(kind: str, forms: Sequence[Sequence[str]], person: int, topic: int) -> Sentence:
        ways, count = forms[topic], times[kind, person, topic]
        times[kind, person, topic] += 1
        form = ways[(turn + person + topic + count) % len(ways)]
        return Sentence(row(form, "{value}") if kind == "row" else form, person=person, topic=topic)

    documents = []
    for k, fact in enumerate(asked):
        before = draw(stream(seed, name, "known", k), known, 0 if k < len(facts) else num_known)
        others = draw(stream(seed, name, "others", k), [other for other in facts if other != fact], NUM_OTHERS)
        lines = [Sentence(line.form, line.slots) for line in asides[k * NUM_ASIDES : (k + 1) * NUM_ASIDES]]
        body = [*(tell("telling", style.tellings, *other) for other in others), *lines]
        body = draw(stream(seed, name, "order", k), body, len(body))
        documents.append((*map(Sentence, before), tell("row", style.rows, *fact), *body))
    return tuple(documents)


def row(question: str, answer: str) -> str:
    """Return a question and its answer as MUSE writes the examples before a question."""
    return f"Question: {question}\nAnswer: {answer}\n\n"


def count_slots(written: Sequence[Plan]) -> Counter[Pool]:
    """Return how many words of each pool the lines of the documents take."""
    return Counter(pool for plan in written for document in plan for sentence in document for pool in sentence.slots)


def vocabulary(seed: int, counts: Mapping[Pool, int]) -> Words:
    """Return the words that are used of each pool: so few that each comes up at least twice in ``counts`` slots."""
    return {
        pool: draw(stream(seed, "pool", pool[0]), pool, min(len(pool), max(MIN_WORDS, count // 2)))
        for pool, count in counts.items()
    }


def deal_words(seed: int, split: str, words: Words, counts: Mapping[Pool, int]) -> Words:
    """Return as many words of each pool as its slots take, all words equally often."""
    return {pool: deal(stream(seed, split, "words", pool[0]), words[pool], count) for pool, count in counts.items()}


def shuffle_words(seed: int, split: str, dealt: Words) -> Words:
    """Return the same words in another order."""
    return {pool: draw(stream(seed, split, "words", pool[0]), words, len(words)) for pool, words in dealt.items()}


def deal_values(seed: int, split: str, topic: Topic, slots: Sequence[Sequence[str]], count: int) -> list[Value]:
    """Return the values of ``count`` people; in each slot every word comes up equally often."""
    dealt = [deal(stream(seed, split, topic.name, k), pool, count) for k, pool in enumerate(slots)]
    return list(zip(*dealt, strict=True))


def twin_values(seed: int, topic: Topic, models: Sequence[Value]) -> list[Value]:
    """Return the words of ``models`` combined anew: as many values, none of which is one of ``models``."""
    taken, attempt = list(zip(*models, strict=True)), 0
    while True:
        rows = [draw(stream(seed, "twins", attempt, topic.name, k), words, len(words)) for k, words in enumerate(taken)]
        values = list(zip(*rows, strict=True))
        if not set(values) & set(models):
            return values
        attempt += 1


def write(plan: Plan, names: Sequence[str], values: Sequence[Sequence[Value]], words: Words) -> list[str]:
    """Return the documents about one cast; takes the words of their lines off ``words``.

    Args:
        names: of the cast.
        values: by member of the cast and topic.
    """

    def told(sentence: Sentence) -> str:
        if sentence.person < 0:
            return sentence.form.format(*(words[pool].pop() for pool in sentence.slots))
        value = " ".join(values[sentence.person][sentence.topic])
        return sentence.form.format(name=names[sentence.person], value=value)

    return [" ".join(map(told, document)).replace("\n ", "\n") for document in plan]
