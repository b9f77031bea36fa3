"""What plug-ins write of the parts that they add to a study, where they register no section of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    from nestmat.report.source import Source


@SECTIONS.register("added_parts")
class AddedPart(Section):
    """Paragraphs of a part that a plug-in adds."""

    part = "added_parts"
    template = "{% for paragraph in paragraphs %}<p>{{ paragraph }}</p>{% endfor %}"

    def available(self, study: Study, name: str) -> bool:
        """Whether no section is registered for the part."""
        return not any(SECTIONS[key].part == name for key in SECTIONS)

    def required_tables(self, study: Study, name: str) -> list[str]:
        """All results of the part."""
        return list(study.added_parts[name].results())

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """What the part reports of its results."""
        part = source.study.added_parts[name]
        return {"title": part.title, "paragraphs": part.report(source.results)}
