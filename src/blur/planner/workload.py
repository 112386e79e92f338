"""How much text a task trains on and measures: records and tokens by set, steps and micro-batches of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from blur.config.load import suggest
from blur.config.plan import Plan
from blur.config.task import Run, Task
from blur.core.errors import ConfigError
from blur.data.benchmarks.base import DataBase
from blur.measure.settings import MeasureSettings
from blur.planner.activations import Tokens
from blur.planner.catalogue import Catalogue, SetSize
from blur.unlearn.settings import UnlearnSettings

Sizes = Mapping[str, SetSize]
TEMPLATE_TOKENS = 8  # of a question's frame, where data are counted in characters


@dataclass(frozen=True)
class Stream:
    """Training examples of a stream: how many of each topic, and their tokens (mean, longest, share that is scored)."""

    topics: tuple[int, ...]
    tokens: float
    longest: int
    scored: float

    @property
    def total(self) -> float:
        """Tokens of all examples."""
        return sum(self.topics) * self.tokens


@dataclass(frozen=True)
class Measured:
    """What measuring a model takes: tokens of forward passes, and decoding batches times their new tokens."""

    tokens: float = 0.0
    longest: float = 0.0
    decode_steps: float = 0.0
    scored: float = field(default=1.0)


def sizes_of(task: Task, catalogue: Catalogue) -> Sizes:
    """Return the sizes of a task's sets: of published ones from ``planner.yaml``, of others by counting."""
    if task.data.source.kind != "hub":
        return _counted(task.data, catalogue.assumptions.characters_per_token)
    key = "/".join(filter(None, (task.config.benchmark, task.data.edition)))
    if key not in catalogue.data:
        known = suggest(key, catalogue.data)
        raise ConfigError(f"no sizes of the benchmark {key!r}", catalogue.path, f"Add them to `data`. {known}")
    sizes = catalogue.data[key].sets
    records = task.data.published({name: size.records for name, size in sizes.items()})
    return {name: sizes[name].model_copy(update={"records": count}) for name, count in records.items()}


@lru_cache(maxsize=16)
def _counted(data: DataBase, per_token: float) -> Sizes:
    return {name: _size(records, per_token) for name, records in data.build().items() if records}


def _size(records: Sequence[Mapping[str, Any]], per_token: float) -> SetSize:
    asked = [len(str(record.get("question", record.get("prompt", "")))) / per_token for record in records]
    told = [len(str(record.get("answer", record.get("gt", record.get("text", ""))))) / per_token for record in records]
    frame = TEMPLATE_TOKENS * bool(any(asked))
    whole = [ask + tell + frame for ask, tell in zip(asked, told, strict=True)]
    mean = max(sum(whole) / len(whole), 1.0)
    return SetSize(
        records=len(records),
        tokens=mean,
        scored=min(max(sum(told) / sum(whole), 0.01), 1.0),
        longest=max(2, round(max(whole))),
    )


def stream(task: Task, sizes: Sizes, topics: Mapping[str, Iterable[str]]) -> Stream:
    """Return a stream's examples, long texts cut to ``max_length`` as the task says."""
    limit = task.model.max_length
    counts, tokens, scored, longest = [], 0.0, 0.0, 2
    for names in topics.values():
        count = 0
        for size in (sizes[name] for name in names if name in sizes):
            pieces = 1 if task.config.texts == "truncated" else max(1, -(-size.tokens // limit))
            length = min(size.tokens / pieces, limit)
            made = round(size.records * pieces)
            count, tokens, scored = count + made, tokens + made * length, scored + made * length * size.scored
            longest = max(longest, min(size.longest or limit, limit))
        counts.append(count)
    total = max(sum(counts), 1)
    return Stream(tuple(counts), max(tokens / total, 1.0), longest, scored / max(tokens, 1.0))


def streams(plan: Plan, run: Run, sizes: Sizes) -> dict[str, Stream]:
    """Return the streams of an unlearning run."""
    task = plan.task(run.task)
    return {name: stream(task, sizes, topics) for name, topics in plan.streams(run).items()}


def steps(settings: UnlearnSettings, primary: Stream) -> int:
    """Return the number of updates of a run; an epoch is a pass over the largest topic, all taking turns."""
    if settings.steps is not None:
        return settings.steps
    per_topic = max(-(-count // settings.batch_size) for count in primary.topics)
    return (settings.epochs or 0) * len(primary.topics) * per_topic


def spread(settings: UnlearnSettings, gpus: int) -> tuple[int, int]:
    """Return micro-batch and accumulation of each of ``gpus`` processes.

    More processes take fewer micro-batches each, of the size that one process has; only then smaller ones.
    """
    batch = settings.batch_size
    micro = min(-(-batch // settings.accumulation), -(-batch // gpus))
    return micro, -(-batch // (micro * gpus))


def micro_batch(task: Task, one: Stream, micro: int) -> Tokens:
    """Return the largest micro-batch of a stream: ``micro`` sequences of the greatest length."""
    length = one.longest
    scored = length - 1 if one.scored > 0.99 else max(1, round(length * one.scored))
    return Tokens(micro, length, micro * scored, micro > 1 and task.config.texts != "packed")


def measured(task: Task, settings: MeasureSettings, sizes: Sizes, catalogue: Catalogue) -> Measured:
    """Return what a measurement's requests come to on a task; sets that have no size here count nothing."""
    max_length, texts_in = task.model.max_length, task.data.texts_in
    tokens, longest, decode, scored, texts = 0.0, 2.0, 0.0, 0.0, 0.0
    for asked in (*settings.likelihood, *settings.gradnorm):
        if size := sizes.get(asked.set):
            fields = sum(texts_in.get(name, 1) for name in getattr(asked, "fields", ("answer",) * 3))
            length = min(size.tokens, max_length)
            amount = min(asked.limit or size.records, size.records) * length * fields
            tokens, texts, scored = tokens + amount, texts + amount, scored + amount * size.scored
            longest = max(longest, length)
    for request in settings.generation:
        if size := sizes.get(request.set):
            shots = sizes.get(request.examples or "")
            prompt = size.tokens * (1 - size.scored) + (shots.records * shots.tokens if shots else 0.0)
            count = min(request.limit or size.records, size.records)
            tokens += count * prompt
            rows = max(1.0, settings.max_cache_tokens // (prompt + request.max_new_tokens))
            decode += -(-count // rows) * request.max_new_tokens
    for answered in settings.fluency:  # one pass of the target over the answers and the true ones
        for name in (answered.set, answered.references):
            if size := sizes.get(name):
                tokens += size.records * min(size.tokens, max_length)
    for question in settings.harness:
        if size := sizes.get(question.set or "") or catalogue.harness.get(question.task):
            tokens += min(question.limit or size.records, size.records) * size.tokens
    return Measured(tokens, longest, decode, scored / texts if texts else 1.0)
