"""``snakemake --logger blur``: one line that a person can read instead of Snakemake's own output.

Snakemake finds this package by its name. Its own log is kept beside (``.snakemake/log``), and ``-n`` prints as always.
"""

from __future__ import annotations

import logging
import os
import sys

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

# Of what Snakemake says without naming an event, a person wants to know these.
TELLING = ("Nothing to be done", "Complete log", "Trying to restart", "Will exit", "Shutting down", "Terminating")


class LogHandler(LogHandlerBase):
    """Hands the events of a run to ``blur.workflow.watch``."""

    has_filter = has_formatter = needs_rulegraph = writes_to_file = False
    writes_to_stream = True

    def __post_init__(self) -> None:
        """Choose what to show, and tell the jobs (workflow/rules/common.smk) to write to their logs only."""
        from snakemake.logging import ColorizingTextHandler

        from blur.workflow.watch import Watch

        self._plain = ColorizingTextHandler(stream=sys.stdout) if self.common_settings.dryrun else None
        self._watch = Watch(sys.stderr)
        if self._plain is None:
            os.environ["BLUR_LOGS_ONLY"] = "1"

    def emit(self, record: logging.LogRecord) -> None:
        """Show one event."""
        try:
            if self._plain is not None:
                self._plain.setFormatter(self.formatter)
                self._plain.emit(record)
            else:
                self._show(record, getattr(record, "event", None))
        except BrokenPipeError:  # nobody reads on
            pass
        except Exception:
            self.handleError(record)

    def _show(self, record: logging.LogRecord, event: LogEvent | None) -> None:
        told, watch = record.__dict__, self._watch
        match event:
            case LogEvent.RUN_INFO:
                watch.planned({rule: number for rule, number in told["stats"].items() if rule != "total"})
            case LogEvent.RESOURCES_INFO if "cores" in told:
                watch.given(told["cores"])
            case LogEvent.JOB_INFO:
                watch.started(told["jobid"], told["rule_name"], told["wildcards"], told["log"])
            case LogEvent.JOB_FINISHED:
                watch.finished(told["job_id"])
            case LogEvent.JOB_ERROR:
                watch.failed(told["jobid"], told["rule_name"], told["log"])
            case LogEvent.ERROR if told["exception"] == "RuleException":
                pass  # the job's own error follows, and says more
            case _:
                text = self.format(record)
                if record.levelno >= logging.WARNING or text.startswith(TELLING):
                    watch.say(text)

    def close(self) -> None:
        """End the moving line."""
        self._watch.close()
        super().close()
