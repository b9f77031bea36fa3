from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import save_file

from nestmat import seals, tables
from nestmat.errors import InputError


def write_table(path):
    frame = pd.DataFrame({"name": [f"m{k}" for k in range(40)], "gap": np.linspace(0, 3, 40)})
    schema = {"name": tables.Column("string"), "gap": tables.Column("float64", unit="eV")}
    tables.write(path, frame, schema, {"source": "test"})


def write_weights(path):
    save_file({"w": torch.arange(30.0)}, path, {seals.KEY: seals.BLANK})
    seals.seal(path)


def write_card(path):
    seals.write_json(path, {"model": "m", "values": [0.5, None, "ä"]})


def write_record(path):
    seals.write_text(path, yaml.safe_dump({"a": {"b": [1, 2]}}))


WRITERS = {
    "t.parquet": write_table,
    "w.safetensors": write_weights,
    "c.json": write_card,
    "r.yaml": write_record,
    "p.html": lambda path: seals.write_text(path, "<p>nestmat-sha256: " + "f" * 64 + "</p>"),
}


@pytest.fixture(params=WRITERS)
def sealed(request, tmp_path):
    path = tmp_path / request.param
    WRITERS[request.param](path)
    return path


def test_what_was_written_is_read(tmp_path):
    write_table(tmp_path / "t.parquet")
    assert tables.read(tmp_path / "t.parquet")["gap"].iloc[-1] == 3
    assert tables.provenance(tmp_path / "t.parquet")["source"] == "test"
    assert tables.schema(tmp_path / "t.parquet")["gap"].unit == "eV"
    write_card(tmp_path / "c.json")
    assert seals.read_json(tmp_path / "c.json") == {"model": "m", "values": [0.5, None, "ä"]}
    write_record(tmp_path / "r.yaml")
    assert yaml.safe_load(seals.read_bytes(tmp_path / "r.yaml")) == {"a": {"b": [1, 2]}}


def test_every_changed_byte_is_noticed(sealed):
    content = sealed.read_bytes()
    for place in range(len(content)):
        changed = content[place] ^ (1 << place % 8)
        sealed.write_bytes(content[:place] + bytes([changed]) + content[place + 1 :])
        with pytest.raises(InputError, match="damaged"):
            seals.verify(sealed)
    sealed.write_bytes(content)
    seals.verify(sealed)


def test_a_cut_is_noticed(sealed):
    content = sealed.read_bytes()
    for length in [*range(0, len(content) - 1, 7), len(content) - 1]:
        sealed.write_bytes(content[:length])
        with pytest.raises(InputError, match="damaged"):
            seals.verify(sealed)


def test_two_writes_give_the_same_bytes(sealed):
    content = sealed.read_bytes()
    WRITERS[sealed.name](sealed)
    assert sealed.read_bytes() == content


def test_a_damaged_file_is_named_with_the_remedy(tmp_path):
    path = tmp_path / "t.parquet"
    write_table(path)
    content = bytearray(path.read_bytes())
    content[60] ^= 4
    path.write_bytes(content)
    for read in (tables.read, tables.schema, tables.provenance):
        with pytest.raises(InputError, match=r"t\.parquet: The file is damaged.*nestmat report"):
            read(path)


def test_tables_of_others_need_no_checksum(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"gap": [1.0]}).to_parquet(path)
    with pytest.raises(InputError, match="has no checksum"):
        tables.read(path)
    assert tables.read(path, sealed=False)["gap"].tolist() == [1.0]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"c\.json: The file does not exist"):
        seals.read_json(tmp_path / "c.json")


def test_the_checksum_of_another_file_is_content(tmp_path):
    write_card(tmp_path / "a.json")
    quoted = json.loads((tmp_path / "a.json").read_text())
    seals.write_json(tmp_path / "b.json", {"other": quoted, "more": 1})
    assert seals.read_json(tmp_path / "b.json") == {"other": quoted, "more": 1}


def test_a_file_without_place_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("plain")
    with pytest.raises(InputError, match="no place"):
        seals.seal(tmp_path / "a.txt")
