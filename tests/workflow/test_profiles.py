"""`snakemake --profile slurm all`, as typed from the checkout's root, and the environments that rules name."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.workflow.conftest import ROOT, SCALE, Workspace

pytestmark = pytest.mark.workflow


def test_the_slurm_profile_is_the_one_that_counts(finished: Workspace) -> None:
    """Executor, scale and default resources are those of profiles/slurm, not of profiles/default."""
    code = (
        "from snakemake.cli import parse_args\n"
        "_, args = parse_args(['--profile', 'slurm', 'all'])\n"
        "print(args.executor, args.config, args.jobs, args.retries, sorted(args.default_resources))\n"
    )
    done = finished.run("python", "-c", code)
    assert done.stdout.split(" ", 1)[0] == "slurm"
    assert "['scale=paper'] 64" in done.stdout
    assert "'nodes', 'slurm_extra'" in done.stdout


def test_every_rule_names_an_environment_with_the_locked_pins() -> None:
    lock = dict(line.split("==") for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line)
    lock = {re.sub("[-_.]+", "-", name).lower(): version for name, version in lock.items()}
    environments = {path.name for path in (ROOT / "workflow/envs").glob("*.yaml")}
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        for rule in re.split(r"\nrule ", path.read_text())[1:]:
            if "shell:" not in rule:
                continue
            named = re.search(r'conda:\s+"\.\./envs/([\w.-]+)"', rule)
            assert named, f"{path.name}: {rule.split(':')[0]} names no environment"
            assert named[1] in environments
    for name in environments:
        content = yaml.safe_load(Path(ROOT / "workflow/envs" / name).read_text())
        (pip,) = [part["pip"] for part in content["dependencies"] if isinstance(part, dict)]
        for pin in pip:
            package, version = pin.split("==")
            assert lock[re.sub("[-_.]+", "-", package).lower()] == version, pin


COUNTED = """
import collections, json, os, sys

opened = collections.Counter()

def note(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        opened[os.path.relpath(arguments[0])] += 1

sys.addaudithook(note)
from snakemake.cli import main
try:
    main(sys.argv[2:])
finally:
    with open(sys.argv[1], "w") as handle:
        json.dump(opened, handle)
"""


def test_a_plan_of_nothing_reads_code_and_settings_once_and_manifests_alone(
    finished: Workspace, tmp_path: Path
) -> None:
    """What a plan costs, on any machine: Python and the fingerprint read a module, Snakemake and the plan a YAML.

    A manifest is read, and hashed as an input: results typed by hand are planned as if Snakemake had run them.
    """
    counts = tmp_path / "opened.json"
    done = finished.run("python", "-c", COUNTED, str(counts), "all", "--dry-run", "--config", f"scale={SCALE}")
    assert "Nothing to be done" in done.stdout + done.stderr
    opened = json.loads(counts.read_text())
    shown = ("config/lm_eval/", "config/attacks/templates/")  # texts that models are shown: jobs' keys hash them
    read = {path: number for path, number in opened.items() if path.startswith(("src/", "config/"))}
    read = {path: number for path, number in read.items() if not path.startswith(shown)}
    assert len(read) > 100
    assert {path for path, number in read.items() if number > 2} == set()
    results = {path: number for path, number in opened.items() if path.startswith(("results/", "data/"))}
    assert {Path(path).name for path in results} == {"manifest.json", "versions.json"}
    assert {path for path, number in results.items() if number > 3} == set()
