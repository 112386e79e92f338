"""What the graph costs besides its work: the start-up of each kind of job, the useful share of a run, a plan.

In a temporary folder, a small graph (one task of scale ``ci``, two methods, an attack) is run with warm jobs and with
cold ones. Then a job of each kind is made again and again, warm and cold in turns, and real dry runs of two scales are
timed. A job's start-up is all CPU time that is not its work (``blur.core.usage``): its own, its client's, what the warm
process spends on it, its end. CPU seconds, not wall time, so that a busy machine changes little; ratios are of medians,
with 95% bootstraps over rounds, resampled in pairs. Run ``python -m blur.bench.run --help``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

from blur.bench.step import ratio, take_turns
from blur.config.load import read_yaml
from blur.core.files import read_json
from blur.core.manifest import NAME as MANIFEST
from blur.core.manifest import read
from blur.core.paths import work_dir
from blur.core.processes import cpu_seconds
from blur.core.remedy import producer
from blur.core.usage import VARIABLE
from blur.warm.client import COLD, usage
from blur.warm.offer import Address, offer
from blur.workflow import useful

ROOT = Path.cwd()
SCALE, TASK = "ci", "tofu"
PLANNED = ("demo", "small")
RUNS = [{"methods": ["npo_gdr", "blur_npo"], "seeds": [0]}]
ATTACKED = [{"attacks": ["quantization"], "methods": ["blur_npo"], "seeds": [0]}]
ARM = "int4_group"


def snakemake(*arguments: str) -> str:
    """Run Snakemake on this checkout's workflow in the present folder; return what it says."""
    command = ("snakemake", "all", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2", *arguments)
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def run_graph(workers: str) -> dict[str, float]:
    """Run the small graph from nothing; return what it spent (``blur.workflow.useful``)."""
    for folder in ("data", "results", "work", ".snakemake"):
        shutil.rmtree(folder, ignore_errors=True)
    snakemake("--config", f"scale={SCALE}", f"workers={workers}")
    spent: dict[str, float] = read_json(work_dir(SCALE, useful.TOTAL))
    return spent


def commands() -> dict[str, tuple[Path, tuple[str, ...]]]:
    """Return a job of each kind that the small graph has: its manifest and its command."""
    found: dict[str, tuple[Path, tuple[str, ...]]] = {}
    for folder in (Path("data"), Path("results")):
        for manifest in sorted(folder.rglob(MANIFEST)):
            command = producer(manifest)
            assert command is not None, manifest
            found.setdefault(read(manifest.parent)["stage"], (manifest, tuple(command.split()[1:])))
    return found


def start_up(lines: Path, address: Address, manifest: Path, command: Sequence[str], number: int) -> float:
    """Make one job, and return the CPU seconds that were not its work.

    Args:
        lines: the file that the job writes its line to.
        address: of the warm process.
        manifest: removed beforehand, so that the job has something to do.
        command: of the job, without ``blur``.
        number: of the round, which changes nothing.
    """
    del number
    manifest.unlink()
    lines.write_text("", encoding="utf-8")
    before = cpu_seconds() + usage(address)
    subprocess.run(("blur", *command), check=True, capture_output=True)
    spent = cpu_seconds() + usage(address) - before
    return spent - float(json.loads(lines.read_text(encoding="utf-8"))["useful"])


def plan(scale: str, number: int) -> float:
    """Plan everything that a scale asks for where there is nothing yet; return CPU seconds."""
    del number
    before = cpu_seconds()
    _dry_run(scale)
    return cpu_seconds() - before


def _dry_run(scale: str) -> str:
    return snakemake("--dry-run", "--quiet", "rules", "--config", f"scale={scale}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        shutil.copytree(ROOT / "config", "config")
        print_planning(rounds)
        lessen()
        print_useful_share()
        print_start_up(rounds)
        os.chdir(ROOT)


def lessen() -> None:
    """Leave one task, two methods and one arm of one attack in scale ``ci`` of the present folder."""
    path = Path(f"config/scales/{SCALE}.yaml")
    scale, arms = read_yaml(path), read_yaml(Path("config/attacks/quantization.yaml"))["settings"]["arms"]
    scale["tasks"][TASK]["attacked"] = ATTACKED
    scale["attacks"] = {"quantization": {"arms": {name: None for name in arms if name != ARM}}}
    path.write_text(json.dumps({**scale, "all": [TASK], "runs": RUNS}), encoding="utf-8")


def print_useful_share() -> None:
    """Run the small graph cold and warm, so that the warm results stay."""
    print("\nuseful share of a small graph: work of its jobs over all CPU seconds")
    spent = {workers: run_graph(workers) for workers in ("cold", "warm")}
    for workers, found in spent.items():
        jobs, total = found["num_jobs"], found["total"]
        print(f"{workers:16} {jobs:4} jobs {total:8.1f} CPU s, useful {found['useful'] / total:.1%}")
    print(f"{'cold over warm':16} {spent['cold']['total'] / spent['warm']['total']:.2f} times the CPU seconds")


def print_start_up(rounds: int) -> None:
    """Time a job of each kind, warm and cold in turns."""
    offer(is_local=True)
    address = Address.read()
    assert address is not None, "this system has no warm jobs"
    lines = Path("usage.jsonl").resolve()
    os.environ[VARIABLE] = str(lines)
    steps: dict[str, Callable[[int], float]] = {}
    for kind, (manifest, command) in commands().items():
        steps[f"{kind} warm"] = partial(start_up, lines, address, manifest, command)
        steps[f"{kind} cold"] = partial(start_up, lines, address, manifest, (COLD, *command))
    taken = take_turns(steps, rounds, warmup=1, measure=lambda step, number: {"cpu": step(number)})
    print(f"\nstart-up of a job, CPU s ({rounds} rounds)\n{'kind':16} {'warm':>8} {'cold':>8}  cold over warm")
    for kind in sorted({name.split()[0] for name in steps}):
        warm, cold = (taken[f"{kind} {way}"]["cpu"] for way in ("warm", "cold"))
        print(f"{kind:16} {median(warm):8.2f} {median(cold):8.2f}  {_interval(cold, warm)}")


def print_planning(rounds: int) -> None:
    """Time dry runs of two scales in turns: what each job costs, and the rest."""
    num_jobs = {scale: int(_dry_run(scale).split("total")[-1].split()[0]) for scale in PLANNED}
    steps = {scale: partial(plan, scale) for scale in PLANNED}
    taken = take_turns(steps, rounds, warmup=0, measure=lambda step, number: {"cpu": step(number)})
    less, more = (median(taken[scale]["cpu"]) for scale in PLANNED)
    a_job = (more - less) / (num_jobs[PLANNED[1]] - num_jobs[PLANNED[0]])
    print("\nplanning, CPU s")
    for scale, seconds in zip(PLANNED, (less, more), strict=True):
        print(f"{scale:16} {num_jobs[scale]:4} jobs {seconds:8.2f}")
    print(f"{1e3 * a_job:.1f} ms a job, and {less - a_job * num_jobs[PLANNED[0]]:.2f} s")


def _interval(above: Sequence[float], below: Sequence[float]) -> str:
    found = ratio(above, below)
    return f"{found['ratio']:.2f} [{found['low']:.2f}, {found['high']:.2f}]"


if __name__ == "__main__":
    main()
