"""A study of one part that a plug-in adds: its rules run, and its results are reported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nestmat.config.loading import study_from
from nestmat.errors import InputError
from support.running import snakemake

PLUGIN = '''
from dataclasses import dataclass
from pathlib import Path

from nestmat.config.parts import PARTS, StudyPart


@PARTS.register("dice")
@dataclass(frozen=True)
class Dice(StudyPart):
    """Throws of a die.

    Attributes:
        throws: Number of throws.
    """

    title = "Dice"
    rules = Path(__file__).with_name("dice.smk")

    throws: int = 3

    def results(self):
        return ["dice.txt"]

    def describe(self):
        return [f"{self.throws} throws"]

    def report(self, results):
        return [f"The last throw was {(results / 'dice.txt').read_text().split()[-1]}."]
'''
RULES = """
rule throw_dice:
    output:
        "<results>/dice.txt",
    params:
        throws=STUDY.parts["dice"]["throws"],
    shell:
        "seq {params.throws} > {output}"
"""
STUDY = """
study: dice
title: Dice alone
question: How does a die fall?
tracking: "off"
plugins: [dice_part.py]
dice: {throws: 4}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dice")
    (folder / "dice_part.py").write_text(PLUGIN, encoding="utf-8")
    (folder / "dice.smk").write_text(RULES, encoding="utf-8")
    (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
    return folder


def test_a_part_of_a_plugin_is_validated_and_in_the_schema(folder):
    # In a process of its own: what a plug-in registers stays for the tests that follow.
    program = """
import json
from nestmat.commands.validate import describe
from nestmat.config.loading import load_study, study_from
from nestmat.config.schema import json_schema

study = load_study("study.yaml")
assert study.added_parts["dice"].throws == 4
assert describe(study) == ["study dice: Dice alone", "  dice: 4 throws"]
assert json.loads(json_schema())["properties"]["dice"]["properties"]["throws"]["type"] == "integer"
study_from({"study": "s", "title": "t", "question": "q", "dice": {"throw": 4}})
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True)
    assert "dice.throw: Extra inputs are not permitted" in done.stderr, done.stderr


def test_a_study_without_a_part_is_refused():
    with pytest.raises(InputError, match="A study has at least one part"):
        study_from({"study": "s", "title": "t", "question": "q"})


@pytest.mark.slow
def test_a_study_of_one_part_runs_and_is_reported(folder):
    snakemake(folder)
    report = (folder / "results/dice/report.html").read_text(encoding="utf-8")
    assert "The last throw was 4." in report
    assert "Nothing to be done" in snakemake(folder)
