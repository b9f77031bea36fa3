#!/usr/bin/env python3
"""Run a command under a SLURM cluster of this one machine, and stop the cluster with it.

slurmctld, slurmd and munged of Debian's packages (slurmctld, slurmd, slurm-client, munge) run without
systemd, with ports, a key and a state folder of their own, on the loopback interface alone. Two empty files
stand for GPUs, so that requests of them are scheduled as real ones are. There is no accounting, as on many
small clusters, and a job that takes more memory than it asked for is killed.

Usage:
    python tools/one_node_slurm.py COMMAND [ARGUMENT ...]
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue", "sinfo", "scancel")

CONFIGURATION = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill,NoShared
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
GresTypes=gpu
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=5
KillWait=5
MinJobAge=300
MaxJobCount={most_jobs}
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} Gres=gpu:fake:2 State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes={host} MaxTime=INFINITE State=UP
"""


def missing_programs() -> list[str]:
    """Programs of SLURM and munge that this machine lacks."""
    os.environ["PATH"] += os.pathsep + "/usr/sbin"
    return [program for program in PROGRAMS if not shutil.which(program)]


def free_ports(number: int) -> list[int]:
    """Ports of the loopback interface that nothing listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class OneNodeSlurm:
    """A cluster of this machine, from ``with`` to its end.

    Args:
        cores: Cores that the node claims to have.
        memory: Memory of the node in MB.
        most_jobs: Jobs that the controller takes at a time.

    Attributes:
        environment: Environment of commands that use the cluster.
        folder: State, logs and key of the cluster.
    """

    def __init__(self, *, cores: int = 2, memory: int = 8000, most_jobs: int = 10_000) -> None:
        self._settings = {"cores": cores, "memory": memory, "most_jobs": most_jobs}
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._temporary = tempfile.TemporaryDirectory(prefix="slurm_", ignore_cleanup_errors=True)
        self.folder = Path(self._temporary.name)
        self.environment = {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def __enter__(self) -> OneNodeSlurm:
        try:
            self._write_configuration()
            self._start("munged", "--foreground", "--force", *self._munge_options())
            self._wait_until(lambda: (self.folder / "munge.socket").exists(), "munged")
            self.start_controller()
            self.start_node()
            self._wait_until(self._is_idle, "the node")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _write_configuration(self) -> None:
        for part in ("state", "spool"):
            (self.folder / part).mkdir()
        # munge answers users of other folders, which must reach its socket.
        self.folder.chmod(0o711)
        (self.folder / "munge.key").write_bytes(secrets.token_bytes(128))
        (self.folder / "munge.key").chmod(0o400)
        host = socket.gethostname().partition(".")[0]
        controller_port, node_port = free_ports(2)
        fakes = [self.folder / f"gpu{number}" for number in range(2)]
        for fake in fakes:
            fake.touch()
        (self.folder / "gres.conf").write_text(
            f"NodeName={host} Name=gpu Type=fake File={self.folder}/gpu[0-1]\n", encoding="utf-8"
        )
        text = CONFIGURATION.format(
            host=host,
            controller_port=controller_port,
            node_port=node_port,
            user=pwd.getpwuid(os.getuid()).pw_name,
            folder=self.folder,
            **self._settings,
        )
        (self.folder / "slurm.conf").write_text(text, encoding="utf-8")

    def _munge_options(self) -> list[str]:
        files = {
            "key-file": "key",
            "socket": "socket",
            "pid-file": "pid",
            "log-file": "log",
            "seed-file": "seed",
        }
        return [f"--{option}={self.folder}/munge.{suffix}" for option, suffix in files.items()]

    def _start(self, program: str, *options: str) -> None:
        with (self.folder / f"{program}.out").open("ab") as output:
            self._daemons[program] = subprocess.Popen(
                [program, *options],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def start_controller(self) -> None:
        """Start the controller, with the jobs that it had."""
        self._start("slurmctld", "-D")
        self._wait_until(lambda: self._ask_state() is not None, "slurmctld")

    def stop_controller(self) -> None:
        """Stop the controller; the node and its jobs go on."""
        self._terminate("slurmctld")

    def start_node(self) -> None:
        """Start the node's daemon."""
        self._start("slurmd", "-D")

    def kill_node(self) -> None:
        """Kill the node's daemon, as a loss of power would."""
        node = self._daemons.pop("slurmd")
        node.kill()
        node.wait()

    def run(self, *command: str) -> str:
        """Run a command of SLURM.

        Returns:
            What it prints.
        """
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed: {done.stdout}{done.stderr}")
        return done.stdout

    def _is_idle(self) -> bool:
        for program, daemon in self._daemons.items():
            if daemon.poll() is not None:
                raise RuntimeError(f"{program} ended with status {daemon.returncode}: {self._last_lines()}")
        return self._ask_state() == {"idle"}

    def _ask_state(self) -> set[str] | None:
        command = ["sinfo", "--noheader", "--format=%T"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        return set(done.stdout.split()) if done.returncode == 0 else None

    def _last_lines(self) -> str:
        lines = []
        for path in sorted((*self.folder.glob("*.log"), *self.folder.glob("*.out"))):
            lines += [f"{path.name}: {line}" for line in path.read_text(errors="replace").splitlines()[-8:]]
        return "\n".join(lines)

    def _wait_until(self, condition: Callable[[], bool], subject: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise RuntimeError(f"{subject} did not start within {seconds} s: {self._last_lines()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Cancel all jobs, and end the daemons by their own process ids."""
        if "slurmctld" in self._daemons:
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run(
                    ["scancel", "--full", f"--user={pwd.getpwuid(os.getuid()).pw_name}"],
                    env=self.environment,
                    capture_output=True,
                    timeout=20,
                )
        for program in ("slurmd", "slurmctld", "munged"):
            if program in self._daemons:
                self._terminate(program)
        self._temporary.cleanup()

    def _terminate(self, program: str) -> None:
        daemon = self._daemons.pop(program)
        daemon.terminate()
        try:
            daemon.wait(timeout=20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def main(arguments: list[str]) -> int:
    """Run a command under the cluster.

    Args:
        arguments: The command.

    Returns:
        The exit status of the command.
    """
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    if programs := missing_programs():
        print(
            f"{', '.join(programs)} is missing: apt-get install slurmctld slurmd slurm-client munge",
            file=sys.stderr,
        )
        return 2
    # The cluster is stopped also where this process is terminated.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with OneNodeSlurm() as cluster:
        return subprocess.run(arguments, env=cluster.environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
