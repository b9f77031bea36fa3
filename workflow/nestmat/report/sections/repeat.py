"""Versions of code and packages, and the command that makes the results again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestmat import seals
from nestmat.config.study import Study
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    from nestmat.report.source import Source

NAMES = {
    "nestmat": "nestmat",
    "commit": "Commit",
    "python": "Python",
    "platform": "Machine",
    "cpus": "Processors",
}


@SECTIONS.register("repeat")
class Repeat(Section):
    """How to repeat the study."""

    title, appendix = "Versions, and how to repeat this", True

    def required_tables(self, study: Study, name: str) -> list[str]:
        """The configuration of the run, with its environment."""
        return ["run_config.yaml"]

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """Versions, plug-in files and the machine, from the configuration of the run."""
        import yaml

        record = yaml.safe_load(seals.read_bytes(source.path("run_config.yaml")))
        environment = record["environment"]
        versions = [(title, str(environment[key])) for key, title in NAMES.items() if environment.get(key)]
        return {
            "command": source.command,
            "versions": [*versions, *environment["packages"].items()],
            "plugins": record["plugins"],
        }
