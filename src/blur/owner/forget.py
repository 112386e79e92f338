"""Forgetting an owner's texts: what is compared with what, the search, and the model that comes of it."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from blur import __version__
from blur.core.errors import ArtifactError, DataError
from blur.core.files import read_json, write_json
from blur.core.hashing import derive_seed, sha256_json
from blur.core.progress import Progress
from blur.data.own import FILES
from blur.data.records import Record
from blur.models.chunks import chunks
from blur.models.encode import Example, encode_record
from blur.owner import recipe
from blur.owner.budget import Budget
from blur.owner.keeping import own_words
from blur.owner.models import OwnModel
from blur.owner.reference import Reference, reference_of
from blur.owner.search import TRIALS, Choice, Look, Rule, Trial
from blur.owner.texts import OwnTexts
from blur.unlearn.loop import train
from blur.unlearn.references import reference_sums
from blur.unlearn.step import NotFinite

if TYPE_CHECKING:
    from torch.nn import Module

    from blur.unlearn.settings import UnlearnSettings

Outcome = Literal["reached", "not reached", "lost", "nothing to forget"]
HELD_OUT = 4  # one part of so many of the texts to keep is looked at, and never trained on
LOOKED_AT = 256  # texts of a set in a look at most, drawn by the seed
_LOOKS = "looks.json"
_BROKEN = 1e6


@dataclass(frozen=True)
class ForgetSettings:
    """What an owner chooses."""

    budget: Budget = field(default_factory=Budget)
    seed: int = 0


@dataclass(frozen=True)
class Forgotten:
    """What came of it.

    Attributes:
        model: None where forgetting took away what was to be kept.
        facts: for the manifest: numbers, names of rules, hashes; no text.
    """

    model: OwnModel | None
    outcome: Outcome
    facts: dict[str, Any]
    told: list[str]


@dataclass(frozen=True)
class Prepared:
    """All that is decided before the first update.

    Attributes:
        streams: examples to train on, ``forget`` and ``retain``.
        looked: examples to look at, ``forget`` and ``keep``.
        told: what was understood and decided, a line each; no text.
        facts: of it, for the manifest.
    """

    model: OwnModel
    streams: Mapping[str, list[Example]]
    looked: Mapping[str, list[Example]]
    rule: Rule
    reference: Reference
    way: recipe.Way
    told: list[str]
    facts: dict[str, Any]


def prepare(
    model: OwnModel, texts: OwnTexts, *, base: OwnModel | None = None, settings: ForgetSettings | None = None
) -> Prepared:
    """Read the texts with the model's eyes, and decide what is to be reached, and how.

    Raises:
        DataError: no text can be read by the model.
        ConfigError: the memory is too small, or the base has another tokenizer.
    """
    chosen = settings or ForgetSettings()
    device = str(next(model.loaded.model.parameters()).device)
    told = [*model.told, *texts.told]
    sets, skipped = dict(texts.sets), list[str]()
    given = bool(sets["retain"])
    if not given:
        sets["retain"] = own_words(model.loaded, texts.form, sets["forget"], model.max_length, chosen.seed)
        told.append(
            f"keep: nothing was given: {len(sets['retain'])} texts of the model's own words stand in for it. What it "
            "knows near to what is forgotten may go with it: give --keep to protect that"
        )
    encoded = {name: _encoded(model, records, skipped) for name, records in sets.items()}
    told += [f"skipped: {line}" for line in skipped]
    told += [
        f"{FILES[name]}: {len(found)} examples, {sum(len(one.input_ids) for one in found)} tokens"
        for name, found in encoded.items()
        if found
    ]
    for name, found in encoded.items():
        if cut := sum(len(one.input_ids) == model.max_length and not one.ended for one in found if "#" not in one.id):
            told.append(f"{FILES[name]}: {cut} reach the model's {model.max_length} tokens: what goes on is NOT read")
    for name in ("forget", "retain"):
        if not encoded[name]:
            raise DataError("no text that the model can read", FILES[name], "Shorten the questions")
    learned, held = _split(sets["retain"], encoded["retain"], chosen.seed)
    looked = {"forget": encoded["forget"], "keep": held, "holdout": encoded["holdout"]}
    looked = {name: _drawn(examples, name, chosen.seed) for name, examples in looked.items()}
    losses = {name: loss_of(model.loaded.model, examples) for name, examples in looked.items() if examples}
    chance = math.log(len(model.loaded.tokenizer))
    reference = reference_of(losses, _base_losses(base, model, looked) if base else None, chance)
    streams = {"forget": encoded["forget"], "retain": learned}
    way = recipe.way_for(model.loaded.model, streams, device)
    first = recipe.rate_for(model.loaded.model.num_parameters(), way.lora)
    start = Look(0, 0, losses["forget"], losses["keep"])
    rule = Rule(start, reference.target, first)
    told += [
        f"device {device}; {way.told}",
        f"the forget texts have {start.forget:.2f} nats a token, and should have {reference.told}",
        f"kept texts (one in {HELD_OUT} held out) have {start.keep:.2f}, and may have {rule.ceiling:.2f}: a "
        f"perplexity higher by a tenth, or by a third of what the forget texts are to lose",
        f"of at most {TRIALS} learning rates, from {first:.1e}, the first that does both is taken; each trial starts "
        "from the model as it is, looks after each pass over the forget texts, and stops at the first that shows both",
    ]
    facts = {
        "reference": {"kind": reference.kind, "target": reference.target},
        "texts": {name: len(examples) for name, examples in encoded.items()},
        "keep": "given" if given else "the model's own words",
    }
    return Prepared(model, streams, looked, rule, reference, way, told, facts)


def forget(
    model: OwnModel,
    texts: OwnTexts,
    *,
    base: OwnModel | None = None,
    settings: ForgetSettings | None = None,
    work: Path,
    progress: Progress | None = None,
    prepared: Prepared | None = None,
) -> Forgotten:
    """Make the model forget the texts, in place.

    Args:
        base: the model before it was trained on the texts.
        work: folder of resume state: the same call goes on where it was cut off, with the same result.
        prepared: by ``prepare`` of the same arguments, where the caller has it already.
    """
    chosen = settings or ForgetSettings()
    ready = prepared or prepare(model, texts, base=base, settings=chosen)
    return _Search(ready, chosen, work, progress or Progress("forget")).run()


def loss_of(model: Module, examples: Sequence[Example]) -> float:
    """Return the mean loss of a text, in nats a token; of a model that is broken, a very high one."""
    sums = reference_sums(model, examples, recipe.BATCH)
    mean = math.fsum(sums[one.id] / len(one.scored) for one in examples) / len(examples)
    return mean if math.isfinite(mean) else _BROKEN


class _Search:
    """The trials of one run, in a work folder."""

    def __init__(self, ready: Prepared, chosen: ForgetSettings, work: Path, progress: Progress) -> None:
        self.ready, self.chosen, self.work, self.progress = _as_begun(ready, work), chosen, work, progress
        self.model = ready.model.loaded.model
        self.start = {name: tensor.detach().to("cpu").clone() for name, tensor in self.model.state_dict().items()}
        self.key = ready.model.sha256
        self.sums = reference_sums(self.model, ready.streams["forget"], recipe.BATCH)

    def run(self) -> Forgotten:
        """Try rates until the rule is content; then go back to what it chose."""
        rule = self.ready.rule
        if rule.is_met:
            return self._told("nothing to forget", [], None, 0)
        updates = self._updates()
        trials: list[Trial] = []
        while (rate := rule.next_rate(trials)) is not None:
            trials.append(self._trial(len(trials), rate, updates // TRIALS))
            self.progress.note(f"trial{len(trials) - 1} of at most {TRIALS}, {_said(trials[-1], rule)}")
        choice = rule.choose(trials)
        if choice:
            choice = self._again(choice, trials, updates // TRIALS)
        else:
            self._restore()
        outcome: Outcome = "lost" if choice is None else "reached" if choice.reached else "not reached"
        return self._told(outcome, trials, choice, updates)

    def _trial(self, number: int, rate: float, steps: int) -> Trial:
        """Train at a rate until the rule ends the trial; state of a trial that is over goes, but for what was seen."""
        folder, rule = self.work / f"trial{number}", self.ready.rule
        looks = _read_looks(folder)
        if not (folder / "over").is_file():
            self._train(folder, rate, steps, lambda epoch: any(map(rule.ends, _read_looks(folder))), looks)
            looks = _read_looks(folder)
            (folder / "over").touch()
        if not any(rule.succeeds(look) for look in looks):
            _drop_state(folder)
        return Trial(rate, tuple(looks))

    def _again(self, choice: Choice, trials: Sequence[Trial], steps: int) -> Choice:
        """Bring the model to the chosen epoch, from the trial's last state where that is it, else once more.

        Returns:
            The choice with the losses of the model as it is stored, and whether that one is as far as was asked for:
            adapters are merged by now, and rounded.
        """
        folder, trial = self.work / f"trial{choice.trial}", trials[choice.trial]
        if choice.look != trial.looks[-1]:
            _drop_state(folder)
        last = choice.look.epoch
        self._train(folder, trial.rate, steps, lambda epoch: epoch >= last, list(trial.looks))
        forget, keep = (loss_of(self.model, self.ready.looked[name]) for name in ("forget", "keep"))
        stored = replace(choice.look, forget=forget, keep=keep)
        return replace(choice, look=stored, reached=choice.reached and self.ready.rule.succeeds(stored))

    def _train(self, folder: Path, rate: float, steps: int, is_enough: Any, seen: list[Look]) -> None:
        folder.mkdir(exist_ok=True)
        settings = self._settings(rate, steps)
        looks = {look.epoch: look for look in seen}
        per_epoch = -(-len(self.ready.streams["forget"]) // settings.batch_size)

        def on_epoch_end(epoch: int, model: Module) -> None:
            losses = [loss_of(model, self.ready.looked[name]) for name in ("forget", "keep")]
            see(epoch, min(epoch * per_epoch, steps), *losses)

        def see(epoch: int, made: int, forget: float, keep: float) -> None:
            looks[epoch] = Look(epoch, made, forget, keep)
            write_json(folder / _LOOKS, [asdict(looks[one]) for one in sorted(looks)])

        self._restore()
        try:
            train(
                self.model,
                self.ready.streams,
                settings,
                reference_sums=self.sums,
                on_step=lambda record, total: self.progress(int(record["step"] or 0), total, f"{folder.name}, update"),
                on_epoch_end=on_epoch_end,
                is_enough=is_enough,
                checkpoint_dir=folder,
                run_key=self.key,
            )
        except NotFinite:
            if self.ready.way.lora:  # the adapters are still in the model
                raise
            see(max(looks, default=0) + 1, 0, _BROKEN, _BROKEN)

    def _settings(self, rate: float, steps: int) -> UnlearnSettings:
        ready = self.ready
        return recipe.settings_for(self.model, ready.streams["forget"], rate, steps, ready.way, self.chosen.seed)

    def _restore(self) -> None:
        import torch

        with torch.no_grad():
            for name, tensor in self.model.state_dict().items():
                tensor.copy_(self.start[name])

    def _updates(self) -> int:
        """Return the updates of all trials together; a time is converted once, and what it came to is kept."""
        budget, texts, file = self.chosen.budget, len(self.ready.streams["forget"]), self.work / "budget.json"
        if budget.seconds is None:
            return budget.updates or recipe.updates_for(texts)
        if not file.is_file():
            settings = self._settings(self.ready.rule.first, 3)
            begun = time.perf_counter()
            loss_of(self.model, [one for name in ("forget", "keep") for one in self.ready.looked[name]])
            look = time.perf_counter() - begun
            records = train(self.model, self.ready.streams, settings, reference_sums=self.sums).records
            self._restore()
            update = min(record["seconds"] or 0.0 for record in records)
            per_epoch = -(-texts // settings.batch_size)
            write_json(file, {"updates": budget.updates_at(update, look, per_epoch)})
        updates = int(read_json(file)["updates"])
        self.progress.note(f"the budget is {updates} updates: --budget {updates} gives the same bytes again")
        return updates

    def _told(self, outcome: Outcome, trials: Sequence[Trial], choice: Choice | None, updates: int) -> Forgotten:
        ready, rule, way = self.ready, self.ready.rule, self.ready.way
        look = choice.look if choice else rule.start
        facts = {
            **ready.facts,
            "outcome": outcome,
            "rule": {"trials": TRIALS, "first_rate": rule.first},
            "way": {"lora": way.lora, "micro_batch": way.micro, "checkpointing": way.checkpointing},
            "forget_loss": {"before": rule.start.forget, "after": look.forget, "target": rule.target},
            "keep_loss": {"before": rule.start.keep, "after": look.keep, "ceiling": rule.ceiling},
            "budget": updates,
            "trials": [{"rate": trial.rate, "looks": [asdict(one) for one in trial.looks]} for trial in trials],
            "updates": {"planned": updates // TRIALS, "made": look.steps},
        }
        if choice:
            settings = self._settings(trials[choice.trial].rate, updates // TRIALS)
            facts["method"] = settings.model_dump(mode="json")
        model = None if outcome == "lost" else replace(ready.model, loaded=replace(ready.model.loaded, manifest=None))
        return Forgotten(model, outcome, facts, _outcome(outcome, rule, look))


def _as_begun(ready: Prepared, work: Path) -> Prepared:
    """Train as the run began to, though the memory that is free may be another by now; the first time, note it."""
    file = work / "way.json"
    if not file.is_file():
        write_json(file, asdict(ready.way))
    way = recipe.Way(**read_json(file))
    first = recipe.rate_for(ready.model.loaded.model.num_parameters(), way.lora)
    return replace(ready, way=way, rule=replace(ready.rule, first=first))


def _outcome(outcome: Outcome, rule: Rule, look: Look) -> list[str]:
    change = (
        f"forget texts {rule.start.forget:.2f} -> {look.forget:.2f} nats a token (to reach: {rule.target:.2f}), "
        f"kept texts {rule.start.keep:.2f} -> {look.keep:.2f} (at most {rule.ceiling:.2f}), a perplexity "
        f"{math.exp(min(look.keep - rule.start.keep, 99)):.2f} times as high"
    )
    first = {
        "reached": f"reached: {change}",
        "not reached": f"NOT REACHED: {change}. This is the best that was found which keeps what is to be kept; give a "
        "larger --budget, or more texts to keep",
        "lost": f"LOST: no rate made the texts less known and kept what is to be kept ({change}); there is no model. "
        "Give more texts to keep, or a larger --budget",
        "nothing to forget": f"nothing to forget: the texts are as surprising as they should be already; {change}. The "
        "model is as it was",
    }[outcome]
    return [first, "This is approximate unlearning, and no proof that information is gone: see `blur audit`"]


def _said(trial: Trial, rule: Rule) -> str:
    last = trial.looks[-1]
    what = "enough" if any(map(rule.succeeds, trial.looks)) else "not what is asked for"
    return f"rate {trial.rate:.1e}: forget {last.forget:.2f}, keep {last.keep:.2f} after {last.steps} updates: {what}"


def _encoded(model: OwnModel, records: Sequence[Record], skipped: list[str]) -> list[Example]:
    """Tokenise records; those that the model cannot read are named in ``skipped``."""
    loaded, found = model.loaded, list[Example]()
    for record in records:
        try:
            if "text" in record:
                found += chunks(loaded.tokenizer, record, model.max_length)
            else:
                found.append(encode_record(loaded.tokenizer, loaded.template, record, model.max_length))
        except DataError as error:
            skipped.append(f"{record.where}: {error.what}")
    return found


def _split(records: Sequence[Record], examples: Sequence[Example], seed: int) -> tuple[list[Example], list[Example]]:
    """Hold examples out, whole groups where there are groups, else whole records.

    Where there is one alone, it is both learned and looked at.
    """
    units = {record["id"]: record.get("group", record["id"]) for record in records}
    order = sorted(set(units.values()), key=lambda unit: derive_seed("held out", seed, unit))
    held = set(order[: max(len(order) // HELD_OUT, 1)])
    of = [(units[example.id.partition("#")[0]] in held, example) for example in examples]
    learned, looked = ([example for is_held, example in of if is_held == wanted] for wanted in (False, True))
    return learned or looked, looked or learned


def _drawn(examples: Sequence[Example], name: str, seed: int) -> list[Example]:
    """Return at most ``LOOKED_AT`` examples, in their order."""
    chosen = sorted(examples, key=lambda one: derive_seed("looked at", seed, name, one.id))[:LOOKED_AT]
    names = {one.id for one in chosen}
    return [one for one in examples if one.id in names]


def _base_losses(base: OwnModel, model: OwnModel, looked: Mapping[str, list[Example]]) -> dict[str, float]:
    """Return the base's losses on what the model was looked at with.

    Raises:
        ArtifactError: the base has another vocabulary, so that tokens do not mean the same.
    """
    if base.loaded.tokenizer.get_vocab() != model.loaded.tokenizer.get_vocab():
        remedy = "Give the model that yours was made from, or leave --base out"
        raise ArtifactError("its tokenizer is another than the model's", base.name, remedy)
    names = [name for name in ("forget", "holdout") if looked[name]]
    return {name: loss_of(base.loaded.model, looked[name]) for name in names}


def _read_looks(folder: Path) -> list[Look]:
    file = folder / _LOOKS
    return [Look(**look) for look in read_json(file)] if file.is_file() else []


def _drop_state(folder: Path) -> None:
    """Remove a trial's weights, and its steps."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in (_LOOKS, "over"):
            path.unlink()


def identity_of(model: OwnModel, hashes: Mapping[str, str], settings: ForgetSettings, threads: int) -> str:
    """Return a hash of all that the result is a function of; a time stands for itself until it is converted.

    Args:
        hashes: of the weights of ``model``, of the texts and, where there is one, of the base.
    """
    made_of = {
        "inputs": dict(hashes),
        "model": [model.loaded.template.hash, model.max_length],
        "settings": asdict(settings),
        "version": __version__,
        "threads": threads,
        "device": next(model.loaded.model.parameters()).device.type,
    }
    return sha256_json(made_of)
