"""Why a run of Snakemake failed, in one sentence: what the job at fault says, and where its log is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_RULE = re.compile(r"^Error in (?:group|rule) ([^\s:,]+)")
_LOG = re.compile(r"^    log: (.+?)(?: \(check log file.*)?$")
_KILLED = re.compile(r"died with <Signals\.(SIG\w+)|returned non-zero exit status (13[0-9]|14[0-3])\b")
_SIGNALS = {"137": "SIGKILL", "139": "SIGSEGV", "134": "SIGABRT", "143": "SIGTERM", "130": "SIGINT"}
_COMPLETE_LOG = re.compile(r"^Complete log\(s\): (.+)$")
_EXCEPTION = re.compile(r"^(\w+(?:Error|Exception|Interrupt|Exit))(?: in .*)?:\s*(.*)$")
_OWN_EXCEPTION = "InputError"
_WRAPPERS = {"RuleException", "CalledProcessError", "WorkflowError"}
_LOCKED = "LockException"


@dataclass(frozen=True)
class Failure:
    """A run that failed.

    Attributes:
        message: What went wrong, as a sentence.
        log: Log of the job at fault, or of Snakemake; empty where neither was written.
        is_locked: Whether the run did not begin, as another has locked the folder.
    """

    message: str
    log: str = ""
    is_locked: bool = False


def explain_failure(lines: Sequence[str], folder: Path) -> Failure:
    """What the output of Snakemake says about a failure.

    Args:
        lines: What Snakemake and its jobs printed.
        folder: The folder that it ran in, which its paths count from.
    """
    complete = [match[1] for line in lines if (match := _COMPLETE_LOG.match(line))]
    log = complete[-1] if complete else ""
    rules = [match[1] for line in lines if (match := _RULE.match(line))]
    if not rules:
        return _failure_of_plan(lines, log)
    logs = [match[1] for line in lines if (match := _LOG.match(line))]
    log = str(folder / logs[0]) if logs else log
    job = f"The job {rules[0]} failed"
    if own := _own_message(lines):
        return Failure(f"{own} {job} of it.", log)
    if killed := next((match for line in lines if (match := _KILLED.search(line))), None):
        signal = killed[1] or _SIGNALS.get(killed[2], f"signal {int(killed[2]) - 128}")
        cause = ", as it is where the memory runs out" if signal == "SIGKILL" else ""
        return Failure(f"The job {rules[0]} was killed by {signal}{cause}.", log)
    last = _last_line(Path(log)) if logs else ""
    return Failure(f"{job}{f' with {last}' if last else ''}.".replace("..", "."), log)


def _own_message(lines: Sequence[str]) -> str:
    """The last message that a job has for the user, with the lines that belong to it; empty without one."""
    starts = [place for place, line in enumerate(lines) if line.startswith("Error: ")]
    if not starts:
        return ""
    message = [lines[starts[-1]].removeprefix("Error: ")]
    for line in lines[starts[-1] + 1 :]:
        if not line.startswith(("  ", " Remedy:")):
            break
        message.append(line)
    return "\n".join(message)


def _failure_of_plan(lines: Sequence[str], log: str) -> Failure:
    """The failure of a run in which no job failed: the last exception that is no wrapper of another."""
    matches = [
        (place, match)
        for place, line in enumerate(lines)
        if (match := _EXCEPTION.match(line)) and match[1] not in _WRAPPERS
    ]
    if not matches:
        text = next((line for line in reversed(lines) if line.strip()), "")
        return Failure(f"Snakemake failed: {text.strip() or 'it printed nothing'}.".replace("..", "."), log)
    place, match = matches[-1]
    following = []
    for line in lines[place + 1 :]:
        if not line.strip() or line.startswith(("Complete log", "Elapsed", "[", "  File")):
            break
        following.append(line.strip())
    text = " ".join([match[2], *following[:8]]).strip()
    if match[1] == _OWN_EXCEPTION:
        return Failure(text, log)
    return Failure(f"Snakemake failed with {match[1]}: {text}", log, is_locked=match[1] == _LOCKED)


def _last_line(log: Path) -> str:
    """The last line of a log, which of a traceback is the exception."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
