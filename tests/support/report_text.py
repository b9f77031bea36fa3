"""Sections of the report as text, for tests of their sentences and tables."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from nestmat.report.registry import SECTIONS
from nestmat.report.write import section_template, template_environment


def plain(markup: str) -> str:
    """Words of HTML on one line."""
    words = html.unescape(re.sub(r"<[^>]*>", " ", str(markup)))
    return re.sub(r"\s+", " ", words).strip().replace(" .", ".").replace(" ,", ",")


def section_html(key: str, variables: Mapping[str, Any], macro: str = "body", *arguments: Any) -> str:
    """A section, or another macro of its template, with the variables of the template."""
    template = section_template(template_environment(), key, SECTIONS[key](), variables)
    return str(getattr(template, macro)(*arguments))


def section_text(key: str, variables: Mapping[str, Any], macro: str = "body", *arguments: Any) -> str:
    """The words of a section, or of another macro of its template."""
    return plain(section_html(key, variables, macro, *arguments))


def table_cells(markup: str) -> list[list[str]]:
    """Cells of all rows of the tables in HTML, with their heads."""
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", markup, flags=re.DOTALL)
    return [[plain(cell) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row)] for row in rows]
