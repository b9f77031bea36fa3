"""Feature blocks of a study: named groups of input columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from nestmat.config.kinds import KeyedKinds

if TYPE_CHECKING:
    from nestmat.features.block import BlockKind

Site = Literal["A", "B", "X"]
NUMBER_OF_ELEMENTS = "number_of_elements"
"""Built-in column of every scale with formulas: how many elements the material has."""


class FeatureBlock(KeyedKinds):
    """A named group of input columns; exactly one of the keys, which is its kind."""

    registry: ClassVar[str] = "nestmat.features.registry:BLOCKS"

    @model_validator(mode="after")
    def _one_kind(self) -> FeatureBlock:
        if len(self.arguments) != 1:
            raise ValueError("A feature block has exactly one of " + ", ".join(self.kinds()))
        return self

    def build(self) -> BlockKind:
        """The block, which names the columns that it needs and computes its own."""
        [block] = self.build_all().values()
        return block

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = super().__get_pydantic_json_schema__(core, handler)
        return {**schema, "minProperties": 1, "maxProperties": 1}
