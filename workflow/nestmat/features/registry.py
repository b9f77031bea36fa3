"""The kinds of feature blocks, by the key that a study writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from nestmat.errors import InputError
from nestmat.plugins import Registry

if TYPE_CHECKING:
    from nestmat.features.block import BlockKind

_BLOCKS = "nestmat.features.blocks"
BLOCKS: Registry[type[BlockKind]] = Registry(
    "feature block",
    {
        "columns": f"{_BLOCKS}.columns",
        "one_hot": f"{_BLOCKS}.one_hot",
        "site": f"{_BLOCKS}.site",
        "site_descriptors": f"{_BLOCKS}.site_descriptors",
        "perovskite": f"{_BLOCKS}.perovskite",
        "monolayer": f"{_BLOCKS}.monolayer",
        "elements": f"{_BLOCKS}.elements",
        "alloy": f"{_BLOCKS}.alloy",
        "composition": f"{_BLOCKS}.composition",
        "matminer": f"{_BLOCKS}.matminer",
    },
)


class Buildable(Protocol):
    """A part of a configuration that builds a block."""

    def build(self) -> BlockKind:
        """The block."""


def build_block(config: BlockKind | Buildable | Mapping[str, Any]) -> BlockKind:
    """A feature block from its configuration.

    Args:
        config: The kind with what a study writes after it, ``{"one_hot": "solvent"}``; or a part of a
            configuration that builds a block; or a block, which is returned as it is.

    Raises:
        InputError: There is not exactly one kind, or no kind of this name.

    Example:
        >>> build_block({"one_hot": "solvent"}).category_columns
        ['solvent']
    """
    if not isinstance(config, Mapping):
        return config.build() if hasattr(config, "build") else config
    if len(config) != 1:
        raise InputError(
            f"A feature block has exactly one kind, and this one has {', '.join(config) or 'none'}.",
            remedy=f"choose one of {', '.join(BLOCKS)}.",
        )
    [(kind, argument)] = config.items()
    block: Any = BLOCKS[kind]
    return block(argument) if takes_argument(block) else block(**argument)


def takes_argument(block: type[BlockKind]) -> bool:
    """Whether a study writes one value after the kind, and not keys."""
    return "argument" in getattr(block, "__dataclass_fields__", {})
