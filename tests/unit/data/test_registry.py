"""The registry, the download and the readers, on the published files and on a server that misbehaves."""

from __future__ import annotations

import pytest

from nestmat.data import registry
from nestmat.errors import InputError
from support.paired_files import pair


def test_registry_entries_are_complete():
    entries = registry.load()
    names = [
        "nestedae_gaps",
        "nestedae_binding",
        "psc_gaps",
        "psc_efficiencies",
        "perovskites_pbe",
        "mos2_strain",
        "hea_phases",
    ]
    assert list(entries) == names
    unlicensed = [name for name, spec in entries.items() if spec.licence is None]
    assert unlicensed == ["perovskites_pbe", "hea_phases"]
    for name, spec in entries.items():
        assert all((spec.doi, spec.citation, spec.mirror)), name
        for part in spec.files:
            commit = part.url.removeprefix("https://raw.githubusercontent.com/").split("/")[2]
            assert len(commit) == 40, "the address is at a fixed commit"
        assert all(column.description for column in spec.columns.values()), name


def test_resolve():
    spec = registry.resolve("psc_gaps")
    assert registry.resolve(spec) is spec
    with pytest.raises(InputError, match="did you mean 'psc_gaps'"):
        registry.resolve("PSC_gap")


def test_faulty_registry_names_entry_and_key(tmp_path):
    path = tmp_path / "datasets.yaml"
    path.write_text("mine:\n  title: mine\n  file: a.csv\n  columns: {a: {units: eV}}\n")
    with pytest.raises(InputError) as caught:
        registry.load(path)
    assert caught.value.file == path
    assert caught.value.key == "mine.columns.a.units"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ["a", "a"]}, "are not all different"),
        ({"file": "x.parquet"}, "Only columns of a CSV file can be given names"),
        (
            {"further_files": [{"mirror": "y.csv"}]},
            "Each of further_files needs exactly one of url, file",
        ),
        ({"further_files": [{"url": "https://example.org/y.csv"}]}, "needs the sha256"),
        (
            {"file": None, "generator": {"kind": "nested_functions", "scale": 1}},
            "A data set of a generator has no further_files",
        ),
    ],
)
def test_entries_of_several_files_that_cannot_work(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        pair(tmp_path, "", "", **changes)
