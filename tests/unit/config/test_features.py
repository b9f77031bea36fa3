"""Feature blocks of a study: one key, which is a kind of the registry."""

import pytest
from pydantic import TypeAdapter, ValidationError

from nestmat.config.features import FeatureBlock
from nestmat.config.kinds import UNCHECKED
from nestmat.features.registry import BLOCKS
from nestmat.materials.geometry import CELL


@pytest.mark.parametrize(
    ("config", "role", "numbers", "categories"),
    [
        ({"columns": ["a", "b"]}, "continuous", ["a", "b"], []),
        ({"one_hot": "solvent"}, "categorical", [], ["solvent"]),
        ({"site": "A"}, "simplex", [], []),
        ({"perovskite": True}, "continuous", [], []),
        ({"monolayer": {"height": 0.13}}, "continuous", list(CELL), []),
        ({"alloy": True}, "continuous", [], []),
        ({"matminer": {"Stoichiometry": {"num_atoms": True}}}, "continuous", [], []),
    ],
)
def test_a_block_builds_its_kind_and_is_written_as_it_was(config, role, numbers, categories):
    block = FeatureBlock.model_validate(config)
    features = block.build()
    assert (features.role, features.number_columns, features.category_columns) == (role, numbers, categories)
    assert block.model_dump() == config
    assert FeatureBlock.model_validate(block.model_dump()) == block


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "has exactly one of columns, one_hot, site"),
        ({"columns": ["a"], "site": "A"}, "has exactly one of"),
        ({"colums": ["a"]}, "colums: There is no feature block 'colums'; choose one of columns"),
        ({"site": "C"}, "site: Input should be 'A', 'B' or 'X'"),
        ({"elements": []}, "elements: List should have at least 1 item"),
        ({"monolayer": {"height": 0.6}}, "monolayer.height: Input should be less than 0.5"),
        ({"monolayer": {"width": 0.6}}, "monolayer.width: Extra inputs"),
        ({"perovskite": False}, "perovskite: Input should be True"),
    ],
)
def test_faulty_blocks_are_named(config, message):
    with pytest.raises(ValidationError, match=message):
        FeatureBlock.model_validate(config)


def test_blocks_of_a_checked_study_are_not_checked_again():
    assert FeatureBlock.model_validate({"unknown": 1}, context=UNCHECKED).arguments == {"unknown": 1}


def test_the_schema_describes_every_kind():
    schema = TypeAdapter(FeatureBlock).json_schema()
    assert list(schema["properties"]) == list(BLOCKS)
    assert all(kind["description"] for kind in schema["properties"].values())
    assert (schema["minProperties"], schema["maxProperties"]) == (1, 1)
