"""What all tests share."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Let SIGINT end what tests start: a shell that runs pytest in the background has it ignored, and that is inherited."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
