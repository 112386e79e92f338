"""The hub from the command line: ``python -m tests.hub build FOLDER``, ``python -m tests.hub serve FOLDER``."""

from __future__ import annotations

import argparse
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.hub", description=__doc__)
    parser.add_argument("action", choices=("build", "serve"))
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    if asked.action == "build":
        from tests.hub.published import build

        build(asked.folder)
    else:
        from tests.hub.server import serve

        serve(asked.folder)


if __name__ == "__main__":
    main()
