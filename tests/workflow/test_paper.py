"""A scale beside the paper: three columns, blank where nothing is known; a name of nothing is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from blur.config.plan import Plan
from blur.core import manifest as manifests
from blur.core.errors import ArtifactError, ConfigError
from blur.core.files import write_json
from blur.workflow import paper
from tests.config.refusals import changed, copy_config, read_once, rewritten

__all__ = ["read_once"]  # a fixture
ROOT = Path(__file__).resolve().parents[2]
TASK, SEEDS = "wmdp_zephyr_7b", (0, 1, 2)
SMALL = """
sources:
  outline: {title: outline, url: "https://example.org/o", what: captions}
  quoter: {title: Quoter, url: "https://example.org/q", what: it quotes}
  again: {title: Again, url: "https://example.org/a", what: it ran again}
tables:
  table_4:
    label: Table 4
    title: WMDP
    identified: second hand
    known: Three rows.
    unknown: the rest
    parts:
      zephyr:
        title: Zephyr
        benchmark: wmdp
        task: wmdp_zephyr_7b
        unit: percent
        metrics: [wmdp_bio_acc, wmdp_cyber_acc, mmlu_acc]
        rows:
          - run: blur_rmu
            paper: [{who: quoter, values: {wmdp_bio_acc: 26.9, mmlu_acc: 57.0}}]
            rerun:
              - {who: quoter, values: {wmdp_bio_acc: 27.7}, note: seed 42}
              - {who: again, unit: fraction, values: {wmdp_bio_acc: 0.262 ± 0.010, mmlu_acc: 0.54}}
          - {run: rmu}
          - {run: ga}
      muse:
        title: News
        benchmark: muse
        unit: percent
        metrics: [knowmem_f, privleak]
        rows: [{run: target, rerun: [{who: again, unit: fraction, values: {knowmem_f: 0.639, privleak: -99.8}}]}]
      settings:
        title: Settings
        benchmark: wmdp
        task: wmdp_zephyr_7b
        settings: [forget.0.loss.coefficient, combine.gamma, epochs, schedule.name]
        rows: [{run: blur_rmu, paper: [{who: quoter, values: {combine.gamma: 0.5, schedule.name: constant}}]}]
figures:
  figure_1:
    label: Figure 1
    title: one
    identified: confirmed
    source: outline
    known: Two axes.
    unknown: the points
    drawn: {figure: tradeoff, task: wmdp_zephyr_7b}
  other:
    label: Another
    title: not known
    identified: unknown
    unknown: everything
    drawn: {figure: ablation, task: wmdp_zephyr_7b}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_config(tmp_path_factory.mktemp("published"))
    (folder / "published.yaml").write_text(SMALL, encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty checkout: captions, and no results."""
    (tmp_path / "workflow").symlink_to(ROOT / "workflow")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(config: Path, scale: str = "paper") -> str:
    return paper.text(Plan(config, {"scale": scale}))


def cells(page: str, heading: str) -> list[list[str]]:
    """The rows of the first table under a heading."""
    below = page.partition(f"# {heading}\n")[2].splitlines()
    start = next(place for place, line in enumerate(below) if line.startswith("|"))
    lines = below[start : next(place for place in range(start, len(below)) if not below[place].startswith("|"))]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def made(
    seed: int, metrics: dict[str, float | None], steps: int = 150, commit: str = "c0ffee", scale: str = "paper"
) -> None:
    """A finished run of BLUR-RMU: what it measured, and how many updates its model had of the 150 planned."""
    run = f"{TASK}/blur_rmu/default/seed{seed}"
    folders = {phase: Path("results", scale, phase, run) for phase in ("metrics", "models")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    about = {name: {"reason": "no word of it"} for name, value in metrics.items() if value is None}
    identity = {"task": TASK, "method": "blur_rmu", "variant": "default", "seed": seed}
    record = {**identity, "metrics": metrics, "about": about}
    write_json(folders["metrics"] / "metrics.json", record)
    manifests.write(folders["metrics"], "metrics", {}, ["metrics.json"])
    (folders["models"] / "steps.jsonl").write_text('{"step": 1}\n' * steps)
    manifests.write(folders["models"], "unlearn", {}, ["steps.jsonl"], {"commit": commit}, training={"steps": 150})


def test_three_columns_of_a_case_by_hand(config: Path) -> None:
    """Half the width of the interval: t(2, 0.975) = 4.302653, s = 2 percent, three seeds."""
    for seed, accuracy in zip(SEEDS, (0.25, 0.27, 0.29), strict=True):
        made(seed, {"wmdp_bio_acc": accuracy, "wmdp_cyber_acc": None, "mmlu_acc": 0.57}, steps=150 - (seed == 2))
    half = 4.302653 * 2 / 3**0.5
    page = written(config)
    assert cells(page, "Zephyr")[:3] == [
        [
            "**BLUR-RMU**",
            "WMDP bio accuracy ↓",
            "26.9 [via Quoter]",
            "Quoter 27.7 (a); Again 26.2 ± 1.0; *apart 1.5*",
            f"27.0 ± {half:.1f}",
        ],
        ["", "WMDP cyber accuracy ↓", "", "", "(b)"],
        ["", "MMLU accuracy ↑", "57.0 [via Quoter]", "Again 54.0", "57.0 ± 0.0"],
    ]
    assert "(a) Quoter: seed 42.  \n(b) ours: no word of it." in page
    assert "| BLUR-RMU | 3 of 3 | 150 | 149, 150 | c0ffee |" in page
    assert "| 4 of 15 cells [via Quoter] | Quoter, Again | 3 of 6 runs |" in page, "in the list at the top"


def test_where_nothing_has_run_ours_says_so(config: Path) -> None:
    page = written(config)
    ours = [row[-1] for row in cells(page, "Zephyr")]
    assert ours == ["not run"] * 6 + ["not planned"] * 3, "the scale runs no GA on this task"
    assert [row[2:4] for row in cells(page, "Zephyr")[3:]] == [["", ""]] * 6
    assert "Our run" not in page


def test_a_metric_in_percent_anyway_stays_and_a_part_without_a_task_has_no_ours(config: Path) -> None:
    assert cells(written(config), "News") == [
        ["**Target**", "KnowMem (forget) ↓", "", "Again 63.9", ""],
        ["", "PrivLeak (%) → 0", "", "Again -99.8", ""],
    ]


def test_settings_are_what_they_resolve_to_before_anything_runs(config: Path) -> None:
    assert [row[1:] for row in cells(written(config), "Settings")] == [
        ["`forget.0.loss.coefficient`", "", "", "6.5"],
        ["`combine.gamma`", "0.5 [via Quoter]", "", "0.00125"],
        ["`epochs`", "", "", ""],
        ["`schedule.name`", "constant [via Quoter]", "", "constant"],
    ]


def test_fewer_seeds_than_planned_are_told(config: Path) -> None:
    made(0, {"wmdp_bio_acc": 0.25, "wmdp_cyber_acc": 0.3, "mmlu_acc": 0.5})
    page = written(config)
    assert [row[-1] for row in cells(page, "Zephyr")[:3]] == [f"{n} (1 of 3 seeds)" for n in ("25.0", "30.0", "50.0")]


def test_results_that_mean_nothing_read_so(config: Path) -> None:
    made(0, {"wmdp_bio_acc": 0.25, "wmdp_cyber_acc": None, "mmlu_acc": 0.5})
    with changed(config / "scales/paper.yaml", "meaning", "tiny weights: no meaning"):
        page = written(config)
    assert [row[-1] for row in cells(page, "Zephyr")[:4]] == ["*tiny weights: no meaning*"] * 3 + ["not run"]
    assert "25.0" not in page
    assert "| BLUR-RMU | 1 of 3 | 150 | 150 | c0ffee |" in page, "updates and commit mean something"
    assert cells(page, "Settings")[0][-1] == "6.5", "and so do settings"


def test_a_log_that_is_not_its_manifests_is_refused(config: Path) -> None:
    made(0, {"wmdp_bio_acc": 0.25})
    (log,) = Path("results").rglob("steps.jsonl")
    log.write_text("")
    with pytest.raises(ArtifactError, match="content differs"):
        written(config)


def test_figures_say_whose_caption_it_is_and_whether_ours_is_drawn(config: Path) -> None:
    drawn = Path(f"results/paper/drawn/{TASK}/tradeoff")
    drawn.mkdir(parents=True)
    manifests.write(drawn, "figures", {}, [], {"commit": "beef"})
    made(0, {"wmdp_bio_acc": 0.25}, steps=149)
    page = written(config)
    (row,) = cells(page, "Figure 1: one")
    shown = f"`results/paper/figures/{TASK}/tradeoff.png`: drawn; its 18 models made 149 of 150 planned updates"
    assert row == ["Two axes. [outline]", "", f"{shown}; commit beef"]
    (row,) = cells(page, "Another: not known")
    assert row == ["", "", f"`results/paper/figures/{TASK}/ablation.png`: not run"]
    first, other = (page.partition(f"## {label}")[2].partition("\n## ")[0] for label in ("Figure 1", "Another"))
    assert "**The caption is ours.**" in other
    assert "The caption is ours" not in first
    assert f"Task {TASK}, scale paper" in first


def replaced(content: dict[str, Any], change: Callable[[Any], None]) -> bytes:
    change(content)
    return yaml.safe_dump(content, allow_unicode=True, sort_keys=False).encode()


PART = "published.yaml: tables.table_4.parts.zephyr"
FAULTS: list[tuple[str, Callable[[Any], None], str]] = [
    ("method", lambda p: p["rows"][0].update(run="blur_rmux"), f"{PART}.rows.run|no run 'blur_rmux'. Did you mean"),
    ("variant", lambda p: p["rows"][0].update(run="rmu/gama"), "no run 'rmu/gama'"),
    ("task", lambda p: p.update(task="wmdp_zephyr"), f"{PART}.task|no task 'wmdp_zephyr'"),
    ("benchmark", lambda p: p.update(benchmark="wmpd"), f"{PART}.benchmark|Did you mean 'wmdp'"),
    ("metric", lambda p: p["metrics"].append("mmlu_ac"), f"{PART}.metrics|no metric 'mmlu_ac'. Did you mean"),
    ("source", lambda p: p["rows"][0]["paper"][0].update(who="quote"), f"{PART}.rows.paper.who|no source 'quote'"),
    ("other benchmark", lambda p: p.update(task="tofu_llama_1b"), f"{PART}.task|none of the benchmark 'wmdp'"),
    ("value", lambda p: p["rows"][0]["paper"][0]["values"].update(mmlu=1), "values.mmlu is none of the columns"),
    ("number", lambda p: p["rows"][0]["paper"][0]["values"].update(mmlu_acc="27 +- 1"), "neither a number nor"),
    ("key", lambda p: p.update(not_e="x"), "unknown key 'tables.table_4.parts.zephyr.not_e'"),
    ("both", lambda p: p.update(settings=["epochs"]), "either `metrics` or `settings`"),
    ("twice", lambda p: p["rows"].append({"run": "rmu"}), "'rmu' twice"),
    ("unit", lambda p: p.update(unit="percents"), "zephyr.unit"),
]


@pytest.mark.parametrize(("change", "said"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS])
def test_what_is_wrong_is_refused_by_file_and_key(config: Path, change: Callable[[Any], None], said: str) -> None:
    content = replaced(yaml.safe_load(SMALL), lambda all_: change(all_["tables"]["table_4"]["parts"]["zephyr"]))
    with rewritten(config / "published.yaml", content), pytest.raises(ConfigError) as error:
        written(config)
    assert "published.yaml" in str(error.value)
    for part in said.split("|"):
        assert part in str(error.value)


def test_a_renamed_method_setting_or_figure_is_refused(config: Path) -> None:
    def setting(content: Any) -> None:
        content["tables"]["table_4"]["parts"]["settings"]["settings"] = ["combine.gama"]
        content["tables"]["table_4"]["parts"]["settings"]["rows"] = [{"run": "blur_rmu"}]

    def figure(content: Any) -> None:
        content["figures"]["other"]["drawn"]["figure"] = "abblation"

    for change, said in (
        (setting, "parts.settings.settings: no setting 'combine.gama'. Did you mean 'combine.gamma'"),
        (figure, "figures.other.drawn.figure: no figure 'abblation'. Did you mean 'ablation'"),
    ):
        with rewritten(config / "published.yaml", replaced(yaml.safe_load(SMALL), change)):
            with pytest.raises(ConfigError) as error:
                written(config)
            assert said in str(error.value)
    method = config / "methods/blur_rmu.yaml"
    method.rename(config / "methods/blur_rmx.yaml")
    try:
        with pytest.raises(ConfigError, match=r"published\.yaml: tables\.table_4\.parts\.zephyr\.rows\.run: no run"):
            written(config)
    finally:
        (config / "methods/blur_rmx.yaml").rename(method)


def test_a_folder_that_is_not_there_is_refused_and_not_made(config: Path) -> None:
    with pytest.raises(ConfigError, match=r"--to: no folder 'reslts'"):
        paper.write(Plan(config, {"scale": "paper"}), Path("reslts/paper.md"))
    assert not Path("reslts").exists()


def test_the_paper_has_eight_tables_and_eleven_figures_six_of_them_unknown() -> None:
    published = paper.read(Plan(ROOT / "config", {"scale": "paper"}))
    assert list(published.tables) == [f"table_{number}" for number in range(1, 9)]
    assert len(published.figures) == 11
    unknown = [figure for figure in published.figures.values() if not figure.known]
    assert len(unknown) == 6
    page = written(ROOT / "config")
    assert page.count("**The caption is ours.**") == 6
    assert [row[-1] for row in cells(page, "WMDP, Zephyr-7B-beta")] == ["not run"] * 21
    assert "tiny" not in page
