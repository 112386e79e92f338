"""The hub as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def serve(root: Path) -> None:
    """Serve a hub's folder on a free port until the process is told to end; the first line printed is the address."""
    import uvicorn

    from tests.hub.app import create_app

    server = uvicorn.Server(uvicorn.Config(create_app(root), port=0, log_level="critical", access_log=False))
    config = server.config
    config.load()
    socket = config.bind_socket()
    socket.listen()  # whoever reads the address may come at once
    print(f"http://127.0.0.1:{socket.getsockname()[1]}", flush=True)
    server.run(sockets=[socket])


@contextmanager
def served(root: Path) -> Iterator[str]:
    """Start a hub; yield its address, for ``HF_ENDPOINT``, and stop it afterwards."""
    command = [sys.executable, "-m", "tests.hub", "serve", str(root)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address, "the hub did not start"
            yield address
        finally:
            process.kill()  # it has nothing to save, and ended gently it waits for whoever keeps a connection
