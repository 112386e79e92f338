"""Figures, tables and summaries are results like others: a file that is gone is made again."""

from __future__ import annotations

import pytest

from tests.workflow.conftest import SCALE, Workspace

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("stored")]
GONE = {
    "figures/tofu/tradeoff.pdf": "figure_tradeoff tofu",
    "figures/muse_news/requests.csv": "figure_requests muse_news",
    "figures/muse_news/results.tex": "table muse_news",
    "summary/wmdp.json": "table wmdp",
    "figures/rtt/robustness.csv": "robustness rtt",
    "drawn/muse_news/front/manifest.json": "figure_front muse_news",
}


def test_a_deleted_file_of_a_figure_table_or_summary_is_planned_again(finished: Workspace) -> None:
    paths = [finished.root / f"results/{SCALE}" / name for name in GONE]
    for path in paths:
        path.rename(path.with_suffix(".away"))
    try:
        assert finished.plan() == set(GONE.values())
    finally:
        for path in paths:
            path.with_suffix(".away").rename(path)
    assert finished.plan() == set()
