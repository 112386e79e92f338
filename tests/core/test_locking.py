"""One writer at a time, and a killed writer's lock is free."""

import subprocess
import sys
import time
from pathlib import Path

from blur.core.locking import exclusive
from tests.processes import HANG

HOLD = "import sys, time; from pathlib import Path; from blur.core.locking import exclusive\n"
HOLD += "with exclusive(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"


def hold(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_writer_waits_until_the_first_is_killed(tmp_path: Path) -> None:
    first = hold(tmp_path / "run")
    killed_at = []

    def on_wait(holder: str) -> None:
        assert holder.endswith(f":{first.pid}")
        time.sleep(0.2)
        killed_at.append(time.monotonic())
        first.kill()

    with exclusive(tmp_path / "run", on_wait):
        assert killed_at
        assert first.wait(timeout=HANG) != 0


def test_a_free_lock_is_taken_at_once(tmp_path: Path) -> None:
    waited = []
    with exclusive(tmp_path, waited.append):
        pass
    with exclusive(tmp_path, waited.append):
        pass
    assert waited == []
