"""The line that a person reads while the graph runs: what it says, on a terminal and elsewhere, and of failures."""

from __future__ import annotations

import io
import logging
import types
from pathlib import Path
from typing import Any

import pytest
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

from blur.workflow.pace import OTHERS, TYPICAL, Pace
from blur.workflow.watch import INTERVAL, Watch, words
from snakemake_logger_plugin_blur import LogHandler

RUN = {"scale": "demo", "task": "tofu", "method": "blur_npo", "variant": "default", "seed": "0"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(clock: Clock) -> Watch:
    return Watch(io.StringIO(), clock)


def said(watch: Watch) -> str:
    return watch._stream.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("rule", "wildcards", "text"),
    [
        ("data", {"scale": "demo", "task": "tofu"}, "data, tofu"),
        ("train", {"task": "tofu", "role": "target", "seed": "0"}, "train, tofu, target"),
        ("unlearn", RUN, "unlearn, tofu, BLUR-NPO"),
        ("unlearn", RUN | {"variant": "gamma0.25"}, "unlearn, tofu, BLUR-NPO, gamma 0.25"),
        ("metrics", RUN | {"variant": "matched_gamma4"}, "metrics, tofu, BLUR-NPO, matched_gamma4"),
        ("attack_metrics", RUN | {"attack": "relearn"}, "attack metrics, tofu, relearning, BLUR-NPO"),
        ("evaluate", RUN | {"method": "target", "seed": "3"}, "evaluate, tofu, target, seed 3"),
        ("reference_sums", RUN | {"method": "target", "request": "own"}, "reference sums, tofu, target"),
        ("figure_front", {"task": "tofu"}, "figure front, tofu"),
        ("all", {}, "all"),
    ],
)
def test_a_job_is_told_in_plain_words(rule: str, wildcards: dict[str, str], text: str) -> None:
    assert words(rule, wildcards) == text


def test_the_time_left_is_expected_by_rule() -> None:
    pace = Pace({"train": 2, "unlearn": 10, "metrics": 10}, {})
    typical = 2 * TYPICAL["train"] + 10 * TYPICAL["unlearn"] + 10 * OTHERS
    assert pace.left([], 2) == pytest.approx(typical / 2)
    pace.finished("train", 3 * TYPICAL["train"])  # a machine three times as slow
    assert pace.left([], 1) == pytest.approx(3 * (typical - TYPICAL["train"]))
    pace.finished("unlearn", 5.0)
    pace.finished("unlearn", 7.0)  # from now on its jobs count by what they took
    slow = (3 * TYPICAL["train"] + 12) / (TYPICAL["train"] + 2 * TYPICAL["unlearn"])
    assert pace.left([], 1) == pytest.approx(3 * TYPICAL["train"] + 8 * 6.0 + 10 * OTHERS * slow)


def test_a_running_job_s_age_counts_and_no_more_than_it_is_expected_to_take() -> None:
    pace = Pace({"unlearn": 2}, {"unlearn": 10.0})
    assert pace.left([("unlearn", 4.0)], 1) == pytest.approx(16.0)
    assert pace.left([("unlearn", 400.0)], 1) == pytest.approx(10.0)
    assert pace.left([("unlearn", 4.0), ("unlearn", 6.0)], 2) == pytest.approx(5.0)


def test_the_line_says_which_job_of_how_many_what_and_how_long(watch: Watch, clock: Clock, tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    log.write_text("unlearn tofu/blur_npo/default/seed0: step 3/80, 12 s left\nunlearn x: step 40/80, 6 s left\n")
    watch.planned({"unlearn": 2, "metrics": 2})
    watch.given(2)
    assert watch.line() == ""
    watch.started(7, "unlearn", RUN, [str(log)])
    watch.started(3, "metrics", RUN | {"scale": "nowhere"}, [str(tmp_path / "none.log")])
    left = round((2 * TYPICAL["unlearn"] + 2 * OTHERS) / 2)
    assert watch.line() == (
        f"job 2 of 4, about {left} s left: metrics, tofu, BLUR-NPO; unlearn, tofu, BLUR-NPO (step 40/80)"
    )
    clock.now = 200.0
    watch.finished(7)
    assert watch.line().startswith("job 2 of 4, about 2 min left: metrics")


def test_elsewhere_than_on_a_terminal_a_line_comes_now_and_then(watch: Watch, clock: Clock) -> None:
    watch.planned({"unlearn": 4})
    for number in range(4):
        watch.started(number, "unlearn", RUN, [])
        clock.now += 0.6 * INTERVAL
        watch.finished(number)
    lines = said(watch).splitlines()
    assert lines[0] == "4 jobs to do"
    assert [line.split(",")[0] for line in lines[1:-1]] == ["job 1 of 4", "job 3 of 4"]
    assert lines[-1] == "4 jobs done in 24 s"
    assert "\x1b" not in said(watch)


def test_on_a_terminal_the_line_gives_way_to_what_stays(clock: Clock) -> None:
    watch = Watch(Terminal(), clock)
    watch.planned({"unlearn": 1})
    watch.started(0, "unlearn", RUN, [])
    watch.finished(0)
    watch.close()
    assert said(watch) == "\r\x1b[K1 job to do\n\r\x1b[K1 job done in 1 s\n\r\x1b[K"


def test_a_failure_shows_the_end_of_its_log_and_the_file(watch: Watch, tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    log.write_text("\n".join(f"line {number}" for number in range(40)))
    watch.planned({"unlearn": 2})
    watch.started(5, "unlearn", RUN, [str(log)])
    watch.failed(5, "unlearn", [str(log)])
    text = said(watch)
    assert "Failed: unlearn, tofu, BLUR-NPO\n" in text
    assert "line 39\n" in text
    assert "line 20\n" not in text
    assert text.endswith(f"Its log: {log}\n")
    assert watch.line() == ""


def handler() -> LogHandler:
    made = LogHandler(types.SimpleNamespace(dryrun=False), None)  # type: ignore[arg-type]
    made.setFormatter(logging.Formatter("%(message)s"))
    return made


def record(message: str = "", level: int = logging.INFO, **told: Any) -> logging.LogRecord:
    made = logging.LogRecord("snakemake", level, "", 0, message, None, None)
    made.__dict__ |= told
    return made


def test_snakemake_finds_the_logger_by_name() -> None:
    assert LoggerPluginRegistry().get_plugin("blur").log_handler is LogHandler


def test_the_logger_hands_on_a_run_and_leaves_snakemake_s_chatter_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BLUR_LOGS_ONLY", raising=False)
    made = handler()
    for event in (
        record("Building DAG of jobs..."),
        record("Job stats: ...", event=LogEvent.RUN_INFO, stats={"unlearn": 1, "total": 1}),
        record("Provided cores: 2", event=LogEvent.RESOURCES_INFO, cores=2),
        record("Provided resources: gpu=1", event=LogEvent.RESOURCES_INFO, provided_resources={"gpu": 1}),
        record(event=LogEvent.JOB_INFO, jobid=1, rule_name="unlearn", wildcards=RUN, log=[]),
        record("Select jobs to execute..."),
        record("a warning", logging.WARNING),
        record("RuleException: ...", logging.ERROR, event=LogEvent.ERROR, exception="RuleException"),
        record(event=LogEvent.JOB_ERROR, jobid=1, rule_name="unlearn", log=["gone.log"]),
        record("WorkflowError: no such task", logging.ERROR, event=LogEvent.ERROR, exception="WorkflowError"),
        record(event=LogEvent.JOB_INFO, jobid=1, rule_name="unlearn", wildcards=RUN, log=[]),
        record(event=LogEvent.JOB_FINISHED, job_id=1),
        record("Complete log(s): there"),
    ):
        made.handle(event)
    made.close()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "1 job to do",
        "job 1 of 1, about 10 s left",
        "a warning",
        "Failed",
        "Its log",
        "WorkflowError",
        "job 1 of 1, about 10 s left",
        "1 job done in 1 s",
        "Complete log(s)",
    ]


def test_nothing_to_be_done_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    handler().handle(record("Nothing to be done (all requested files are present and up to date)."))
    assert "Nothing to be done" in capsys.readouterr().err
