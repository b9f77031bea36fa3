"""Parts of a study that plug-ins add: a key at its top, with rules and results."""

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

    Its chapter of the report is a section that the plug-in registers, `nestmat.report.section.Section`.

    Attributes of the class:
        rules: Snakemake file with the rules of the part, or none. It is included where a study has the part,
            and finds in `STUDY` the study and below `<results>` its results.
    """

    rules: ClassVar[Path | None] = None

    def results(self) -> list[str]:
        """Files that the part makes, relative to the results of the study; the target `all` asks for them."""
        return []

    def describe(self) -> list[str]:
        """Lines of `nestmat validate`: what the part will do."""
        return []

    def metrics(self, results: Path) -> dict[str, float]:
        """Numbers that are tracked with the run of the study, by name.

        Args:
            results: Folder of the study's results.
        """
        return {}


PARTS: Registry[type[StudyPart]] = Registry("part of a study", {})


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
