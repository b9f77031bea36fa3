from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from nestmat import processes

RUN = """
import subprocess, sys, time
from nestmat.processes import name_run
name_run()
job = "import time; from nestmat import processes as p; print(p.end_with_run(), flush=True); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", job])
print(child.pid, flush=True)
time.sleep(60)
"""


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_job_ends_with_its_killed_run():
    run = subprocess.Popen([sys.executable, "-c", RUN], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    lines = {run.stdout.readline().strip() for _ in range(2)}
    assert "True" in lines
    [job] = map(int, lines - {"True"})
    assert is_alive(job)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    end = time.monotonic() + 30
    while is_alive(job) and time.monotonic() < end:
        time.sleep(0.02)
    assert not is_alive(job)


def test_a_process_that_the_run_did_not_start_does_not_follow_it(monkeypatch):
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    monkeypatch.setenv(processes.RUN, str(stranger.pid))
    assert not processes.end_with_run()
    monkeypatch.delenv(processes.RUN)
    assert not processes.end_with_run()
    stranger.communicate(b"\n")
