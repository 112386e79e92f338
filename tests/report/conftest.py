from pathlib import Path

import pytest

from blur.report.runs import Run, read_runs
from tests.report.results_tree import write_all


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_all(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="session")
def runs(tree: Path) -> list[Run]:
    return read_runs([tree])
