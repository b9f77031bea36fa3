"""The output of Snakemake in one sentence."""

import re

import pytest

from nestmat.plan.failures import explain_failure

BLOCK = """RuleException:
CalledProcessError in file "/nestmat/rules/scales.smk", line 81:
Command 'python train.py' {ending}.
[Tue Dec  1 02:46:00 2026]
Error in rule train_scale:
    message: None
    log: results/s/logs/train.log (check log file(s) for error details)
Complete log(s): /x/.snakemake/log/1.log
WorkflowError:
At least one job did not complete successfully."""


@pytest.mark.parametrize(
    ("before", "ending", "message"),
    [
        (
            "Error: d.csv, row 3: The gap is no number. Remedy: correct it.\n",
            "returned non-zero exit status 1",
            "d.csv, row 3: The gap is no number. Remedy: correct it. The job train_scale failed of it.",
        ),
        ("", "died with <Signals.SIGKILL: 9>", "The job train_scale was killed by SIGKILL, as it is"),
        ("", "returned non-zero exit status 137", "The job train_scale was killed by SIGKILL, as it is"),
        ("", "died with <Signals.SIGSEGV: 11>", "The job train_scale was killed by SIGSEGV."),
        ("", "returned non-zero exit status 1", "The job train_scale failed with ValueError: no."),
    ],
)
def test_a_job_that_failed_is_named_with_its_log(tmp_path, before, ending, message):
    log = tmp_path / "results/s/logs/train.log"
    log.parent.mkdir(parents=True)
    log.write_text("Traceback (most recent call last):\nValueError: no\n\n")
    failure = explain_failure((before + BLOCK.format(ending=ending)).splitlines(), tmp_path)
    assert failure.message.startswith(message)
    assert failure.log == str(log)


@pytest.mark.parametrize(
    ("output", "message", "is_locked"),
    [
        (
            "MissingInputException in rule read_dataset in file a.smk, line 57:\nMissing input files for "
            "rule read_dataset:\n    output: a.parquet\n    affected files:\n        lost.csv\n",
            "Snakemake failed with MissingInputException: .* lost.csv",
            False,
        ),
        ("LockException:\nError: Directory cannot be locked.\n", "LockException", True),
        (
            'InputError in file "Snakefile", line 9:\n/a{b}: It has braces.\n',
            "^/a{b}: It has braces.$",
            False,
        ),
        ("", "it printed nothing", False),
    ],
)
def test_a_run_without_a_job_says_what_snakemake_says(tmp_path, output, message, is_locked):
    failure = explain_failure(output.splitlines(), tmp_path)
    assert failure.is_locked == is_locked

    assert re.search(message, failure.message)
