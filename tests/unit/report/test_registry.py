"""Sections that a plug-in file adds, and studies that lack parts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from nestmat import seals
from nestmat.figures.registry import FIGURES
from nestmat.plugins import load_plugins
from nestmat.report.registry import SECTIONS, required_tables
from nestmat.report.section import Section
from nestmat.report.source import Source
from nestmat.report.write import render_page
from support.report_text import plain

PLUGIN = '''
from pathlib import Path
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section


@SECTIONS.register("melting")
class Melting(Section):
    """How many compounds melt."""

    part, title = "melting_points", "Melting points"
    template = (
        "{% macro body() %}<p>{{ title }}: {{ melted | format_count }} of {{ name }} < 1.</p>{% endmacro %}"
        "{% macro summary() %}<li>{{ share | format_percent }} melt.</li>{% endmacro %}"
    )

    def required_tables(self, study, name):
        return [f"melting/{name}.txt"]

    def numbers(self, source, name):
        melted = int(source.path(f"melting/{name}.txt").read_text())
        return {"melted": melted, "share": melted / 2000}
'''


@pytest.fixture
def plugin(tmp_path) -> Path:
    file = tmp_path / "melting_section.py"
    file.write_text(PLUGIN)
    load_plugins([file])
    yield file
    SECTIONS._entries.pop("melting")


def study_of(**parts) -> SimpleNamespace:
    nothing = {"datasets": {}, "scales": {}, "search": {}}
    return SimpleNamespace(title="Toy", question="Which melt?", **{**nothing, **parts})


def write_environment(results: Path) -> None:
    content = {"environment": {"python": "3", "packages": {"numpy": "2"}}, "plugins": {}}
    seals.write_text(results / "run_config.yaml", yaml.safe_dump(content))


def test_a_study_without_scales_has_a_report_of_its_own_sections(plugin, tmp_path):
    study = study_of(melting_points={"salts": SimpleNamespace(title="Salts & more")})
    assert required_tables(study) == ["run_config.yaml", "melting/salts.txt"]
    (tmp_path / "melting").mkdir()
    (tmp_path / "melting/salts.txt").write_text("1500")
    write_environment(tmp_path)
    page = render_page(Source(study, tmp_path, command="run"))
    text = plain(page)
    assert "Salts & more 75 % melt" in text
    assert "Melting points Salts & more: 1 500 of salts" in text
    assert '<h3 id="salts-melting">' in page
    assert "Protocols" not in text
    assert "MAE" not in text
    assert text.endswith("Python 3 numpy 2")


def test_a_part_of_a_plugin_is_written_with_its_own_paragraphs(tmp_path):
    part = SimpleNamespace(title="Dice", results=lambda: ["dice.txt"], report=lambda results: ["A <six>."])
    study = study_of(added_parts={"dice": part})
    assert sorted(required_tables(study)) == ["dice.txt", "run_config.yaml"]
    write_environment(tmp_path)
    page = render_page(Source(study, tmp_path))
    assert '<h2 id="dice">Dice</h2>' in page
    assert "A &lt;six&gt;." in page


def test_every_section_of_the_library_is_a_section():
    assert {FIGURES[kind].section for kind in FIGURES} <= set(SECTIONS)
    for key in SECTIONS:
        section = SECTIONS[key]()
        assert isinstance(section, Section)
        assert section.within in {"", *SECTIONS}
        assert type(section).__doc__
