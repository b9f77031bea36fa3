"""Parts whose keys follow from their kind: options are checked, described and built."""

from dataclasses import dataclass, field
from typing import ClassVar

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from nestmat.config.kinds import UNCHECKED, Choice, complete_entry, described_options, options_model
from nestmat.design.judges.base import Judge
from nestmat.errors import InputError
from nestmat.features.block import BlockKind
from nestmat.models.specification import Specification
from nestmat.plugins import Registry
from nestmat.search.generators.base import GeneratorOptions
from nestmat.search.methods.base import SearchMethod

SHAPES: Registry = Registry("shape", {"lazy": "no.such.module"})


@dataclass(frozen=True)
class Round:
    """What is round.

    Attributes:
        radius: Half of the width,
            in metres.
    """

    radius: float = field(default=1.0, metadata={"gt": 0})


@SHAPES.register("cone")
@dataclass(frozen=True)
class Cone(Round):
    """A cone.

    Attributes:
        height: From base to ``tip``.
    """

    height: float = 2.0
    sides: tuple[int, ...] = ()


@SHAPES.register("line")
def line(length: int, steps: int = 2) -> list[int]:
    """Numbers along a line.

    Args:
        length: The last number.
        steps: How many there are.
    """
    return list(range(0, length + 1, length // (steps - 1)))


class Shape(Choice):
    """A shape."""

    registry: ClassVar[str] = f"{__name__}:SHAPES"
    kind: str = Field(description="Kind of shape.")
    title: str = Field("", description="Name.")


@pytest.fixture(autouse=True)
def _registry(monkeypatch):
    # Tests are imported by path: their module cannot be found by its name.
    monkeypatch.setattr(Shape, "kinds", classmethod(lambda cls: SHAPES))
    monkeypatch.setattr(SHAPES, "_modules", {})


def test_options_stand_beside_common_keys_and_build_the_class():
    shape = Shape.model_validate({"kind": "cone", "title": "t", "radius": 3, "sides": [1, 2]})
    assert shape.options == {"radius": 3, "sides": [1, 2]}
    assert shape.build() == Cone(radius=3.0, height=2.0, sides=(1, 2))
    assert shape.registered is Cone
    assert Shape.model_validate(shape.model_dump()) == shape


def test_parameters_of_a_function_are_options():
    assert Shape.model_validate({"kind": "line", "length": 4, "steps": 3}).build() == [0, 2, 4]
    with pytest.raises(ValidationError, match="length: Field required"):
        Shape.model_validate({"kind": "line"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"kind": "cube"}, "kind: There is no shape 'cube'; choose one of cone, line"),
        ({"kind": "cone", "radius": 0}, "radius: Input should be greater than 0"),
        ({"kind": "cone", "radios": 1}, "radios: Extra inputs"),
        ({"kind": "cone", "radius": "wide", "heigth": 1}, "radius: .*; heigth: "),
        ({"kind": "cone", "title": 3}, "valid string"),
    ],
)
def test_faulty_options_are_named(content, message):
    with pytest.raises(ValidationError, match=message):
        Shape.model_validate(content)


def test_unchecked_options_are_kept_and_checked_where_they_are_used():
    shape = Shape.model_validate({"kind": "cone", "radios": 1}, context=UNCHECKED)
    with pytest.raises(InputError, match="its options are radius, height, sides"):
        shape.build()
    assert Shape.model_validate({"kind": "unheard of"}, context=UNCHECKED).kind == "unheard of"


def test_an_option_may_not_have_the_name_of_a_common_key():
    @SHAPES.register("named")
    @dataclass(frozen=True)
    class Named:
        title: str = ""

    try:
        with pytest.raises(ValidationError, match="has an option 'title'"):
            Shape.model_validate({"kind": "named"})
    finally:
        del SHAPES._entries["named"]


def test_descriptions_are_those_of_the_docstrings_of_class_and_bases():
    assert described_options(Cone) == {
        "radius": "Half of the width, in metres.",
        "height": "From base to `tip`.",
    }
    assert described_options(line) == {"length": "The last number.", "steps": "How many there are."}
    assert set(options_model(Cone).model_fields) == {"radius", "height", "sides"}


def test_the_schema_lists_every_kind_with_its_options():
    schema = TypeAdapter(Shape).json_schema()
    assert set(schema["properties"]) == {"kind", "title"}
    cone, function = schema["oneOf"]
    assert (cone["title"], cone["description"]) == ("cone", "A cone.")
    assert cone["properties"]["kind"]["const"] == "cone"
    assert cone["properties"]["radius"]["exclusiveMinimum"] == 0
    assert function["required"] == ["kind", "length"]
    assert not cone["additionalProperties"]


@pytest.mark.parametrize(
    ("base", "method"),
    [
        (SearchMethod, "propose"),
        (GeneratorOptions, "build"),
        (Judge, "fit"),
        (BlockKind, "compute"),
        (Specification, "network"),
    ],
)
def test_a_class_that_lacks_a_required_method_is_named(base, method):
    registry = Registry("sort", {})
    registry.register("half")(type("Half", (base,), {}))
    with pytest.raises(InputError, match=rf"The class Half of the sort 'half' does not define {method}\."):
        complete_entry(registry, "half")


def test_a_class_with_fields_has_to_be_a_dataclass():
    registry = Registry("sort", {})
    registry.register("plain")(type("Plain", (), {"__annotations__": {"rounds": int}}))
    with pytest.raises(InputError, match="The class Plain of the sort 'plain' is not a dataclass"):
        complete_entry(registry, "plain")
