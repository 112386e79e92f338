"""The command ``blur`` as a job of Snakemake types it: hand the job to the run's warm process, or be the job.

This is the first code that any ``blur`` runs: it imports nothing that takes time.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from blur.warm.offer import Address

COLD = "--cold"
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
PATIENCE = 300.0  # seconds for an answer: the warm process may be importing
START = 20.0  # seconds for a new warm process to listen
LARGEST = 1 << 16  # bytes of a message


class Unavailable(Exception):
    """The warm process does not do this job; the text says why."""


def main() -> None:
    """Run one ``blur`` command."""
    if sys.argv[1:2] == [COLD]:
        del sys.argv[1]
    else:
        try:
            if address := Address.read():
                end(run(address, sys.argv[1:]))
        except (Unavailable, OSError, ValueError) as why:
            print(f"blur: a process of its own for this job: {why}", file=sys.stderr)
    from blur.cli import main as here
    from blur.core.processes import leave

    try:
        here()
    except SystemExit as done:
        if done.code not in (None, 0):
            raise
    leave()


def run(address: Address, arguments: Sequence[str]) -> int:
    """Have the warm process run a command with this process's output; return its status as ``waitpid`` gives it.

    Signals are passed on. If this process dies, so does the job. If the warm process dies, the job was to be done here,
    unless a signal had been passed on: that ended it.

    Raises:
        Unavailable: the job is to be run here, and is not being run elsewhere.
    """
    from blur.warm.identity import identify

    asked = {"arguments": list(arguments), "identity": identify(arguments)}
    with connect(address, arguments) as connection:
        # A signal that comes before there is a child waits for it, or for the end of the attempt.
        passed = list[int]()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
        try:
            child = _ask(connection, asked)

            def pass_on(number: int, _: object) -> None:
                passed.append(number)
                with suppress(ProcessLookupError):  # it has just ended
                    signal.pidfd_send_signal(child, number)

            before = {number: signal.signal(number, pass_on) for number in PASSED_ON}
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        answer, _ = receive(connection)
        _wait(child)
        for number, handler in before.items():
            signal.signal(number, handler)
    if "status" in answer:
        return int(answer["status"])
    if passed:
        return passed[-1]
    raise Unavailable("the warm process ended")


def _ask(connection: socket.socket, asked: dict[str, Any]) -> int:
    """Ask for a child that has this process's standard streams; return a file descriptor that stands for it."""
    try:
        connection.settimeout(PATIENCE)
        socket.send_fds(connection, [json.dumps(asked).encode()], [0, 1, 2])
        answer, descriptors = receive(connection)
        connection.settimeout(None)
    except TimeoutError:
        raise Unavailable(f"no answer from the warm process in {PATIENCE:.0f} s") from None
    except OSError as error:
        raise Unavailable(f"the warm process: {error.strerror}") from None
    if not descriptors:
        raise Unavailable(answer.get("refused", "the warm process ended"))
    return descriptors[0]


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Return one message and the file descriptors that came with it; an empty one if the other side is gone."""
    try:
        message, descriptors, _, _ = socket.recv_fds(connection, LARGEST, 3)
    except ConnectionError:
        return {}, []
    return (json.loads(message) if message else {}), descriptors


def connect(address: Address, arguments: Sequence[str]) -> socket.socket:
    """Connect to the warm process; start it if there is none.

    Raises:
        Unavailable: Snakemake is gone, or no process comes to listen.
    """
    until, started = time.monotonic() + START, False
    while time.monotonic() < until:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            connection.connect(f"\0{address.name}")
            return connection
        except OSError:
            connection.close()
        if not started:
            _start(address, arguments)
            started = True
        time.sleep(0.02)
    raise Unavailable(f"no warm process within {START:.0f} s")


def usage(address: Address) -> float:
    """Return the processor seconds of the warm process and of the jobs that it has seen end; 0 if there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(PATIENCE)
        try:
            connection.connect(f"\0{address.name}")
            connection.send(json.dumps({"usage": True}).encode())
            return float(receive(connection)[0].get("cpu_seconds", 0.0))
        except OSError:
            return 0.0


def spent() -> float:
    """Return the processor seconds of this run's warm process, by its own account; 0 where it has none."""
    address = Address.read()
    return usage(address) if address else 0.0


def _start(address: Address, arguments: Sequence[str]) -> None:
    """Start the warm process of a run whose Snakemake lives. Of two that are started at once, one leaves."""
    import subprocess

    from blur.core.paths import WORK
    from blur.core.processes import start_time

    if start_time(address.owner) != address.started:
        raise Unavailable("Snakemake is gone")
    WORK.mkdir(exist_ok=True)
    with open(WORK / "warm.log", "a", encoding="utf-8") as log:
        command = [sys.executable, "-P", "-m", "blur.warm.server", str(address), *arguments]
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def _wait(child: int) -> None:
    """Wait until the child is gone. Without a parent, the system ends it, so that no two do the job."""
    import select

    select.select([child], [], [])


def end(status: int) -> None:
    """End this process as the job did: with its exit code, or by its signal."""
    if os.WIFSIGNALED(status):
        with suppress(OSError):  # SIGKILL has no handler to take away
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    sys.exit(os.waitstatus_to_exitcode(status))
