"""The training loop: unlearning and plain fine-tuning, on one process or several, resumable to the last bit."""

from __future__ import annotations

import hashlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from blur.core.errors import BlurError, ConfigError, DataError
from blur.core.hashing import derive_seed, sha256_json
from blur.models.anatomy import Built
from blur.models.encode import Example
from blur.models.maps import covered_share
from blur.models.wrappers.base import FOLDER
from blur.unlearn import checkpoint, distributed
from blur.unlearn.batches import Plan, check_streams, texts_of, topics_of
from blur.unlearn.losses.base import LABELS, LIVE, Need
from blur.unlearn.settings import UnlearnSettings
from blur.unlearn.sharding import Blueprint, shard
from blur.unlearn.step import Record, Sources, Updater
from blur.unlearn.steplog import StepLog

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Terminated(SystemExit):
    """SIGTERM came: the step in progress was finished and the state saved. Exit code 143."""

    def __init__(self, step: int) -> None:
        self.step = step
        super().__init__(128 + signal.SIGTERM)


@dataclass(frozen=True)
class TrainResult:
    """What a run returns.

    Attributes:
        model: the trained model without what was wrapped around it, or with that merged in; in evaluation mode; if it
            was sharded, whole on the first process only.
        records: the record of every step, those of before a resume included.
        total_steps: number of updates that were made.
        planned_steps: number of updates in all epochs; more than were made where the run was enough before.
        epoch: the last one.
        resumed_from: step that this process began after; 0 for a fresh start.
        covered: share of the model's matrices, by elements, that the scope reaches (``models.maps.covered_share``).
        wrapper: folder of what the wrapper keeps, under one that keeps something, with a checkpoint directory.
    """

    model: PreTrainedModel
    records: list[Record]
    total_steps: int
    planned_steps: int
    epoch: int
    resumed_from: int
    covered: float
    wrapper: Path | None


def train(
    model: nn.Module,
    streams: Mapping[str, Sequence[Example]],
    settings: UnlearnSettings,
    *,
    reference_sums: Mapping[str, float] | None = None,
    reference_model: nn.Module | None = None,
    labels: Mapping[Need, Mapping[str, Sequence[int]]] | None = None,
    on_step: Callable[[Record, int], None] | None = None,
    on_epoch_end: Callable[[int, nn.Module], None] | None = None,
    is_enough: Callable[[int], bool] | None = None,
    checkpoint_dir: Path | str | None = None,
    run_key: str = "",
    device: torch.device | str | None = None,
    sharded: bool = False,
) -> TrainResult:
    """Train ``model`` in place.

    With several processes of ``torch.distributed``, each takes its share of every batch. Each holds a whole model, or a
    part of it: the results are the same. All of them have to pass the same arguments.

    Args:
        model: any causal LM of transformers.
        streams: examples by stream; what the settings' objectives name, ids distinct within a stream. Where those of a
            stream have several topics, steps take turns between them.
        settings: the method.
        reference_sums: summed NLL in nats of each example under the original model, for losses that need it.
        reference_model: the original model, for losses that need its logits or hidden states; it is only read.
        labels: other labels of each example's scored tokens by its id, by kind, for losses that need them.
        on_step: called on the first process after each step, with its record and the total number of steps.
        on_epoch_end: called on the first process with the epoch (from 1) and the model in evaluation mode, before that
            epoch's checkpoint is written; so after a kill it may come a second time for one epoch.
        is_enough: asked on the first process, once an epoch's checkpoint is written, whether the run may end with that
            epoch; and again by a process that goes on from there, so that its answer must not depend on memory.
        checkpoint_dir: where resume state and ``steps.jsonl`` live; a run found there goes on where it stopped.
        run_key: hash of the start weights and whatever else the caller wants a checkpoint to depend on.
        device: where to train; by default where the model is.
        sharded: share ``model`` and ``reference_model`` out over the processes (FSDP2), in place, to save memory.

    Raises:
        ConfigError, DataError, ArtifactError: missing reference, unusable examples, another run's checkpoint.
        NotFinite: a loss or gradient is.
        Terminated: SIGTERM came.
    """
    check_streams(streams, settings.streams, settings.alternates)
    _check_references(streams, settings, reference_sums, reference_model)
    _check_labels(streams, settings, labels or {})
    _check_processes(settings, sharded)
    place = torch.device(device) if device is not None else next(model.parameters()).device
    blueprint = Blueprint(model) if sharded and distributed.is_distributed() else None
    covered = covered_share(model, settings.reached(Built(model)))
    model = _placed(_prepare(model, settings), place, blueprint is not None)
    settings.start(model.eval(), streams)
    if reference_model is not None:
        _placed(reference_model, place, blueprint is not None).eval()
    sources = Sources(streams, reference_sums, reference_model, labels)
    updater = Updater(model, settings, sources, sharded=blueprint is not None)
    directory = Path(checkpoint_dir) if checkpoint_dir is not None else None
    made_of = {"sums": dict(reference_sums or {}), "labels": labels or {}, "run_key": run_key}
    identity = _identity(streams, settings, updater.trainable.identity, made_of)
    saver = checkpoint.Saver(directory, identity, updater)
    start = saver.restore()
    log = StepLog(directory if distributed.rank() == 0 else None, start)
    plan = _plan(streams, settings)
    made = _run(updater, plan, start, log, saver, on_step, _on_whole(on_epoch_end, blueprint), is_enough)
    updater.settle()
    _check_updates(plan.total_steps if is_enough is None else made, made, start + updater.num_updates, log)
    kept = directory / FOLDER if directory else None
    plain = settings.wrapper.finish(model, kept if distributed.rank() == 0 else None)
    trained = cast("PreTrainedModel", blueprint.filled(plain) if blueprint else plain.eval())
    wrapper = kept if kept and kept.is_dir() else None
    return TrainResult(trained, log.records, made, plan.total_steps, plan.epoch(made - 1), start, covered, wrapper)


def _run(
    updater: Updater,
    plan: Plan,
    start: int,
    log: StepLog,
    saver: checkpoint.Saver,
    on_step: Callable[[Record, int], None] | None,
    on_epoch_end: Callable[[int, nn.Module], None] | None,
    is_enough: Callable[[int], bool] | None,
) -> int:
    """Make the updates after ``start``; return the number of all that were made."""
    settings, first = updater.settings, distributed.rank() == 0
    with _terminate_flag() as flag:
        for step in range(start, plan.total_steps):
            if is_enough and step and plan.ends_epoch(step - 1):
                answer = first and is_enough(plan.epoch(step - 1))
                if any(distributed.gather_value(int(answer), updater.device)):
                    return step
            began = time.perf_counter()
            # What a step draws and reads is a function of its number, so that a resumed run goes on as if never cut.
            torch.manual_seed(derive_seed("step", settings.seed, step, distributed.rank()))
            lr = settings.optimizer.lr * settings.schedule.factor(step, plan.total_steps, plan.per_epoch)
            indices = {stream: plan.indices(stream, step) for stream in plan.sizes}
            values, stopping = updater.update(step + 1, indices, lr, flag.is_set())
            record = {"step": step + 1, "epoch": plan.epoch(step), "lr": lr, **values}
            updater.stepped(step + 1, plan.total_steps)
            record["seconds"] = time.perf_counter() - began
            ended = plan.ends_epoch(step)
            if ended and settings.large_batch:
                record["large_cosine"] = updater.large_cosine(settings.large_batch)
            if first:  # the other processes have the same numbers
                log.append(record)
                if on_step:
                    on_step(record, plan.total_steps)
            # Measurements first: a checkpoint says that its epoch has been seen.
            if ended and on_epoch_end:
                with updater.shown():
                    on_epoch_end(plan.epoch(step), updater.model.eval())
            if ended or stopping:
                saver.save(step + 1, log)
            if stopping:
                raise Terminated(step + 1)
    return plan.total_steps


def _check_updates(planned: int, made: int, stepped: int, log: StepLog) -> None:
    """Refuse a run whose optimizer stepped, or whose log tells, another number of times than was planned."""
    told = len(log.records) if distributed.rank() == 0 else made
    if not planned == made == stepped == told:
        what = f"{planned} updates planned, {made} made, {stepped} steps of the optimizer, {told} in the log"
        raise BlurError(what, "the training loop", "Report it: the run's numbers do not say what was trained")


def _on_whole(
    look: Callable[[int, nn.Module], None] | None, blueprint: Blueprint | None
) -> Callable[[int, nn.Module], None] | None:
    """Return ``look`` for all processes to call: the first one looks, at a whole model, and the others help."""

    def call(epoch: int, model: nn.Module) -> None:
        seen = blueprint.filled(model) if blueprint else model
        if look and distributed.rank() == 0:
            look(epoch, seen)

    return call if look else None


def _prepare(model: nn.Module, settings: UnlearnSettings) -> nn.Module:
    torch.manual_seed(derive_seed("scope", settings.seed))
    return settings.prepare(model)


def _placed(model: nn.Module, device: torch.device, sharded: bool) -> nn.Module:
    """Move a model to ``device``, or share it out over the devices of all processes."""
    if sharded:
        shard(model, device)
        return model
    return model.to(device)


def _plan(streams: Mapping[str, Sequence[Example]], settings: UnlearnSettings) -> Plan:
    sizes = {name: len(streams[name]) for name in settings.streams}
    topics = {name: topics_of(streams[name]) for name in settings.streams}
    plan = Plan(sizes, settings.streams[0], settings.batch_size, settings.seed, settings.steps or 0, topics)
    return plan if settings.epochs is None else replace(plan, total_steps=settings.epochs * plan.per_epoch)


def _check_processes(settings: UnlearnSettings, sharded: bool) -> None:
    if not distributed.is_distributed():
        return
    if not settings.wrapper.distributed:
        raise ConfigError(
            f"{settings.wrapper.name!r} runs in one process, and there are {distributed.world_size()}",
            where="wrapper",
            remedy="Start one process (what it trains is small: one GPU does), or leave the wrapper out",
        )
    if sharded and not settings.sharded:
        what = f"{settings.scope.name!r} needs whole weights on every process"
        raise ConfigError(what, where="scope", remedy="Use ddp instead of fsdp2")


def _check_references(
    streams: Mapping[str, Sequence[Example]],
    settings: UnlearnSettings,
    sums: Mapping[str, float] | None,
    model: nn.Module | None,
) -> None:
    if settings.needs & LIVE and model is None:
        what = "logits" if "reference_logits" in settings.needs else "hidden states"
        raise ConfigError(f"a loss needs the {what} of the original model", remedy="pass reference_model")
    for objective in settings.objectives:
        if "reference_sums" not in objective.loss.needs:
            continue
        texts = texts_of(streams[objective.stream], objective.loss.texts)
        missing = [row.id for text in texts for row in text.rows if row.id not in (sums or {})]
        if missing:
            raise DataError(
                f"{len(missing)} examples have no reference sum for {objective.loss.name}, {missing[0]!r} first",
                where=f"stream {objective.stream!r}",
                remedy="compute blur.unlearn.references.reference_sums on the original model",
            )


def _check_labels(
    streams: Mapping[str, Sequence[Example]],
    settings: UnlearnSettings,
    labels: Mapping[Need, Mapping[str, Sequence[int]]],
) -> None:
    for objective in settings.objectives:
        for kind in objective.loss.needs & LABELS:
            known = labels.get(kind, {})
            wrong = [one.id for one in streams[objective.stream] if len(known.get(one.id, ())) != len(one.scored)]
            if wrong:
                raise DataError(
                    f"{len(wrong)} examples have not a label for each scored token, {wrong[0]!r} first",
                    where=f"stream {objective.stream!r}",
                    remedy=f"make them with blur.derived.{kind} of the same examples",
                )


def _identity(
    streams: Mapping[str, Sequence[Example]],
    settings: UnlearnSettings,
    names: Sequence[str],
    made_of: Mapping[str, Any],
) -> str:
    digest = hashlib.sha256()
    for stream in settings.streams:
        for example in streams[stream]:
            for row in example.rows:
                content = (stream, row.id, list(row.input_ids), row.num_prompt, row.topic)
                digest.update(repr(content).encode())
    parts = {"settings": settings.model_dump(mode="json"), "data": digest.hexdigest(), "names": list(names)}
    return sha256_json({**parts, **made_of})


@contextmanager
def _terminate_flag() -> Iterator[threading.Event]:
    """Turn SIGTERM into a flag for the block's duration; only the main thread can."""
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return

    def handler(number: int, frame: FrameType | None) -> None:
        flag.set()

    previous = signal.signal(signal.SIGTERM, handler)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGTERM, previous)
