"""The sections of the report by key, in the order of the page. Each module registers its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nestmat.errors import InputError
from nestmat.figures.drawing import available
from nestmat.figures.registry import FIGURES
from nestmat.plugins import Registry

if TYPE_CHECKING:
    from nestmat.config.study import Study
    from nestmat.report.section import Section

SECTIONS: Registry[type[Section]] = Registry(
    "report section",
    {
        "data": "nestmat.report.sections.data",
        "protocols": "nestmat.report.sections.protocols",
        "scale": "nestmat.report.sections.scale",
        "results": "nestmat.report.sections.results",
        "device_physics": "nestmat.report.sections.device_physics",
        "optimism": "nestmat.report.sections.optimism",
        "reconstruction": "nestmat.report.sections.reconstruction",
        "nesting": "nestmat.report.sections.nesting",
        "labels_needed": "nestmat.report.sections.labels_needed",
        "disentanglement": "nestmat.report.sections.disentanglement",
        "calibration": "nestmat.report.sections.calibration",
        "domain": "nestmat.report.sections.domain",
        "latent_size": "nestmat.report.sections.latent_size",
        "search": "nestmat.report.sections.pool_search",
        "training": "nestmat.report.sections.training",
        "interpretation": "nestmat.report.sections.interpretation",
        "problem": "nestmat.report.sections.problem",
        "targets": "nestmat.report.sections.targets",
        "samples": "nestmat.report.sections.samples",
        "methods": "nestmat.report.sections.methods",
        "alloys": "nestmat.report.sections.alloys",
        "shortlist": "nestmat.report.sections.shortlist",
        "paths": "nestmat.report.sections.paths",
        "verification": "nestmat.report.sections.verification",
        "calculated_rows": "nestmat.report.sections.calculated_rows",
        "retraining": "nestmat.report.sections.retraining",
        "added_parts": "nestmat.report.sections.added_parts",
        "models": "nestmat.report.sections.models",
        "repeat": "nestmat.report.sections.repeat",
    },
)
"""Class of each section; a plug-in file adds sections of its own."""


def entries(study: Study, section: Section) -> list[str]:
    """Names of the entries of a study that a section is about.

    Returns:
        One empty name for a section of the study itself; the name of the part for a part that a plug-in adds.
    """
    if not section.part:
        return [""]
    if section.part in getattr(study, "added_parts", {}):
        return [section.part]
    return list(getattr(study, section.part, {}))


def sections_of(study: Study) -> Iterator[tuple[str, Section, str]]:
    """Key, section and entry of every section that a study has, from its configuration alone."""
    for key in SECTIONS:
        section = SECTIONS[key]()
        for name in entries(study, section):
            if section.available(study, name):
                yield key, section, name


def required_tables(study: Study) -> list[str]:
    """Every file but the figures that the report of a study is written from, relative to its results.

    Raises:
        InputError: A figure names a section that there is not.
    """
    for _, kind in available(study):
        if (section := FIGURES[kind].section) not in SECTIONS:
            raise InputError(
                f"The figure {kind!r} is to be shown in the section {section!r}, and there is none.",
                value=section,
                remedy=f"choose one of {', '.join(SECTIONS)}.",
            )
    files = [file for _, section, name in sections_of(study) for file in section.required_tables(study, name)]
    return list(dict.fromkeys(files))


def template_files() -> list[str]:
    """Every template of the library, relative to the working directory: a report follows their changes."""
    return sorted(os.path.relpath(file) for file in Path(__file__).with_name("templates").glob("*.html"))
