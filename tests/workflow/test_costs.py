"""What `blur show` tells of each method's cost, from what its jobs say of themselves."""

from __future__ import annotations

import json
from pathlib import Path

from blur.report.runs import Run
from blur.workflow.costs import of_methods


def run(folder: Path, method: str, seed: int, wall: float, peak: int, steps: int | None) -> Run:
    folder = folder / method / str(seed)
    folder.mkdir(parents=True)
    cost = {"wall_seconds": wall, "cpu_seconds": 2 * wall, "peak_memory_bytes": peak * 2**20}
    (folder / "made.json").write_text(json.dumps({"cost": cost}))
    trained = {} if steps is None else {"training": {"steps": steps}}
    (folder / "manifest.json").write_text(json.dumps({"key": {}, "files": {}, **trained}))
    return Run(method, method.upper(), "x", "default", seed, {}, {}, models=folder)


def test_seeds_are_averaged_and_memory_is_the_largest(tmp_path: Path) -> None:
    runs = [run(tmp_path, "ga", 0, 10.0, 300, 50), run(tmp_path, "ga", 1, 20.0, 200, 50)]
    runs += [run(tmp_path, "edit", 0, 1.0, 100, None)]
    found = [line.split() for line in of_methods(runs)[1:]]
    assert sorted(found) == [["EDIT", "-", "1.0", "2.0", "100"], ["GA", "50", "15.0", "30.0", "300"]]


def test_models_that_are_not_here_have_no_row(tmp_path: Path) -> None:
    assert of_methods([Run("ga", "GA", "x", "default", 0, {}, {}, models=tmp_path / "none")]) == []
