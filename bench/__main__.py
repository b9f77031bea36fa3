"""Run the benchmarks, each in a process of its own: `python -m bench [NAME ...]`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PREFIX = "bench_"


def main(names: list[str]) -> int:
    """Run all benchmarks, or those named.

    Args:
        names: Names without the prefix ``bench_``.

    Returns:
        How many failed.
    """
    benchmarks = {
        file.stem.removeprefix(PREFIX): file for file in sorted(Path(__file__).parent.glob(f"{PREFIX}*.py"))
    }
    if unknown := sorted(set(names) - set(benchmarks)):
        sys.exit(f"There is no benchmark {', '.join(unknown)}; there are {', '.join(benchmarks)}.")
    failed = 0
    for name in names or benchmarks:
        print(f"== {name}", flush=True)
        failed += subprocess.run([sys.executable, str(benchmarks[name])]).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
