"""What all tests share."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Let signals end what tests start: a shell's background ignores SIGINT, `nohup` SIGHUP, and both hand that on."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
