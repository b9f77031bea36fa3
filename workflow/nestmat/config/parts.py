"""Parts of a study that plug-ins add: a key at its top, with rules, results and a chapter of the report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from nestmat.config.base import Part
from nestmat.config.kinds import options_model
from nestmat.plugins import Registry


@dataclass(frozen=True)
class StudyPart:
    """A part of a study, whose fields are its keys. A plug-in registers a subclass in `PARTS` by its key.

    Its chapter of the report holds the paragraphs of `report`, or the sections that the plug-in registers for
    it, `nestmat.report.section.Section`.

    Attributes of the class:
        title: Heading in the report.
        rules: Snakemake file with the rules of the part, or none. It is included where a study has the part,
            and finds in `STUDY` the study and below `<results>` its results.
    """

    title: ClassVar[str] = ""
    rules: ClassVar[Path | None] = None

    def results(self) -> list[str]:
        """Files that the part makes, relative to the results of the study; the target `all` asks for them."""
        return []

    def describe(self) -> list[str]:
        """Lines of `nestmat validate`: what the part will do."""
        return []

    def report(self, results: Path) -> list[str]:
        """Paragraphs of the report.

        Args:
            results: Folder of the study's results, which holds the files of `results`.
        """
        return []

    def metrics(self, results: Path) -> dict[str, float]:
        """Numbers that are tracked with the run of the study, by name.

        Args:
            results: Folder of the study's results.
        """
        return {}


PARTS: Registry[type[StudyPart]] = Registry("part of a study", {})
"""Parts that plug-ins add, by key."""
BUILT_IN_PARTS = ("datasets", "scales", "generative", "search", "dft")
"""Keys of the parts of the library itself. Whoever acts on parts, such as the plan, has an entry for each."""


def part_keys(key: str) -> type[Part]:
    """Pydantic model of the keys of a part.

    Raises:
        InputError: There is no such part.
    """
    kind: type = PARTS[key]
    return options_model(kind)


def part_from(key: str, values: Any) -> StudyPart:
    """A part from what a study writes under its key.

    Raises:
        pydantic.ValidationError: A key is unknown or does not fit.
        InputError: There is no such part.
    """
    checked = part_keys(key).model_validate(values)
    return PARTS[key](**{name: getattr(checked, name) for name in type(checked).model_fields})
