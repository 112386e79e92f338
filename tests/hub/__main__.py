"""The hub from the command line.

    python -m tests.hub build FOLDER               write what is published
    python -m tests.hub serve FOLDER               serve it; the first line printed is the address
    python -m tests.hub during FOLDER COMMAND ...  serve it while a command runs, which reaches no other hub

``during`` fails where the command does, and where the hub was asked what it does not know.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.hub", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=("build", "serve", "during"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    asked = parser.parse_args()
    return {"build": build, "serve": serve, "during": during}[asked.action](asked.folder, asked.command)


def build(folder: Path, _: list[str]) -> int:
    from tests.hub.published import build as publish

    publish(folder)
    return 0


def serve(folder: Path, _: list[str]) -> int:
    from tests.hub.server import serve as serve_folder

    serve_folder(folder)
    return 0


def during(folder: Path, command: list[str]) -> int:
    from tests.hub.app import GRANTED, UNKNOWN
    from tests.hub.server import served

    log = folder / UNKNOWN
    log.unlink(missing_ok=True)
    with served(folder) as address:
        done = subprocess.run(command, env={**os.environ, "HF_ENDPOINT": address, "HF_TOKEN": GRANTED})
    if log.is_file():
        print(f"the hub does not know what it was asked:\n{log.read_text()}", file=sys.stderr)
    return done.returncode or int(log.is_file())


if __name__ == "__main__":
    sys.exit(main())
