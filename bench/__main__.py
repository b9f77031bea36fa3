"""Run the benchmarks, each in a process of its own: `python -m bench [NAME ...] [OPTION ...]`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PREFIX = "bench_"
ON_REQUEST = ("designs", "tables")
"""Benchmarks that run only where they are named: they take most of an hour, or hours."""


def main(arguments: list[str]) -> int:
    """Run all benchmarks but those on request, or those named.

    Args:
        arguments: Names without the prefix ``bench_``, then options of the benchmarks.

    Returns:
        How many failed.
    """
    files = sorted(Path(__file__).parent.glob(f"{PREFIX}*.py"))
    benchmarks = {file.stem.removeprefix(PREFIX): f"bench.{file.stem}" for file in files}
    first_option = next((k for k, text in enumerate(arguments) if text.startswith("-")), len(arguments))
    names, options = arguments[:first_option], arguments[first_option:]
    if unknown := sorted(set(names) - set(benchmarks)):
        sys.exit(f"There is no benchmark {', '.join(unknown)}; there are {', '.join(benchmarks)}.")
    failed = 0
    for name in names or [name for name in benchmarks if name not in ON_REQUEST]:
        print(f"== {name}", flush=True)
        failed += subprocess.run([sys.executable, "-m", benchmarks[name], *options]).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
