"""The warm process: one thread that waits for jobs, forks a child for each, and reports how it ended.

It lives as long as its Snakemake. Once that is gone it takes no new job; children that run finish their work. After a
job it imports what the job's child had to import, so that the next child finds it there. It runs no code of a job.
Signals that end a job are a job's to answer: the server, on whose life its children's hang, holds them back.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import struct
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from blur.core.fingerprint import remember
from blur.core.processes import cpu_seconds, leave, start_time
from blur.core.runtime import set_threads
from blur.warm.client import PASSED_ON, receive
from blur.warm.identity import Identity, difference, identify
from blur.warm.offer import Address

# Threads of libraries that are idle at a fork and that a child does without.
IDLE_THREADS = {"jemalloc_bg_thd"}
_PR_SET_PDEATHSIG = 1
_PEER = struct.Struct("3i")  # process, user, group


def main(address: Address, arguments: list[str]) -> None:
    """Serve jobs until Snakemake is gone; in each forked child, be that job."""
    try:
        server = Server(address, identify(arguments))
    except (FileExistsError, ProcessLookupError):  # another process serves this run; or Snakemake is gone
        return
    set_threads(int(server.identity["number of threads"]))
    job = server.serve()
    if job is not None:
        job.run()
        leave()


@dataclass
class Child:
    """A job that runs in a forked child."""

    pid: int
    descriptor: int
    client: socket.socket
    imported: int  # a file in memory that the child writes the names of its modules to


@dataclass
class Job:
    """What a forked child has to do."""

    arguments: list[str]
    imported: int
    known: frozenset[str] = field(default_factory=lambda: frozenset(sys.modules))

    def run(self) -> None:
        """Be the command ``blur``; name what was imported for it once it has gone well."""
        from blur.cli import main as command

        sys.argv = [sys.argv[0], *self.arguments]
        try:
            command()
        except SystemExit as end:
            if end.code not in (None, 0):
                raise
        names = [name for name in sys.modules if name not in self.known]
        os.pwrite(self.imported, json.dumps(names).encode(), 0)


class Server:
    """Listens for jobs.

    Raises:
        FileExistsError: another process listens there.
        ProcessLookupError: Snakemake is gone.
    """

    def __init__(self, address: Address, identity: Identity) -> None:
        self.identity = identity
        self.address = address
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._listener.bind(f"\0{address.name}")
        except OSError as error:
            raise FileExistsError(address.name) from error
        self._listener.listen(64)
        self._owner = os.pidfd_open(address.owner)
        self._children: dict[int, Child] = {}
        self._events = selectors.DefaultSelector()
        self._libc, self._pid = ctypes.CDLL(None), os.getpid()
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)

    def serve(self) -> Job | None:
        """Answer until Snakemake is gone and all children have ended; return a job in a forked child only."""
        if start_time(self.address.owner) != self.address.started:
            return None
        self._events.register(self._owner, selectors.EVENT_READ, self._leave)
        self._events.register(self._listener, selectors.EVENT_READ, self._accept)
        while self._events.get_map():
            for key, _ in self._events.select():
                if self._events.get_map().get(key.fd) is not key:  # forgotten by an event before it
                    continue
                job = key.data(key.fileobj)
                if job is not None:
                    return job
        return None

    def _leave(self, _: int) -> None:
        """Snakemake is gone: take no new job."""
        self._forget(self._owner)
        os.close(self._owner)
        self._stop_listening()

    def _stop_listening(self) -> None:
        if self._listener.fileno() >= 0:
            self._forget(self._listener)
            self._listener.close()

    def _accept(self, listener: socket.socket) -> None:
        client, _ = listener.accept()
        peer = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        if _PEER.unpack(peer)[1] == os.getuid():
            self._events.register(client, selectors.EVENT_READ, self._answer)
        else:
            client.close()

    def _answer(self, client: socket.socket) -> Job | None:
        """Start the job that a client asks for, or say why not."""
        self._forget(client)
        asked, streams = receive(client)
        if asked.get("usage"):
            _tell(client, {"cpu_seconds": cpu_seconds()})
        if not streams:  # it wants no job, or is gone
            client.close()
            return None
        differs = difference(self.identity, asked["identity"])
        refused = f"another {differs} than the warm process has" if differs else self.unfit()
        job = None
        if not refused:
            try:
                job = self._fork(client, asked["arguments"], streams)
            except OSError as error:  # no memory, or no more processes or descriptors
                refused = f"the warm process cannot fork: {error.strerror}"
        if refused:
            _tell(client, {"refused": refused})
            client.close()
        for descriptor in streams:
            os.close(descriptor)
        return job

    def unfit(self) -> str | None:
        """Return why no child can be forked; None if one can."""
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            return "CUDA is initialised in the warm process"
        if threading.active_count() > 1:
            return f"a thread runs in the warm process: {threading.enumerate()[-1].name}"
        own = threading.get_native_id()
        names = {_thread_name(thread) for thread in os.listdir("/proc/self/task") if int(thread) != own}
        unknown = sorted(names - IDLE_THREADS)
        return f"a thread runs in the warm process: {unknown[0]}" if unknown else None

    def _fork(self, client: socket.socket, arguments: list[str], streams: list[int]) -> Job | None:
        imported = os.memfd_create("imported")
        pid = os.fork()
        if pid == 0:
            self._become_a_job(client, streams)
            return Job(arguments, imported)
        child = Child(pid, os.pidfd_open(pid), client, imported)
        self._children[child.descriptor] = child
        self._events.register(child.descriptor, selectors.EVENT_READ, self._report)
        self._events.register(client, selectors.EVENT_READ, lambda _: self._abandon(child))
        with suppress(OSError):  # the client is gone: its end of the connection says so next
            socket.send_fds(client, [json.dumps({"child": pid}).encode()], [child.descriptor])
        return None

    def _become_a_job(self, client: socket.socket, streams: list[int]) -> None:
        """In a child: end with the server, take the job's output, and let go of what is the server's."""
        os.setsid()
        self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self._pid:  # it died in between
            os._exit(1)
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
        for source in [client, *(key.fileobj for key in self._events.get_map().values())]:
            if isinstance(source, socket.socket):
                source.close()
            elif isinstance(source, int):
                os.close(source)
        for child in self._children.values():
            os.close(child.imported)
        self._events.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _report(self, descriptor: int) -> None:
        """A child has ended: tell its client how, and import what it had to import."""
        child = self._children.pop(descriptor)
        self._forget(descriptor)
        _, status = os.waitpid(child.pid, 0)
        with suppress(KeyError):  # already abandoned
            self._events.unregister(child.client)
        _tell(child.client, {"status": status})
        child.client.close()
        os.close(descriptor)
        try:
            self._import(child.imported)
        except Exception as error:
            print(f"no new job from here on: {error!r}", file=sys.stderr, flush=True)
            self._stop_listening()

    def _abandon(self, child: Child) -> None:
        """A client is gone before its job has ended: so must the job and all that it started."""
        self._forget(child.client)
        for kill in (os.killpg, os.kill):  # it may not have become a group of its own yet
            with suppress(ProcessLookupError):
                kill(child.pid, signal.SIGKILL)

    def _import(self, descriptor: int) -> None:
        """Import what a child had to import."""
        content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        os.close(descriptor)
        missing = [name for name in json.loads(content or "[]") if name not in sys.modules]
        for name in missing:
            with suppress(Exception):  # modules that only their package can make
                import_module(name)
        if missing:
            remember(sys.modules)  # any edit of the code makes jobs processes of their own
            gc.collect()
            gc.freeze()  # a child that collects garbage copies no page for it
        for stream in (sys.stdout, sys.stderr):  # what an import said is no job's to say
            stream.flush()

    def _forget(self, source: int | socket.socket) -> None:
        self._events.unregister(source)


def _tell(client: socket.socket, message: dict[str, Any]) -> None:
    with suppress(OSError):  # it is gone
        client.send(json.dumps(message).encode())


def _thread_name(thread: str) -> str:
    try:
        return Path(f"/proc/self/task/{thread}/comm").read_text(encoding="utf-8").strip()
    except FileNotFoundError:  # it has just ended
        return next(iter(IDLE_THREADS))


if __name__ == "__main__":
    main(Address.parse(sys.argv[1]), sys.argv[2:])
