"""Run the blocks of a page in the present folder, as a reader does: `python -m tests.api.tutorial PAGE`.

Python's blocks share their names; each line of a `bash` block is a command of blur, in the same process.
"""

from __future__ import annotations

import re
import shlex
import sys
import time
from pathlib import Path

BLOCK = re.compile(r"^```(python|bash)\n(.*?)^```", re.S | re.M)


def run(page: Path) -> None:
    """Run all blocks in their order; what each took goes to standard error."""
    from blur.cli import main

    names: dict[str, object] = {"__name__": "__main__"}
    text = page.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        line, kind, block = text[: found.start(2)].count("\n"), found[1], found[2]
        began = time.process_time()
        if kind == "python":
            exec(compile("\n" * line + block, str(page), "exec"), names)
        else:
            for typed in block.splitlines():
                sys.argv = shlex.split(typed)
                assert sys.argv[0] == "blur", typed
                try:
                    main()
                except SystemExit as end:
                    print(f"status {end.code}: {typed}")
        print(f"{page.name}:{line + 1}: {time.process_time() - began:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
