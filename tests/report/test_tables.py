import csv
import io
import json
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats

from blur.report import tables
from blur.report.cells import sections
from blur.report.runs import Run, read_runs
from blur.report.settings import TableSettings
from tests.report.made_up import MUSE, SUBJECTS, WMDP
from tests.report.options import MUSE_TABLE, TOFU_TABLE, WMDP_TABLE
from tests.report.results_tree import write_requests, write_run


def cell(text: str, method: str, column: str) -> str:
    """Cell of the first Markdown table."""
    lines = [[part.strip() for part in line.strip("|").split("|")] for line in text.split("## ")[1].splitlines()]
    lines = [line for line in lines if len(line) > 2]
    place = next(i for i, name in enumerate(lines[0]) if name.startswith(column))
    return next(line[place] for line in lines if line[0].removesuffix(" †") == method)


def markdown(runs: list[Run], settings: TableSettings = TOFU_TABLE) -> str:
    return tables.markdown(runs, "T", settings)


def test_numbers_equal_an_independent_computation(tree: Path, runs: list[Run]) -> None:
    values = [
        json.loads((tree / f"tofu_forget10/simnpo/default/seed{seed}/metrics.json").read_text())["metrics"][
            "forget_rouge"
        ]
        for seed in (0, 1, 2)
    ]
    low, high = stats.t.interval(0.95, 2, loc=statistics.fmean(values), scale=stats.sem(values))
    row = next(r for r in tables.long(runs, TOFU_TABLE) if (r["method"], r["metric"]) == ("simnpo", "forget_rouge"))
    assert (row["mean"], row["mean_low"], row["mean_high"]) == pytest.approx((statistics.fmean(values), low, high))
    assert (row["min"], row["max"], row["seeds"], row["items"]) == (min(values), max(values), 3, 40)
    assert cell(markdown(runs), "SimNPO", "Forget ROUGE") == f"{statistics.fmean(values):.3f} ± {(high - low) / 2:.3f}"


def test_references_first_then_methods_then_variants_apart(runs: list[Run]) -> None:
    found = sections(runs, TOFU_TABLE)
    assert [row.key for row in found[0].rows][:2] == ["target", "retrained"]
    assert len(found[0].rows) == 15
    assert found[-1].title == "Variants"
    assert "BLUR-NPO (gamma4, γ = 4)" in [row.name for row in found[-1].rows]


def test_a_matched_variant_does_not_claim_the_planned_lambda(runs: list[Run]) -> None:
    assert "NPO-GDR (matched)" in [row.name for row in sections(runs, TOFU_TABLE)[-1].rows]


def test_a_collapsed_method_is_marked_and_never_best(runs: list[Run]) -> None:
    rows = {row.key: row for row in sections(runs, TOFU_TABLE)[0].rows}
    assert rows["ga"].collapsed
    assert not rows["npo_gdr"].collapsed
    assert rows["ga"].cells["forget_rouge"].summary.mean == 0
    assert [key for key, row in rows.items() if row.cells["forget_rouge"].best] == ["graddiff"]
    assert [key for key, row in rows.items() if row.cells["model_utility"].best] == ["simnpo"]


def test_a_model_without_a_utility_is_collapsed_and_never_best(tmp_path: Path) -> None:
    write_run(tmp_path, "target", "default", 0, model_utility=0.6)
    write_run(tmp_path, "npo", "default", 0, model_utility=None, forget_rouge=0.0)
    for method, rouge in (("npo_gdr", 0.2), ("simnpo", 0.3)):
        write_run(tmp_path, method, "default", 0, model_utility=0.5, forget_rouge=rouge)
    rows = {row.key: row for row in sections(read_runs([tmp_path / "metrics"]), TOFU_TABLE)[0].rows}
    assert [key for key, row in rows.items() if row.collapsed] == ["npo"]
    assert [key for key, row in rows.items() if row.cells["forget_rouge"].best] == ["npo_gdr"]


def test_a_mean_over_the_surviving_seeds_says_so_and_is_never_best(tmp_path: Path) -> None:
    for seed, value in enumerate((0.0, None, None)):
        write_run(tmp_path, "npo_gdr", "default", seed, privleak=value)
    for method, value in (("simnpo", 10.0), ("graddiff", 20.0)):
        write_run(tmp_path, method, "default", 0, privleak=value)
    runs = read_runs([tmp_path / "metrics"])
    rows = {row.key: row for row in sections(runs, TOFU_TABLE)[0].rows}
    assert [key for key, row in rows.items() if row.cells["privleak"].best] == ["simnpo"]
    text = markdown(runs)
    assert cell(text, "NPO-GDR", "PrivLeak") == "0.0 (a)"
    assert "(a) mean over 1 of 3 seeds; else not measured" in text


def test_a_huge_number_is_written_by_its_exponent(tmp_path: Path) -> None:
    write_run(tmp_path, "npo", "default", 0, forget_rouge=1e130)
    assert cell(markdown(read_runs([tmp_path / "metrics"])), "NPO", "Forget ROUGE") == "1.00e+130"


def test_best_of_match_is_nearest_the_retrained_and_of_zero_nearest_zero(tmp_path: Path) -> None:
    write_run(tmp_path, "retrained", "default", 0, forget_truth_ratio=0.6, privleak=0.0)
    write_run(tmp_path, "npo_gdr", "default", 0, forget_truth_ratio=0.9, privleak=-20.0)
    write_run(tmp_path, "simnpo", "default", 0, forget_truth_ratio=0.5, privleak=30.0)
    rows = {row.key: row for row in sections(read_runs([tmp_path / "metrics"]), TOFU_TABLE)[0].rows}
    assert rows["simnpo"].cells["forget_truth_ratio"].best
    assert not rows["npo_gdr"].cells["forget_truth_ratio"].best
    assert rows["npo_gdr"].cells["privleak"].best
    assert not any(row.first.is_reference and c.best for row in rows.values() for c in row.cells.values())


def test_nothing_is_best_where_all_are_equal(tmp_path: Path) -> None:
    for method in ("npo_gdr", "simnpo"):
        write_run(tmp_path, method, "default", 0, forget_rouge=0.3)
    rows = sections(read_runs([tmp_path / "metrics"]), TOFU_TABLE)[0].rows
    assert not any(row.cells["forget_rouge"].best for row in rows)


def test_an_undefined_value_is_a_dash_with_its_reason(tmp_path: Path) -> None:
    write_run(tmp_path, "npo", "default", 0, forget_quality=None)
    (run,) = read_runs([tmp_path / "metrics"])
    reason = "not defined: task has no retrained model"
    text = markdown([replace(run, about={**run.about, "forget_quality": {"direction": "higher", "reason": reason}})])
    assert cell(text, "NPO", "Forget quality ↑") == "– (a)"
    assert f"(a) {reason}" in text
    assert "forget_quality" not in tables.summary([run])["npo"]


def test_one_seed_has_no_interval(tmp_path: Path) -> None:
    write_run(tmp_path, "npo", "default", 0, forget_rouge=0.25)
    text = markdown(read_runs([tmp_path / "metrics"]))
    assert cell(text, "NPO", "Forget ROUGE") == "0.250"
    assert "±" not in text


def test_p_values_are_in_scientific_notation(tmp_path: Path) -> None:
    write_run(tmp_path, "npo", "default", 0, forget_quality=1.834e-21)
    assert cell(markdown(read_runs([tmp_path / "metrics"])), "NPO", "Forget quality ↑") == "1.83e-21"


def test_latex_escapes_underscores_and_percent() -> None:
    assert tables.escape("blur_npo & 5% ±") == r"blur\_npo \& 5\% $\pm$"


def test_latex_tables_are_whole_and_escaped(runs: list[Run]) -> None:
    odd = [replace(run, title=run.title.replace("-", "_")) for run in runs]
    text = tables.latex(odd, "a_b", TOFU_TABLE)
    assert "BLUR\\_NPO" in text
    assert "a\\_b" in text
    assert "_" not in text.replace("\\_", "")
    assert text.count(r"\begin{tabular}") == text.count(r"\bottomrule") == len(sections(odd, TOFU_TABLE))
    for table in text.split(r"\begin{tabular}{")[1:]:
        columns = len(table.split("}")[0])
        lines = [line for line in table.splitlines() if line.endswith(r"\\")]
        assert {line.replace(r"\&", "").count("&") for line in lines} == {columns - 1}


def test_files_are_complete_and_deterministic(tmp_path: Path, runs: list[Run]) -> None:
    first = tables.save(runs, tmp_path / "a", task_title="T", **TOFU_TABLE.model_dump())
    second = tables.save(runs[::-1], tmp_path / "b", task_title="T", **TOFU_TABLE.model_dump())
    assert [path.name for path in first] == ["results.md", "results.csv", "results.tex"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    flat = tables.summary(runs)
    rows = list(csv.DictReader(io.StringIO(first[1].read_text())))
    row = next(r for r in rows if (r["method"], r["variant"], r["metric"]) == ("blur_npo", "gamma4", "forget_rouge"))
    assert float(row["mean"]) == flat["blur_npo/gamma4"]["forget_rouge"]


def test_plain_fits_a_terminal_and_holds_the_headline(runs: list[Run]) -> None:
    text = tables.plain(runs, **TOFU_TABLE.model_dump())
    assert max(map(len, text.splitlines())) <= 120
    assert "BLUR-NPO-KL" in text
    assert "0.590 ± 0.022*" in text


def test_a_collapse_is_told_by_the_benchmarks_own_utility(tmp_path: Path) -> None:
    write_run(tmp_path, "target", "default", 0, bench=MUSE, knowmem_r=0.8)
    for method, kept in (("npo", 0.39), ("npo_gdr", 0.41)):
        write_run(tmp_path, method, "default", 0, bench=MUSE, knowmem_r=kept)
    runs = read_runs([tmp_path / "metrics"])
    assert [row.key for row in sections(runs, MUSE_TABLE)[0].rows if row.collapsed] == ["npo"]
    assert "† collapsed: KnowMem (retain) below 50% of the target's;" in markdown(runs, MUSE_TABLE)


def test_what_guessing_gives_is_no_utility(tmp_path: Path) -> None:
    write_run(tmp_path, "target", "default", 0, bench=WMDP, mmlu_acc=0.65)
    for method, kept in (("npo_gdr", 0.44), ("simnpo", 0.46)):  # half of what is above chance: 0.25 + 0.4 / 2 = 0.45
        write_run(tmp_path, method, "default", 0, bench=WMDP, mmlu_acc=kept)
    runs = read_runs([tmp_path / "metrics"])
    assert [row.key for row in sections(runs, WMDP_TABLE)[0].rows if row.collapsed] == ["npo_gdr"]
    text = markdown(runs, WMDP_TABLE)
    assert "Guessing gives 0.25 in: WMDP bio accuracy, WMDP cyber accuracy, MMLU accuracy." in text
    assert "below 50% of the target's above chance" in text


def test_parts_of_a_metric_have_a_table_and_are_named_without_it(tmp_path: Path) -> None:
    write_run(tmp_path, "rmu", "default", 0, bench=WMDP)
    runs = read_runs([tmp_path / "metrics"])
    (found,) = [section for section in sections(runs, WMDP_TABLE) if section.whole]
    assert found.title == "MMLU accuracy and its parts"
    assert found.columns == ("mmlu_acc", *(f"mmlu_acc.{name}" for name in SUBJECTS))
    assert found.rows[0].cells["mmlu_acc.law"].direction == "higher"
    assert "| Method | MMLU accuracy ↑ | Astronomy ↑ | College chemistry ↑ | Law ↑ |" in markdown(runs, WMDP_TABLE)


def test_a_detail_in_the_headline_names_its_metric(runs: list[Run]) -> None:
    assert "| Forget quality KS statistic |" in markdown(runs)


def test_a_metric_without_parts_is_not_lost(tmp_path: Path) -> None:
    write_run(tmp_path, "npo", "default", 0, bench=MUSE)
    settings = TableSettings(columns=("verbmem_f",), utility="knowmem_r", parts=("knowmem_f",))
    found = sections(read_runs([tmp_path / "metrics"]), settings)
    assert not any(section.whole for section in found)
    assert "knowmem_f" in [column for section in found for column in section.columns]


def test_requests_stand_apart_from_variants(tmp_path: Path) -> None:
    write_run(tmp_path, "blur_npo", "default", 0, bench=MUSE)
    write_run(tmp_path, "blur_npo", "gamma4", 0, 4.0, MUSE)
    write_requests(tmp_path, (0,))
    found = {section.title: section for section in sections(read_runs([tmp_path / "metrics"]), MUSE_TABLE)}
    assert [row.name for row in found["Variants"].rows] == ["BLUR-NPO (gamma4, γ = 4)"]
    names = [row.name for row in found["Requests"].rows]
    assert len(names) == 24
    assert names[:4] == ["GradDiff (scal1)", "NPO-GDR (scal1)", "BLUR-NPO (scal1)", "GradDiff (scal2)"]
    best = [row.name for row in found["Requests"].rows if row.cells["knowmem_r"].best]
    assert best == [f"BLUR-NPO ({kind}{number})" for kind in ("scal", "sust") for number in (1, 2, 3, 4)]
    assert list(found)[-1] == "Requests"


def test_a_percentage_says_so_in_its_header(tmp_path: Path) -> None:
    write_run(tmp_path, "npo", "default", 0, bench=MUSE, privleak=-12.345)
    text = markdown(read_runs([tmp_path / "metrics"]), MUSE_TABLE)
    assert cell(text, "NPO", "PrivLeak (%) → 0") == "-12.3"
    assert "PrivLeak (\\%)" in tables.latex(read_runs([tmp_path / "metrics"]), "T", MUSE_TABLE)


def test_nothing_measured_is_said_on_the_terminal() -> None:
    assert "No model has any of the columns" in tables.plain([], **MUSE_TABLE.model_dump())


def test_a_misspelt_table_option_is_refused(runs: list[Run]) -> None:
    with pytest.raises(ValueError, match="column"):
        tables.plain(runs, column=["verbmem_f"], utility="knowmem_r")


def test_a_method_none_of_whose_epochs_met_its_rule_is_marked(runs: list[Run]) -> None:
    def chosen(run: Run, reached: bool) -> Run:
        return replace(run, settings={**run.settings, "selected": {"epoch": 3, "reached": reached}})

    npo = [run for run in runs if (run.method, run.variant) == ("npo_gdr", "default")]
    met = markdown([chosen(run, True) if run in npo else run for run in runs])
    missed = markdown([chosen(run, run is not npo[-1]) if run in npo else run for run in runs])
    assert met == markdown(runs)
    assert f"| {npo[0].title} § |" in missed
    assert "§ `select` asks for the first epoch to reach the retrained model" in missed
