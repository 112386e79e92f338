"""A real SLURM on this machine: munged, MariaDB, slurmdbd, slurmctld, slurmd, and GPUs that are only pretended.

    python tests/slurm/cluster.py start | stop | status

It needs root and Debian's packages, which ``start`` installs if apt can. It refuses a machine that has a SLURM of its
own. Jobs are scheduled for real (CPUs, memory, GPUs); a GPU is a device node that answers like /dev/null.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PACKAGES = ("munge", "slurmctld", "slurmd", "slurm-client", "slurmdbd", "mariadb-server")
STATE = Path("/var/lib/blur-slurm")
CONF = Path("/etc/slurm")
MARK = "# made by BLUR's tests/slurm/cluster.py\n"
NUM_GPUS = 4
START = ("munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd")


class ClusterError(Exception):
    """SLURM cannot be had here; says why."""


def _configuration(kill_wait: int) -> dict[str, str]:
    host = socket.gethostname()
    cpus = os.cpu_count() or 1
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20 - 512
    slurm = f"""
ClusterName=blur
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=cred_expire=5
StateSaveLocation={STATE}/slurmctld
SlurmdSpoolDir={STATE}/slurmd
SlurmctldPidFile={STATE}/slurmctld.own.pid
SlurmdPidFile={STATE}/slurmd.own.pid
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0,bf_interval=5,preempt_youngest_first
KillWait={kill_wait}
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
ReturnToService=2
# Memory limits without cgroups: a task's use is read every second, and a job that exceeds its request is killed.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStorageTRES=gres/gpu
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:{NUM_GPUS} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes={host} MaxTime=INFINITE State=UP PriorityTier=2 PreemptMode=OFF
"""
    dbd = f"""
AuthType=auth/munge
DbdHost=localhost
DbdAddr=127.0.0.1
SlurmUser=root
PidFile={STATE}/slurmdbd.own.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct_db
CommitDelay=0
"""
    gres = "AutoDetect=off\n" + "".join(f"Name=gpu File={STATE}/gpu{i}\n" for i in range(NUM_GPUS))
    return {"slurm.conf": MARK + slurm, "slurmdbd.conf": MARK + dbd, "gres.conf": MARK + gres}


def _commands() -> dict[str, list[str]]:
    sql = [f"--datadir={STATE}/mysql", f"--socket={STATE}/mysql/sock", "--skip-networking", "--user=mysql"]
    small = ["--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M", "--innodb-flush-log-at-trx-commit=0"]
    return {
        "munged": ["setpriv", "--reuid=munge", "--regid=munge", "--init-groups", "munged", "--foreground"],
        "mariadbd": ["mariadbd", "--no-defaults", *sql, *small, "--innodb-lock-wait-timeout=900"],
        "slurmdbd": ["slurmdbd", "-D"],
        "slurmctld": ["slurmctld", "-D", "-i"],
        "slurmd": ["slurmd", "-D"],
    }


class Cluster:
    """SLURM on this machine.

    Args:
        dies_with_parent: end the daemons when the process that started them ends.
        kill_wait: seconds between SIGTERM and SIGKILL.
    """

    def __init__(self, dies_with_parent: bool = False, kill_wait: int = 30) -> None:
        self._dies_with_parent, self._kill_wait = dies_with_parent, kill_wait
        self._claim: int | None = None

    def start(self) -> None:
        """Install what is missing, start all daemons that do not run, wait until the node is idle."""
        _require()
        self._claim_machine()
        self._prepare()
        for name in START:
            self.start_daemon(name)
        wait_for(lambda: self.node_state() == "idle", 60, lambda: self._why("slurmd"))

    def stop(self) -> None:
        """Cancel all jobs, end all daemons, take the configuration away."""
        if not _is_ours():
            return
        self._claim_machine()
        if self._alive("slurmctld"):
            subprocess.run(["scancel", "--signal=KILL", "--full", "-u", "root"], timeout=30, capture_output=True)
            subprocess.run(["scancel", "-u", "root"], timeout=30, capture_output=True)
            wait_for(lambda: not run("squeue", "-h"), 60)
        for name in reversed(START):
            self.stop_daemon(name)
        _kill_strays()
        for name in _configuration(0):
            (CONF / name).unlink(missing_ok=True)
        shutil.rmtree(STATE, ignore_errors=True)

    def start_daemon(self, name: str) -> None:
        """Start one daemon if it does not run, and wait until it answers."""
        if not self._alive(name):
            with open(STATE / f"{name}.log", "ab") as log:
                process = subprocess.Popen(
                    _commands()[name],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=STATE,
                    start_new_session=True,
                    preexec_fn=_die_with_parent if self._dies_with_parent else None,
                    env={**os.environ, "MYSQL_UNIX_PORT": str(STATE / "mysql" / "sock")},
                )
            (STATE / f"{name}.pid").write_text(f"{process.pid} {_started(process.pid)}")
        wait_for(lambda: self._answers(name), 60, lambda: self._why(name))

    def stop_daemon(self, name: str, how: int = signal.SIGTERM) -> None:
        """Signal one daemon and wait for its end."""
        pid = self._alive(name)
        if not pid:
            return
        os.kill(pid, how)
        try:
            wait_for(lambda: not self._alive(name), 20)
        except ClusterError:
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: not self._alive(name), 20)

    def node_state(self) -> str:
        """Return the node's state in short, such as ``idle`` or ``drained``."""
        return subprocess.run(
            ["sinfo", "-h", "-N", "-p", "main", "-o", "%T"], capture_output=True, text=True
        ).stdout.strip()

    def update_node(self, **changes: str) -> None:
        """Change the node with ``scontrol update``."""
        run("scontrol", "update", f"NodeName={socket.gethostname()}", *(f"{k}={v}" for k, v in changes.items()))

    def _claim_machine(self) -> None:
        """Be the one session that has SLURM on this machine; the claim ends with the process."""
        if self._claim is None:
            claim = os.open("/run/lock/blur-slurm", os.O_CREAT | os.O_RDWR)
            try:
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ClusterError("another session uses SLURM on this machine") from None
            self._claim = claim

    def _prepare(self) -> None:
        STATE.mkdir(parents=True, exist_ok=True)
        STATE.chmod(0o755)
        CONF.mkdir(exist_ok=True)
        for name, content in _configuration(self._kill_wait).items():
            (CONF / name).write_text(content)
        (CONF / "slurmdbd.conf").chmod(0o600)
        for name in ("slurmctld", "slurmd"):
            (STATE / name).mkdir(exist_ok=True)
        for i in range(NUM_GPUS):
            if not (STATE / f"gpu{i}").exists():
                os.mknod(STATE / f"gpu{i}", 0o20666, os.makedev(1, 3))
        Path("/run/munge").mkdir(exist_ok=True)
        shutil.chown("/run/munge", "munge", "munge")
        if not (STATE / "mysql").exists():
            options = [
                f"--datadir={STATE}/mysql",
                "--user=mysql",
                "--skip-test-db",
                "--auth-root-authentication-method=socket",
            ]
            run("mariadb-install-db", "--no-defaults", *options)

    def _answers(self, name: str) -> bool:
        if not self._alive(name):
            raise ClusterError(self._why(name))
        probes = {
            "munged": ["munge", "-n"],
            "mariadbd": ["mariadb-admin", f"--socket={STATE}/mysql/sock", "ping"],
            "slurmdbd": ["sacctmgr", "-n", "list", "cluster"],
            "slurmctld": ["scontrol", "ping"],
            "slurmd": ["scontrol", "show", "slurmd"],
        }
        done = subprocess.run(probes[name], capture_output=True, text=True)
        return done.returncode == 0 and "DOWN" not in done.stdout

    def _alive(self, name: str) -> int:
        """Return the daemon's process, 0 if it is gone; a later process of the same number is not it."""
        try:
            pid, started = (STATE / f"{name}.pid").read_text().split()
        except (OSError, ValueError):
            return 0
        with contextlib.suppress(ChildProcessError):  # reap it, if it is our child
            os.waitpid(int(pid), os.WNOHANG)
        return int(pid) if _started(int(pid)) == started else 0

    def _why(self, name: str) -> str:
        log = STATE / f"{name}.log"
        return f"{name} does not answer:\n" + (log.read_text(errors="replace")[-2000:] if log.exists() else "no log")


def run(*command: str) -> str:
    """Run a command and return its output; a failure names it.

    Raises:
        ClusterError: it failed.
    """
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ClusterError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def wait_for(
    condition: Callable[[], object], seconds: float, why: Callable[[], str] = lambda: "waited too long"
) -> None:
    """Wait until a condition holds.

    Raises:
        ClusterError: it did not within ``seconds``; ``why`` tells the reason.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise ClusterError(why())
        time.sleep(0.05)


def _is_ours() -> bool:
    path = CONF / "slurm.conf"
    return path.is_file() and path.read_text().startswith(MARK)


def _require() -> None:
    if os.geteuid() != 0:
        raise ClusterError("a SLURM for tests needs root")
    if (CONF / "slurm.conf").exists() and not _is_ours():
        raise ClusterError(f"{CONF}/slurm.conf is not ours: this machine belongs to a cluster")
    if all(map(shutil.which, ("munged", "slurmctld", "slurmd", "sbatch", "slurmdbd", "mariadbd", "setpriv"))):
        return
    if not shutil.which("apt-get"):
        raise ClusterError(f"install {', '.join(PACKAGES)}: there is no apt-get here")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
        done = subprocess.run(["apt-get", "-qq", *command], env=environment, capture_output=True, text=True)
        if done.returncode:
            raise ClusterError(f"apt-get {command[0]} failed: {done.stderr[-1000:]}")


def _started(pid: int) -> str:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def _kill_strays() -> None:
    """End what is left of our jobs: without cgroups, a process whose parent died first escapes SLURM's SIGKILL."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"\0SLURM_CLUSTER_NAME=blur\0" in b"\0" + (folder / "environ").read_bytes():
                os.kill(int(folder.name), signal.SIGKILL)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def main() -> int:
    """Start, stop or describe the cluster."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("start", "stop", "status"))
    action = parser.parse_args().action
    try:
        if action == "status":
            print(run("sinfo", "-o", "%P %T %c CPUs, %m MB, %G"), end="")
        else:
            getattr(Cluster(), action)()
    except (ClusterError, FileNotFoundError) as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
