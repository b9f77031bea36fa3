"""Any configuration is a study, or it is refused with the key that is wrong."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import strategies as st

from nestmat.config.loading import load_study, study_from
from nestmat.errors import InputError
from nestmat.paths import ROOT
from support.fuzzing import accepted, assert_cost_grows_as_the_input, fuzz, refused

STUDIES = [
    yaml.safe_load(file.read_text(encoding="utf-8"))
    for file in (ROOT / "config.yaml", *sorted((ROOT / "resources/studies").glob("*.yaml")))
]
VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 10**6, 10**30, -(10**30), 2.0, 0.5, -0.5, 1e30, 1e-300),
    *(float("inf"), float("nan"), "", "a", "1", "1e30", "true", "recommended", "strict", "baselines", "../x"),
    *("a" * 5000, "a b", "é", "\x00", "a: b", "{{ 1 }}", "{x}", "$(ls)", "2026-12-01"),
    *(
        [],
        [[]],
        [None],
        [1, 2],
        ["a", "a"],
        [True],
        {},
        {"a": {}},
        {"kind": "a"},
        {"": 1},
        {1: 2},
        {None: None},
    ),
]


def places(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where a value of a configuration stands, of all of them."""
    below = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content)
        if isinstance(content, list)
        else ()
    )
    return [path] * bool(path) + [place for key, value in below for place in places(value, (*path, key))]


PLACES = [places(study) for study in STUDIES]


def nested(depth: int) -> Any:
    """A mapping in a mapping in a mapping, and so on."""
    content: Any = 1
    for _ in range(depth):
        content = {"a": content}
    return content


values = st.one_of(
    st.sampled_from(VALUES),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.integers(1, 50).map(nested),
    st.lists(st.sampled_from(VALUES), max_size=4),
)


@st.composite
def mutants(draw: st.DrawFn) -> dict[str, Any]:
    """Studies that are shipped with some values replaced, taken out, moved or renamed."""
    number = draw(st.integers(0, len(STUDIES) - 1))
    study = deepcopy(STUDIES[number])
    for _ in range(draw(st.integers(1, 3))):
        *path, last = draw(st.sampled_from(PLACES[number]))
        part: Any = study
        try:
            for key in path:
                part = part[key]
            value = part[last]
        except (KeyError, IndexError, TypeError):
            continue
        change = draw(st.sampled_from(["replace", "replace", "delete", "rename", "wrap", "repeat"]))
        if change == "delete":
            del part[last]
        elif change == "rename" and isinstance(part, dict):
            name = draw(
                st.one_of(st.sampled_from([v for v in VALUES if isinstance(v, str)]), st.text(max_size=9))
            )
            part[name] = part.pop(last)
        elif change == "wrap":
            part[last] = draw(st.sampled_from([[value], {"a": value}, str(value)]))
        elif change == "repeat":
            part[last] = deepcopy(draw(st.sampled_from([study[key] for key in study])))
        else:
            part[last] = draw(values)
    return study


@fuzz(mutants())
def test_any_configuration_is_a_study_or_refused(config: dict[str, Any]) -> None:
    try:
        study = study_from(config, "study.yaml")
    except InputError as error:
        refused(error)
        return
    accepted()
    names = [study.study, *study.datasets, *study.scales, *study.search]
    assert all(name.isidentifier() and len(name) <= 64 for name in names)


@pytest.mark.parametrize(
    "text",
    [
        "study: !!python/object/apply:os.system [ls]",
        "a: &a [1, *a]",
        "a: &a {b: *a}",
        "a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nd: [*c, *c, *c]",
        "{" * 3000,
        "study: 2026-12-01",
        "? [1, 2]\n: 3",
        "study: s\nstudy: t",
        "\t- a",
    ],
)
def test_odd_yaml_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_study(file)
    assert len(str(caught.value)) < 1000


def test_cost_grows_as_the_number_of_columns() -> None:
    def load(columns: int) -> None:
        table = {"title": "t", "file": "t.csv", "columns": {f"c{k}": {} for k in range(columns)}}
        scale = {
            "dataset": "rows",
            "targets": ["c0"],
            "features": {"x": {"columns": [f"c{k}" for k in range(1, columns)]}},
            "models": {
                "m": {
                    "specification": {
                        "inputs": ["x"],
                        "encoder": {"latents": 2},
                        "heads": {"c0": {}},
                        "training": {"epochs": 1},
                    }
                }
            },
        }
        study_from(
            {"study": "s", "title": "t", "question": "q", "datasets": {"rows": table}, "scales": {"s": scale}}
        )

    load(10)
    assert_cost_grows_as_the_input(load, 200)
