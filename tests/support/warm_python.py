"""A Python that has imported the libraries of the jobs, for tests that start many processes.

A job of a small study computes for some tenths of a second, after seconds of imports. The server of this file
imports once and forks a process for each program. Forks share no state: each program runs as in a process of
its own. A program of a copy of the library imports that copy. `tests/studies/test_own_table.py` starts each
job with Python itself, as a user does.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import importlib.machinery
import json
import os
import pkgutil
import runpy
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

WARM_PYTHON = "NESTMAT_WARM_PYTHON"
# What jobs, and the libraries themselves, import within functions.
LIBRARIES = (
    "alembic.autogenerate",
    "matminer.featurizers.composition",
    "matplotlib.figure",
    "mlflow.store.tracking.sqlalchemy_store",
    "nbformat",
    "pyarrow.dataset",
    "pymoo.algorithms.moo.nsga2",
    "pymoo.algorithms.moo.nsga3",
    "sklearn.ensemble",
    "snakemake.cli",
    "snakemake.report.html_reporter",
    "snakemake.script",
    "sqlalchemy.dialects.sqlite",
    "sympy",
    "torch._dynamo",
    "xgboost",
)


class WarmPython:
    """The server, while the tests run. It imports nothing before the first program comes.

    Attributes:
        executable: What stands for Python; the environment variable `WARM_PYTHON` names it to the workers.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="warm_python_")
        address = Path(self._folder.name) / "socket"
        self.executable = Path(self._folder.name) / "python"
        client = [
            sys.executable,
            "-IS",
            str(Path(__file__).with_name("warm_client.py")),
            address,
            sys.executable,
        ]
        command = " ".join(shlex.quote(str(part)) for part in client)
        self.executable.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
        self.executable.chmod(0o700)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(address))
        self._listener.listen(64)
        threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
        self._server = subprocess.Popen(
            [sys.executable, __file__, str(self._listener.fileno()), str(self.executable)],
            stdin=subprocess.PIPE,
            pass_fds=[self._listener.fileno()],
            # Libraries start no threads at import, which forks would lack.
            env={**os.environ, **threads},
        )
        # Where the server has ended, no client waits for it.
        self._listener.close()
        os.environ[WARM_PYTHON] = str(self.executable)

    def stop(self) -> None:
        """End the server, which takes the end of its standard input for the end of the tests."""
        del os.environ[WARM_PYTHON]
        self._server.communicate()
        self._folder.cleanup()


def import_libraries() -> None:
    """Import what jobs import, and read what the scripts import, which rules name."""
    import nestmat
    from nestmat.paths import ROOT
    from nestmat.plan.code import code

    for module in pkgutil.walk_packages(nestmat.__path__, "nestmat."):
        importlib.import_module(module.name)
    for name in LIBRARIES:
        importlib.import_module(name)
    for script in (ROOT / "scripts").glob("*.py"):
        code(script.stem)
    gc.collect()
    gc.freeze()


def accept_program(listener: socket.socket) -> dict:
    """Serve until the tests end; in the process of a program return that program."""
    warm = False
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            os._exit(0)
        connection, _ = listener.accept()
        if not warm:
            import_libraries()
            warm = True
        # The fork of a fork runs the program; the fork between waits for it, so that the server need not.
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            listener.close()
            _, streams, _, _ = socket.recv_fds(connection, 1, 3)
            with connection.makefile("rb") as request:
                program = json.loads(request.read())
            child = os.fork()
            if child == 0:
                connection.close()
                return program | {"streams": streams}
            wait_for(child, connection)
            os._exit(0)
        connection.close()


def wait_for(child: int, connection: socket.socket) -> None:
    """Tell the client how the program ended, or end the program where the client has gone."""
    end = os.pidfd_open(child)
    events = select.poll()
    events.register(end, select.POLLIN)
    events.register(connection, 0)
    if all(number != end for number, _ in events.poll()):
        os.kill(child, signal.SIGTERM)
        return
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    with contextlib.suppress(BrokenPipeError):
        connection.sendall(bytes([code if code >= 0 else 128 - code]))


def run_program(arguments: list[str], folder: str, environment: dict[str, str], streams: list[int]) -> None:
    """Run a script, or a module after ``-m``, as Python does."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    folders = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:] = folders + [path for path in sys.path[1:] if path not in folders]
    library = importlib.machinery.PathFinder.find_spec("nestmat", sys.path)
    if library and library.origin != sys.modules["nestmat"].__file__:
        # A copy of the library, which the program is to import.
        for name in [name for name in sys.modules if name.partition(".")[0] == "nestmat"]:
            del sys.modules[name]
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        sys.path.insert(0, folder)
        if not hasattr(sys.modules[arguments[1]], "__path__"):
            # It would be there twice: imported, and run.
            del sys.modules[arguments[1]]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path.insert(0, str(Path(arguments[0]).resolve().parent))
        runpy.run_path(arguments[0], run_name="__main__")


def exit_status(program: dict) -> int:
    """Run a program, and return the status that Python would exit with."""
    try:
        run_program(**program)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def leave() -> None:
    """End this process with the status of its program."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


status = 1

if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Registered first, so called last: Python would clear thousands of modules, which takes half a second.
    atexit.register(leave)
    program = accept_program(socket.socket(fileno=int(sys.argv[1])))
    sys.executable = sys.argv[2]
    status = exit_status(program)
