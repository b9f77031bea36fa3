from __future__ import annotations

from pathlib import Path

import pytest

from nestmat.files import replacing, write_text


def test_what_a_killed_process_left_is_removed_by_the_next_write(tmp_path):
    left = tmp_path / ".a[1].json.0123abcd.part"
    another = tmp_path / ".b.json.0123abcd.part"
    for path in (left, another):
        path.write_text("half")
    write_text(tmp_path / "a[1].json", "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [another.name, "a[1].json"]


def test_what_another_process_writes_is_not_removed(tmp_path):
    path = tmp_path / "a.json"
    with replacing(path) as aside:
        aside.write_text("first")
        write_text(path, "second")
        assert aside.read_text() == "first"
    assert path.read_text() == "first"


def break_off(path: Path) -> None:
    with replacing(path) as aside:
        aside.write_text("new")
        raise RuntimeError


def test_a_failed_write_leaves_the_old_content(tmp_path):
    write_text(tmp_path / "a", "old")
    with pytest.raises(RuntimeError):
        break_off(tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"
