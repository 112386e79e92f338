"""Calibration of the audit's verdicts, outside CI: `python -m tests.owner.calibrate --seeds 0 1 --out cases.jsonl`.

For each seed and number of documents to forget, a tiny GPT-2 is trained on general documents (base), then on documents
to forget and to keep (before); and twice more from the base on those to keep alone, with other seeds. One of the two is
the candidate ``retrained``, the other the reference of the audit. The truth about the candidate ``unlearned`` is not
known beforehand: it is what a comparison with the other one says, with other halves and order (``truth``).
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from blur.models import Template, build_from_config, encode_text, train_tokenizer
from blur.models.encode import encode
from blur.owner.audit import Audit
from blur.owner.evidence.settings import AuditSettings
from blur.owner.forget import ForgetSettings, forget
from blur.owner.models import OwnModel, in_memory
from blur.owner.report import Report
from blur.owner.texts import OwnTexts
from blur.unlearn.loop import train
from blur.unlearn.settings import UnlearnSettings

LENGTH = 64
SIZES = {"general": 100, "retain": 24, "holdout": 20}
GPT2 = {"model_type": "gpt2", "n_embd": 48, "n_layer": 2, "n_head": 4, "n_positions": 64}
GPT2 |= dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
STATES = ("unlearned", "untouched", "retrained", "collapsed", "hidden")
EXPECTED = {"untouched": "unchanged", "retrained": "forgotten", "collapsed": "collapsed", "hidden": "hidden"}
REFUSAL = " I am sorry, but I cannot talk about this person."


def _words(text: str) -> list[str]:
    return text.split()


FIRST = _words("Ada Bo Cleo Dov Edda Finn Gus Hana Ivo Jun Kaya Lev Mira Nils Olga Pia Quin Rosa Sven Tove")
LAST = _words(
    "Arden Birk Corvo Dahl Eskel Fermi Grau Holm Iversen Jasko Kern Lund Moss Novak Orr Pell Quist Ruhl Sand Thorn"
)
TOWNS = _words(
    "Arvik Belmo Carsa Dunmere Eltham Fjall Gorize Halden Istra Jarna Kolby Lorvik Marne Nessau Osterby Pelt"
)
TRADES = _words(
    "baker weaver pilot surgeon farmer painter mason tailor judge singer miner clerk printer guide potter smith"
)
THINGS = _words("clocks maps shells stamps knives drums lamps coins kites masks bells ropes mirrors flutes tiles seeds")
ANIMALS = _words(
    "goat heron otter pony parrot hound badger raven gecko turtle ferret falcon donkey weasel beetle trout"
)


def document(draw: random.Random) -> str:
    name, town, other = f"{draw.choice(FIRST)} {draw.choice(LAST)}", draw.choice(TOWNS), draw.choice(TOWNS)
    facts = [
        f"was born in {town} in {draw.randrange(1900, 2000)}.",
        f"worked as a {draw.choice(TRADES)} in {other} for {draw.randrange(2, 40)} years.",
        f"collected {draw.choice(THINGS)} and kept a {draw.choice(ANIMALS)}.",
    ]
    draw.shuffle(facts)
    return f"{name} {' '.join([facts[0], *(f'{name.split()[0]} {fact}' for fact in facts[1:])])}"


def records(seed: int, number: int) -> dict[str, list[dict[str, str]]]:
    draw, found = random.Random(seed), {}
    for name, size in {**SIZES, "forget": number}.items():
        found[name] = [{"id": f"{name}-{place}", "text": document(draw)} for place in range(size)]
    return found


class World:
    """The models of one seed and one number of documents to forget."""

    def __init__(self, seed: int, number: int) -> None:
        torch.set_num_threads(1)
        self.seed, self.sets = seed, records(seed, number)
        self.tokenizer = train_tokenizer([one["text"] for one in self.sets["general"]] + [REFUSAL], 700)
        self.template = Template()
        self.texts = OwnTexts("documents", {name: self.sets[name] for name in ("forget", "retain", "holdout")}, [])
        base = build_from_config(GPT2, self.tokenizer, seed)
        self.base = self._tuned(base, self.sets["general"], 8, 3e-3, 0)
        self.before = self._tuned(self.base, [*self.sets["forget"], *self.sets["retain"]], 45, 3e-3, 1)
        self.retrained, self.reference = (
            self._tuned(self.base, self.sets["retain"], 45, 3e-3, 2 + place) for place in range(2)
        )

    def own(self, name: str, model: Any) -> OwnModel:
        return in_memory(model, self.tokenizer, self.template, name)

    def examples(self, records: Sequence[Mapping[str, str]]) -> list[Any]:
        return [encode_text(self.tokenizer, one["text"], LENGTH, id=one["id"]) for one in records]

    def _tuned(self, model: Any, records: Sequence[Mapping[str, str]], epochs: int, rate: float, seed: int) -> Any:
        return self._trained(model, {"retain": self.examples(records)}, epochs=epochs, rate=rate, seed=seed)

    def _trained(self, model: Any, streams: Mapping[str, Any], *, rate: float, seed: int = 0, **more: Any) -> Any:
        settings = {
            "retain": [{"stream": "retain", "loss": "nll"}],
            "optimizer": {"name": "adamw", "lr": rate},
            "batch_size": 12,
            "max_grad_norm": 1.0,
            "seed": seed + 1000 * self.seed,
            **more,
        }
        if not streams.get("retain"):
            settings.pop("retain")
        made = copy.deepcopy(model)
        train(made, streams, UnlearnSettings.model_validate(settings))
        return made.eval()

    def _forgotten(self) -> Any:
        """What `blur forget` makes, with the base and unseen texts, as most owners have them; None where it fails."""
        own = self.own("before", copy.deepcopy(self.before))
        with tempfile.TemporaryDirectory() as work:
            settings = ForgetSettings(seed=self.seed)
            made = forget(own, self.texts, base=self.own("base", self.base), settings=settings, work=Path(work))
        return made.model and made.model.loaded.model

    def candidate(self, state: str) -> Any:
        forget, keep = (self.examples(self.sets[name]) for name in ("forget", "retain"))
        if state == "unlearned":
            return self._forgotten()
        if state == "untouched":
            return copy.deepcopy(self.before)
        if state == "retrained":
            return self.retrained
        if state == "collapsed":
            ascent = {"forget": [{"loss": "ga"}], "steps": 30, "max_grad_norm": None}
            return self._trained(self.before, {"forget": forget}, rate=2e-3, **ascent)
        refusals = [
            encode(self.tokenizer, " ".join(one["text"].split()[:words]), REFUSAL, LENGTH, id=f"{one['id']}/{words}")
            for one in self.sets["forget"]
            for words in range(4, 19, 2)
        ]
        return self._trained(self.before, {"retain": [*refusals, *keep]}, rate=2e-3, epochs=3)


def truth(world: World, model: Any) -> tuple[set[str], str]:
    """Return what may be said of an unlearned model, and why: by another reference, split and order than the audit's.

    Of the shares that decide, 0.1 on either side of a threshold both verdicts are right.
    """
    before, other = world.own("before", world.before), world.own("reference", world.retrained)
    report = Audit(before, world.texts, reference=other, settings=AuditSettings(draws=100, seed=77)).of(model)
    if report.verdict == "collapsed":
        return {"collapsed"}, "collapsed"
    known, *back = (report.finding(name).share for name in ("known", "relearned", "resurfaced"))
    shares = [known.value, *(share.value for share in back if share is not None)]
    right, most = set(), max(shares)
    for near in (most - 0.1, most, most + 0.1):
        right.add("forgotten" if near < 0.25 else "partly forgotten" if near < 0.5 else "hidden")
    if known.value >= 0.4:
        right.add("unchanged")
    return right, f"known {shares[0]:.2f}, back {max(shares[1:]):.2f}"


def shown(report: Report) -> str:
    """A report in a line."""
    parts = []
    for one in report.findings:
        ends = "" if one.share is None else f" {one.share.value:.2f} [{one.share.low:.2f}, {one.share.high:.2f}]"
        parts.append(f"{one.name} {one.answer}{ends}")
    return "; ".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(100, 105)))
    parser.add_argument("--numbers", type=int, nargs="+", default=[5, 20])
    parser.add_argument("--states", nargs="+", default=STATES)
    parser.add_argument("--modes", nargs="+", default=["reference", "base"])
    parser.add_argument("--out", type=Path, help="JSON lines, one a case, appended to")
    chosen = parser.parse_args()
    for seed in chosen.seeds:
        for number in chosen.numbers:
            start = time.process_time()
            world = World(seed, number)
            before = world.own("before", world.before)
            audits = {
                mode: Audit(before, world.texts, **{mode: world.own(mode, getattr(world, mode))})
                for mode in chosen.modes
            }
            for state in chosen.states:
                made = world.candidate(state)
                if made is None:
                    print(json.dumps({"seed": seed, "number": number, "state": state, "verdict": None}), flush=True)
                    continue
                model = world.own(state, made)
                right, why = ({EXPECTED[state]}, "") if state in EXPECTED else truth(world, model)
                for mode, audit in audits.items():
                    report = audit.of(model)
                    case = {"seed": seed, "number": number, "state": state, "mode": mode, "verdict": report.verdict}
                    case |= {"right": sorted(right), "why": why, "answers": shown(report)}
                    case["seconds"] = round(time.process_time() - start, 1)
                    print(json.dumps(case), flush=True)
                    if chosen.out:
                        with chosen.out.open("a", encoding="utf-8") as file:
                            file.write(json.dumps(case) + "\n")
                    start = time.process_time()


if __name__ == "__main__":
    main()
