"""Bad input is refused before any job starts, with file, key and remedy, and nothing is lost."""

from __future__ import annotations

import pytest

from tests.workflow.conftest import Workspace

pytestmark = pytest.mark.workflow

FAULTS = {
    "unknown key": (
        "config/methods/blur_npo.yaml",
        "combine: {name: bilevel, gamma: 1.0}\nvariants",
        "combine: {name: bilevel, gama: 1.0}\nvariants",
        ["config/methods/blur_npo.yaml", "gama"],
    ),
    "wrong type": ("config/scales/ci.yaml", "epochs: 3", "epochs: three", ["config/scales/ci.yaml", "epochs", "three"]),
    "unknown method": ("config/scales/ci.yaml", "simnpo,", "simnop,", ["simnop", "Did you mean 'simnpo'"]),
    "unknown variant": ("config/scales/ci.yaml", "[gamma4]", "[gama4]", ["gama4", "gamma4"]),
    "unknown loss": (
        "config/methods/ga_klr.yaml", "loss: kl}", "loss: lk}", ["config/methods/ga_klr.yaml", "lk", "kl"],
    ),
    "unknown metric": ("config/benchmarks/tofu.yaml", "metric: forget_quality", "metric: forget_qualty", ["forget_quality"]),
    "unknown top-level key": ("config/scales/ci.yaml", "title: ci", "titel: ci", ["config/scales/ci.yaml", "title"]),
    "broken YAML": ("config/methods/ga.yaml", "retain: []", "retain: [", ["config/methods/ga.yaml", "line"]),
    "missing file": ("config/tasks/tofu.yaml", "benchmark: tofu", "benchmark: tofoo", ["tofoo.yaml", "tofu"]),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_configuration_fault_is_named_before_any_job(finished: Workspace, name: str) -> None:
    path, old, new, expected = FAULTS[name]
    if name == "broken YAML":
        old_runs = finished.changed("config/scales/ci.yaml", "[graddiff, ga_klr,", "[ga, graddiff, ga_klr,")
    else:
        old_runs = finished.changed("config/scales/ci.yaml", "title:", "title:") if path != "config/scales/ci.yaml" else None
    with finished.changed(path, old, new):
        if old_runs is None:
            done = finished.snakemake("all", check=False)
        else:
            with old_runs:
                done = finished.snakemake("all", check=False)
    output = done.stdout + done.stderr
    assert done.returncode != 0
    for part in expected:
        assert part in output
    assert "Traceback" not in output
    assert "rule unlearn" not in output


def test_unknown_scale_and_task(finished: Workspace) -> None:
    done = finished.run("snakemake", "all", "-n", "--config", "scale=smal", check=False)
    assert done.returncode != 0
    assert "Did you mean 'small'" in done.stdout + done.stderr
    done = finished.run("snakemake", "all", "-n", "--config", "scale=ci", "task=tofo", check=False)
    assert "Did you mean 'tofu'" in done.stdout + done.stderr
