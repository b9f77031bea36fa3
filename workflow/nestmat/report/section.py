"""What every section of the report is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from nestmat.config.study import Study
    from nestmat.report.source import Source


class Section:
    """A section of the report: `numbers` takes them from the results, and a template writes the sentences.

    A section is registered under its key in `nestmat.report.registry.SECTIONS`. Its template is
    ``templates/<key>.html``, or the text in `template`. Variables of the template are what `numbers` returns,
    and ``study``, ``name`` and ``title`` of the entry that the section is about; of a collected section they
    are in the list ``entries``. A template either is the text of the section, or defines macros: ``body()``
    for the section and ``summary()`` for its items in the list at the top of the report. The section that
    opens a chapter may define ``findings(title, summaries)``, which makes that list of the summaries of
    all sections of its chapter, and ``findings_note()``, which explains their words once.
    """

    part: ClassVar[str] = ""
    """Key of the study whose entries have the section: ``scales``, ``search``; empty: the study itself."""
    title: ClassVar[str] = ""
    """Heading; without one the section opens the chapter of its entry."""
    within: ClassVar[str] = ""
    """Key of another section under whose heading this one stands; empty: under its own."""
    collected: ClassVar[bool] = False
    """Whether the sections of all entries make one chapter, and not each a section of its entry's chapter."""
    appendix: ClassVar[bool] = False
    """Whether it stands behind the chapters of all entries."""
    last_entry_first: ClassVar[bool] = False
    """Whether the list at the top of the report begins with the last entry: of scales the coarsest."""
    template: ClassVar[str] = ""
    """Text of the template; by default that of ``templates/<key>.html``."""

    def heading(self, study: Study, name: str) -> str:
        """Heading for one entry."""
        return self.title

    def available(self, study: Study, name: str) -> bool:
        """Whether an entry has the section, from the configuration alone."""
        return True

    def required_tables(self, study: Study, name: str) -> list[str]:
        """Files that `numbers` reads, relative to the results of the study."""
        return []

    def numbers(self, source: Source, name: str) -> Mapping[str, Any]:
        """Variables of the template: numbers and names, no sentences.

        Args:
            source: The study and its results.
            name: Name of the entry; empty for a section of the study itself.
        """
        return {}
