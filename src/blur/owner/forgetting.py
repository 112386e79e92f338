"""The body of ``blur forget``: checks before the first update, the search, and a folder that appears whole."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blur import __version__
from blur.core import launch
from blur.core import manifest as manifests
from blur.core.errors import ConfigError
from blur.core.progress import Progress
from blur.core.runtime import make_deterministic, set_threads
from blur.owner.budget import Budget, parse_budget
from blur.owner.texts import parse_columns, read_texts
from blur.owner.workplace import Workplace

if TYPE_CHECKING:
    from types import FrameType

    from blur.owner.forget import ForgetSettings, Forgotten, Prepared

EXITS = {"reached": 0, "nothing to forget": 0, "not reached": 3, "lost": 4}
_KEPT_STATES = 3  # states of a trial that lie on the disk at once, the one that is being written included


@dataclass(frozen=True)
class Asked:
    """What was typed."""

    model: str
    forget: str
    out: Path
    keep: str | None = None
    unseen: str | None = None
    base: str | None = None
    columns: Sequence[str] = ()
    budget: str | None = None
    seed: int = 0
    device: str | None = None


def run(asked: Asked) -> int:
    """Make a model forget; return the exit status: 0 reached, 3 not reached (there is a model), 4 lost (none).

    Raises:
        BlurError: the input or the surroundings are at fault; nothing was written.
    """
    if launch.size() > 1:
        what = f"one process forgets, and {launch.size()} were started"
        raise ConfigError(what, "accelerate launch", "Type `blur forget ...` without a launcher in front")
    clock, progress, place = manifests.Clock(), Progress("forget"), Workplace(asked.out)
    place.look()
    budget, columns = parse_budget(asked.budget), parse_columns(asked.columns)
    texts = read_texts(asked.forget, asked.keep, asked.unseen, columns)
    threads = int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))
    set_threads(threads)
    from blur.owner.forget import ForgetSettings, forget, identity_of, prepare
    from blur.owner.models import default_device, open_model, require_device

    device = asked.device or default_device()
    require_device(device)
    make_deterministic(threads, device)
    model = open_model(asked.model, device=device)
    base = open_model(asked.base, device=device) if asked.base else None
    settings = ForgetSettings(budget, asked.seed)

    hashes = {"model": model.sha256, "texts": texts.sha256, **({"base": base.sha256} if base else {})}

    def identity(budget: Budget) -> str:
        return identity_of(model, hashes, replace(settings, budget=budget), threads)

    if there := place.finished(lambda updates: identity(budget if budget.updates else Budget(updates))):
        print(f"already there: {place.out}: {there['outcome']}")
        place.drop()
        return EXITS[there["outcome"]]
    ready = prepare(model, texts, base=base, settings=settings)
    del base
    for line in ready.told:
        print(line, flush=True)
    place.require_room(_bytes(ready))
    with place.claimed(identity(budget), progress) as work, _stopping(progress):
        made = forget(model, texts, settings=settings, work=work, progress=progress, prepared=ready)
        if made.model is not None:
            facts = {"run": identity(Budget(made.facts["budget"])), "inputs": hashes}
            _write(place, made, settings, clock, **facts)
    if made.model is None:
        place.drop()
    for line in made.told:
        print(line)
    print(f"model: {place.out}" if made.model else "no model was written")
    return EXITS[made.outcome]


def _write(place: Workplace, made: Forgotten, settings: ForgetSettings, clock: manifests.Clock, **facts: Any) -> None:
    from blur.models.io import save

    assert made.model is not None
    loaded = made.model.loaded
    with place.whole() as folder:
        files = save(loaded.model, loaded.tokenizer, loaded.template, folder, card(made.facts))
        key = {"settings": {"seed": settings.seed, "budget": made.facts["budget"]}, "code": __version__}
        manifests.write(folder, "forget", key, files, {"cost": clock.read()}, **facts, **made.facts)


def card(facts: dict[str, Any]) -> str:
    """Return the model card: numbers, and what the model must not be taken for; no text, no name."""
    forget, keep = facts["forget_loss"], facts["keep_loss"]
    lines = [
        "# A model that was made to forget",
        "",
        f"BLUR-NPO (arXiv 2506.08164) on {facts['texts']['forget']} examples; outcome: **{facts['outcome']}**.",
        "",
        f"- forget texts: {forget['before']:.2f} -> {forget['after']:.2f} nats a token; to reach: "
        f"{forget['target']:.2f} (compared with: {facts['reference']['kind']})",
        f"- kept texts, held out: {keep['before']:.2f} -> {keep['after']:.2f}; at most {keep['ceiling']:.2f}",
        "- settings, rule, trials, hashes: `manifest.json`; versions, host, cost: `made.json`",
        "",
        "Approximate unlearning is no proof that information is gone: `blur audit` shows what is left of it.",
    ]
    return "\n".join(lines) + "\n"


def _bytes(ready: Prepared) -> int:
    """Return the bytes of the model, and of a trial's states: weights that move and a second moment, in float32."""
    model = ready.model.loaded.model
    weights = model.num_parameters()
    moving = weights // 20 if ready.way.lora else weights  # adapters, generously
    return weights * model.dtype.itemsize + _KEPT_STATES * 8 * moving


@contextmanager
def _stopping(progress: Progress) -> Iterator[None]:
    """Let Ctrl-C end a run as SIGTERM does: after the update, with its state kept; a second one ends it at once."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        progress.note("stopping after this update")
        signal.raise_signal(signal.SIGTERM)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    except SystemExit:  # SIGTERM, once the update was made and the state saved
        progress.note("stopped; the same command goes on from here")
        raise
    finally:
        signal.signal(signal.SIGINT, before)
