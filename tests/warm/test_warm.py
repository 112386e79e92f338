"""A job of the warm process is like a process of its own, in output, status, signals and ends; or it is one.

The job that these tests need to last is `blur data` while the test holds the lock of that job.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from blur.core.locking import exclusive
from blur.core.paths import work_dir
from blur.core.processes import start_time
from blur.warm import identity, offer
from blur.warm.client import usage
from blur.warm.offer import VARIABLE, Address
from blur.warm.server import Child, Job, Server
from tests.processes import HANG, living, wait_for

ROOT = Path(__file__).resolve().parents[2]
DATA = ("data", "--scale", "ci", "--task", "rtt")
MANIFEST = "data/ci/rtt/manifest.json"
CLIENT = (sys.executable, "-c", "from blur.warm.client import main; main()")


class Run:
    """A folder with a configuration, and a process that stands for Snakemake there."""

    def __init__(self, root: Path, owner: subprocess.Popen[bytes]) -> None:
        self.root, self.owner = root, owner
        started = start_time(owner.pid)
        assert started
        self.address = Address(f"blur-test-{root}", owner.pid, started)
        self.variables = {**os.environ, VARIABLE: str(self.address), "OMP_NUM_THREADS": "1"}

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        told = {**self.variables, **variables}
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([*CLIENT, *words], cwd=self.root, env=told, text=True, **pipes)  # type: ignore[call-overload,no-any-return]

    def result(self, *words: str, **variables: str) -> tuple[str, str, int]:
        """Standard output, standard error and return code of a command."""
        process = self.start(*words, **variables)
        out, err = process.communicate(timeout=HANG)
        return out, err, process.returncode

    def server(self) -> list[int]:
        """The warm process; its children have the same command."""
        alike = self._alike(lambda parent: True)
        return self._alike(lambda parent: parent not in alike)

    def children(self) -> list[int]:
        """Jobs that run."""
        servers = self.server()
        return self._alike(lambda parent: parent in servers)

    def _alike(self, of_parent: Callable[[int], bool]) -> list[int]:
        alike = {"blur.warm.server", str(self.address)}
        return [one.pid for one in living() if alike <= {*one.words} and of_parent(one.parent)]

    def locked(self) -> AbstractContextManager[None]:
        return exclusive(self.root / work_dir("ci", "data/rtt"))

    def has_data(self) -> bool:
        return (self.root / MANIFEST).is_file()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    (tmp_path / "config").symlink_to(ROOT / "config")
    with subprocess.Popen(["sleep", "600"]) as owner:
        found = Run(tmp_path, owner)
        yield found
        owner.kill()
    wait_for(lambda: not found.server())


def waiting(run: Run) -> subprocess.Popen[str]:
    """Start the job whose lock the test holds, and wait for it to wait."""
    process = run.start(*DATA)
    assert process.stderr
    assert "waiting for" in process.stderr.readline()
    assert len(run.children()) == 1
    return process


@pytest.mark.parametrize(
    "words",
    [("check", "--scale", "ci"), ("check", "--scale", "cj"), ("no-such-command",), ("--help",), ("unlearn",)],
    ids=" ".join,
)
def test_a_job_says_and_returns_what_a_process_of_its_own_does(run: Run, words: Sequence[str]) -> None:
    warm = run.result(*words)
    assert run.server()
    assert warm == run.result("--cold", *words)


def test_the_second_job_finds_what_the_first_imported(run: Run) -> None:
    assert run.result("check", "--scale", "ci")[2] == 0
    (server,) = run.server()
    maps = Path(f"/proc/{server}/maps")
    wait_for(lambda: "pydantic_core" in maps.read_text())
    before = usage(run.address)
    assert run.result("check", "--scale", "ci")[2] == 0
    assert 0 < before < usage(run.address)


def test_two_first_jobs_share_one_process(run: Run) -> None:
    jobs = [run.start("check", "--scale", "ci") for _ in range(4)]
    assert [job.communicate(timeout=HANG)[1] for job in jobs] == [""] * 4
    assert len(run.server()) == 1


def test_signals_reach_the_job(run: Run) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with run.locked():
            warm = waiting(run)
            warm.send_signal(number)
            err = warm.communicate(timeout=HANG)[1]
            cold = run.start("--cold", *DATA)
            assert cold.stderr
            assert "waiting for" in cold.stderr.readline()
            cold.send_signal(number)
            assert err == cold.communicate(timeout=HANG)[1]
        assert warm.returncode == cold.returncode != 0
        assert not run.has_data()
        assert not run.children()


def test_a_killed_job_ends_its_client_alike_and_no_other(run: Run) -> None:
    with run.locked():
        client = waiting(run)
        os.kill(run.children()[0], signal.SIGKILL)
        client.communicate(timeout=HANG)
    assert client.returncode == -signal.SIGKILL
    (server,) = run.server()
    assert run.result(*DATA)[2] == 0
    assert run.server() == [server]
    assert run.has_data()


def test_a_killed_client_ends_its_job(run: Run) -> None:
    with run.locked():
        client = waiting(run)
        client.kill()
        client.communicate(timeout=HANG)
        wait_for(lambda: not run.children())
    assert not run.has_data()
    assert (
        run.result(*DATA)[1:] == (run.result("--cold", "data", "--scale", "ci", "--task", "rtt")[1], 0)
        or run.has_data()
    )


def test_a_killed_server_ends_its_jobs_and_the_client_does_them(run: Run) -> None:
    with run.locked():
        client = waiting(run)
        child = run.children()
        os.kill(run.server()[0], signal.SIGKILL)
        wait_for(lambda: not any(start_time(pid) for pid in child))
    err = client.communicate(timeout=HANG)[1]
    assert client.returncode == 0
    assert "a process of its own for this job: the warm process ended" in err
    assert run.has_data()


def test_without_snakemake_a_job_ends_its_work_and_no_new_one_starts(run: Run) -> None:
    with run.locked():
        client = waiting(run)
        run.owner.kill()
        run.owner.wait()
        err = run.result("check", "--scale", "ci")[1]
        assert "a process of its own for this job" in err
        assert run.children(), "the running job goes on"
    client.communicate(timeout=HANG)
    assert client.returncode == 0
    assert run.has_data()
    wait_for(lambda: not run.server())


def test_a_signal_to_every_process_of_a_job_ends_it_once(run: Run) -> None:
    """As a batch system or the end of a session does: the job answers, and nobody does it again."""
    with run.locked():
        client = waiting(run)
        for pid in (*run.server(), *run.children(), client.pid):
            os.kill(pid, signal.SIGTERM)
        err = client.communicate(timeout=HANG)[1]
    assert client.returncode == -signal.SIGTERM
    assert "a process of its own" not in err
    assert not run.has_data()
    assert run.server(), "it holds such signals back, since its jobs live no longer than it does"


def test_events_that_come_together_cost_no_other_job(run: Run) -> None:
    """What happens while the warm process imports is told it at once; an event may undo what a later one is about."""
    with run.locked():
        client = waiting(run)
        (server,), (job,) = run.server(), run.children()
        short, refused = run.start("check", "--scale", "ci"), run.start("check", "--scale", "ci")
        assert [short.wait(timeout=HANG), refused.wait(timeout=HANG)] == [0, 0]
        os.kill(server, signal.SIGSTOP)
        gone = [run.start("check", "--scale", "ci", HF_HUB_OFFLINE=value) for value in ("0", "1")]
        wait_for(lambda: all("blur.warm" in Path(f"/proc/{one.pid}/cmdline").read_text() for one in gone))
        time.sleep(0.5)  # they have asked, and wait
        for one in gone:
            one.kill()
            one.wait()
        run.owner.kill()
        run.owner.wait()
        late = run.start("check", "--scale", "ci")
        time.sleep(0.5)
        os.kill(server, signal.SIGCONT)
        assert late.wait(timeout=HANG) == 0
        assert start_time(job), "it goes on"
    assert client.wait(timeout=HANG) == 0
    assert run.has_data()


def test_a_job_that_ends_as_its_client_dies_costs_no_other_job(run: Run) -> None:
    with run.locked():
        client = waiting(run)
        (server,), (job,) = run.server(), run.children()
        os.kill(server, signal.SIGSTOP)
        for pid in (job, client.pid):
            os.kill(pid, signal.SIGKILL)
        client.wait()
        os.kill(server, signal.SIGCONT)
        assert run.result("check", "--scale", "ci")[1:] == ("", 0)
        assert run.server() == [server]


def test_an_abandoned_job_ends_even_before_it_is_a_group_of_its_own() -> None:
    started = start_time(os.getpid())
    assert started
    server = Server(Address(f"blur-test-{os.getpid()}-group", os.getpid(), started), {})
    ours, theirs = socket.socketpair()
    with subprocess.Popen(["sleep", "600"]) as child, ours, theirs:
        server._events.register(ours, 1)
        server._abandon(Child(child.pid, -1, ours, -1))
        assert child.wait(timeout=HANG) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("words", "variables", "why"),
    [
        (("train", "--threads", "2", "--task", "no"), {}, "another number of threads"),
        (("check", "--scale", "ci"), {"HF_HUB_OFFLINE": "1"}, "another environment variables"),
    ],
)
def test_a_job_that_differs_is_a_process_of_its_own(
    run: Run, words: Sequence[str], variables: dict[str, str], why: str
) -> None:
    assert run.result("check", "--scale", "ci")[1] == ""
    assert why in run.result(*words, **variables)[1]
    assert why not in run.result("check", "--scale", "ci", SHLVL="7")[1]


@pytest.mark.parametrize("text", ["1", "a:b:c", "::", "name:1:2:3"])
def test_an_address_that_is_none_is_told(run: Run, text: str) -> None:
    out, err, code = run.result("--help", **{VARIABLE: text})
    assert (bool(out), code) == (True, 0)
    assert err == f"blur: a process of its own for this job: {VARIABLE} names no warm process: {text!r}\n"


def test_a_job_of_a_cluster_is_a_process_of_its_own(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run.result("check", "--scale", "ci", SLURM_JOB_ID="1")[1:] == ("", 0)
    assert not run.server()
    monkeypatch.setenv(VARIABLE, "")
    for is_local, job in ((True, "1"), (False, None), (True, None)):
        monkeypatch.setenv("SLURM_JOB_ID", job) if job else monkeypatch.delenv("SLURM_JOB_ID", raising=False)
        offer.offer(is_local)
        assert bool(os.environ.get(VARIABLE)) == (is_local and job is None)


def test_descriptors_of_jobs_are_closed(run: Run) -> None:
    assert run.result("check", "--scale", "ci")[2] == 0
    (server,) = run.server()
    folder = Path(f"/proc/{server}/fd")
    wait_for(lambda: len(list(folder.iterdir())) <= 7)  # standard streams, listener, owner, epoll, the listing's own
    before = len(list(folder.iterdir()))
    with run.locked():
        client = waiting(run)
        assert run.result("check", "--scale", "ci")[2] == 0
        (child,) = run.children()
        mine = {os.readlink(path) for path in Path(f"/proc/{child}/fd").iterdir() if int(path.name) > 2}
        assert not any("socket" in name or "pidfd" in name or "epoll" in name for name in mine), mine
    assert client.wait(timeout=HANG) == 0
    wait_for(lambda: len(list(folder.iterdir())) <= before)  # an import may have had a file open


@pytest.mark.skipif(os.getuid() != 0, reason="becomes another user")
def test_another_user_gets_no_answer(run: Run) -> None:
    assert run.result("check", "--scale", "ci")[2] == 0
    code = (
        "import os, socket; os.setuid(65534); s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET);"
        f"s.connect('\\0{run.address.name}'); print(s.recv(100))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG)
    assert done.stdout.strip() == "b''" or "ConnectionResetError" in done.stderr


def test_code_that_was_edited_and_edited_back_is_other_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "PACKAGE", str(tmp_path))
    path = tmp_path / "module.py"
    path.write_text("A = 1\n")
    first = identity.identify([])
    assert identity.difference(first, identity.identify(["--threads", "1"])) is None
    times = path.stat()
    for text in ("A = 2\n", "A = 1\n"):
        path.write_text(text)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert identity.difference(first, identity.identify([])) == "code"
    (tmp_path / ".#module.py").symlink_to("nowhere")  # an editor's lock
    second = identity.identify(["--threads=1"])
    (tmp_path / "new.py").write_text("")
    assert identity.difference(second, identity.identify([])) == "code"


def test_no_fork_beside_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's threads are counted, those of libraries are known by name (others are this test's neighbours')."""
    started = start_time(os.getpid())
    assert started
    server = Server(Address(f"blur-test-{os.getpid()}", os.getpid(), started), {})
    monkeypatch.setattr("os.listdir", lambda _: ["1"])
    for number, name, unfit in ((1, "jemalloc_bg_thd", False), (2, "jemalloc_bg_thd", True), (1, "strange", True)):
        monkeypatch.setattr("threading.active_count", lambda number=number: number)
        monkeypatch.setattr("blur.warm.server._thread_name", lambda _, name=name: name)
        assert bool(server.unfit()) == unfit
    assert "strange" in str(server.unfit())
    with pytest.raises(FileExistsError):
        Server(server.address, {})


def test_a_job_that_went_wrong_teaches_the_server_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = os.memfd_create("imported")
    monkeypatch.setattr("blur.cli.main", lambda: sys.exit(2))
    with pytest.raises(SystemExit):
        Job(["x"], memory).run()
    assert os.fstat(memory).st_size == 0
    monkeypatch.setattr("blur.cli.main", lambda: sys.exit(0))
    Job(["x"], memory, known=frozenset(sys.modules) - {"blur.cli"}).run()
    assert os.pread(memory, 100, 0) == b'["blur.cli"]'
    os.close(memory)
