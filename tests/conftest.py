"""What all tests share."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Let SIGINT end what tests start: what a shell runs in its background has it ignored, and hands that on."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
