"""How a process of ours ends."""

from __future__ import annotations

import subprocess
import sys

ENDING = """
import atexit, threading, time
from blur.core.processes import leave

class Kept:
    def __del__(self):
        print("freed", flush=True)

kept = Kept()
atexit.register(print, "exit handler")
threading.Thread(target=lambda: (time.sleep(0.1), print("thread"))).start()
print("main")
leave()
"""


def test_leaving_waits_for_threads_and_runs_exit_handlers_and_frees_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True)
    assert (done.returncode, done.stdout.split("\n"), done.stderr) == (0, ["main", "thread", "exit handler", ""], "")
    done = subprocess.run([sys.executable, "-c", ENDING.replace("\nleave()", "")], capture_output=True, text=True)
    assert done.stdout.endswith("freed\n")
