"""The report of a study: one self-contained HTML file made from its tables and figures."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nestmat import seals
from nestmat.config.study import Study
from nestmat.figures import drawing
from nestmat.figures.registry import FIGURES
from nestmat.labels import numbers, problems, text
from nestmat.labels.text import prettify
from nestmat.report.registry import SECTIONS, entries
from nestmat.report.section import Section

if TYPE_CHECKING:
    import pandas as pd
    from jinja2 import Environment

    from nestmat.report.source import Source

FILTERS = [
    numbers.format_atoms,
    numbers.format_count,
    numbers.format_fixed,
    numbers.format_percent,
    numbers.format_quantity,
    numbers.format_rate,
    numbers.format_short,
    numbers.format_significant,
    numbers.format_spread,
    numbers.format_value,
    problems.judge_name,
    text.humanize_key,
    text.lower_first,
    text.prettify,
    text.upper_first,
    text.with_unit,
]
"""Functions that templates may use, as filters and as functions."""


@dataclass
class Heading:
    """A heading of the page, with the text of one or more sections and their figures."""

    anchor: str
    title: str
    texts: list[str] = field(default_factory=list)
    figures: list[dict[str, str]] = field(default_factory=list)


@dataclass
class Chapter:
    """A chapter of the page: of one entry of the study, or of one section for all entries.

    Attributes:
        anchor: Where links lead.
        title: Title.
        headings: What it holds; the first may have no title.
        listed: Whether the table of contents lists its headings.
        findings: Its part of the list at the top of the report.
        findings_note: Explains the words of that part; printed once.
    """

    anchor: str
    title: str
    headings: list[Heading] = field(default_factory=list)
    listed: bool = True
    findings: str = ""
    findings_note: str = ""


def write_report(
    study: Study,
    results: str | Path,
    output: str | Path,
    *,
    command: str,
    published: Mapping[str, pd.DataFrame] | None = None,
) -> None:
    """Write the report, whole or not at all.

    Args:
        study: The study.
        results: Folder of its results.
        output: HTML file to write.
        command: Command line that makes the results again.
        published: Published numbers by scale, instead of those that the study names.

    Raises:
        InputError: A table or figure of the study is missing, or rows of a data set are unaccounted for.
    """
    from nestmat.report.source import Source

    seals.write_text(output, render_page(Source(study, Path(results), published, command)))


def render_page(source: Source, parts: Collection[str] | None = None) -> str:
    """The page as HTML, with a chapter for every entry of every part of the study that has sections.

    Args:
        source: The study and its results.
        parts: Keys of the study to write of; all by default.
    """
    sections = {key: SECTIONS[key]() for key in SECTIONS}
    if parts is not None:
        sections = {key: section for key, section in sections.items() if section.part in parts}
    environment = template_environment()
    order = sorted(sections, key=lambda key: sections[key].appendix)
    chapters: list[Chapter] = []
    by_part: dict[str, list[Chapter]] = {}
    for key in order:
        section = sections[key]
        if section.collected or not section.part:
            chapters += _own_chapter(source, environment, key, section)
        elif section.part not in by_part:
            of_part = {k: s for k, s in sections.items() if s.part == section.part and not s.collected}
            of_entries = [
                _entry_chapter(source, environment, of_part, n) for n in entries(source.study, section)
            ]
            chapters += [chapter for chapter in of_entries if chapter.headings]
            last_first = any(s.last_entry_first for s in of_part.values())
            by_part[section.part] = of_entries[::-1] if last_first else of_entries
    with_findings = [chapter for part in reversed(by_part.values()) for chapter in part if chapter.findings]
    notes = dict.fromkeys(chapter.findings_note for chapter in with_findings if chapter.findings_note)
    page = environment.get_template("page.html")
    return page.render(study=source.study, chapters=chapters, with_findings=with_findings, notes=list(notes))


def template_environment() -> Environment:
    """Where templates are found, with the functions of `FILTERS`, and ``render_text`` for other texts."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("nestmat.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    functions = {function.__name__: function for function in FILTERS}
    environment.filters.update(functions)
    environment.globals.update(functions)
    environment.globals["render_text"] = partial(_render_text, environment)
    return environment


def _render_text(environment: Environment, text: str, **variables: Any) -> Any:
    return environment.from_string(text).make_module(variables)


def section_template(
    environment: Environment, key: str, section: Section, variables: Mapping[str, Any]
) -> Any:
    """The template of a section with its variables; its macros are attributes."""
    if section.template:
        template = environment.from_string(section.template)
    else:
        template = environment.get_template(f"{key}.html")
    return template.make_module(dict(variables))


def _body(module: Any) -> str:
    return module.body() if hasattr(module, "body") else module.__html__()


def _entry_title(study: Study, section: Section, name: str) -> str:
    if not section.part:
        return study.title
    entry = getattr(study, section.part, {}).get(name) or getattr(study, "added_parts", {})[name]
    title = getattr(entry, "title", "")
    return title if isinstance(title, str) and title else prettify(name)


def _variables(source: Source, section: Section, name: str) -> dict[str, Any]:
    common = {"study": source.study, "name": name, "title": _entry_title(source.study, section, name)}
    return {**common, **section.numbers(source, name)}


def _own_chapter(source: Source, environment: Environment, key: str, section: Section) -> Iterator[Chapter]:
    """The chapter of a section of the study itself, or of one for all entries that have it."""
    names = [name for name in entries(source.study, section) if section.available(source.study, name)]
    if names:
        of_entries = [_variables(source, section, name) for name in names]
        variables = {"study": source.study, "entries": of_entries} if section.part else of_entries[0]
        body = _body(section_template(environment, key, section, variables))
        yield Chapter(key, section.title, [Heading("", "", [body])], listed=False)


def _entry_chapter(
    source: Source, environment: Environment, sections: Mapping[str, Section], name: str
) -> Chapter:
    """The chapter of an entry: its sections under their headings, each with the figures that belong there."""
    study, headings, modules = source.study, dict[str, Heading](), []
    chapter = Chapter(name, "")
    for key, section in sections.items():
        if not section.available(study, name):
            continue
        variables = _variables(source, section, name)
        chapter.title = chapter.title or variables["title"]
        module = section_template(environment, key, section, variables)
        modules.append(module)
        top = section.within or key
        title = sections[top].heading(study, name) if top in sections else ""
        heading = headings.setdefault(top, Heading(f"{name}-{top}" if title else "", title))
        heading.texts.append(_body(module))
    for subject, kind in drawing.available(study):
        if subject == name and (heading_of_figure := headings.get(FIGURES[kind].section)):
            heading_of_figure.figures.append(source.figure(subject, kind))
    chapter.headings = [h for h in headings.values() if h.figures or any(text.strip() for text in h.texts)]
    if summaries := [module.summary for module in modules if hasattr(module, "summary")]:
        macros = [*modules, environment.get_template("macros.html").module]
        list_findings = next(module.findings for module in macros if hasattr(module, "findings"))
        chapter.findings = list_findings(chapter.title, summaries)
        notes = [module.findings_note() for module in modules if hasattr(module, "findings_note")]
        chapter.findings_note = "".join(notes).strip()
    return chapter
