"""Columns of matminer's composition featurizers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from nestmat.features.block import BlockColumns, BlockKind
from nestmat.features.registry import BLOCKS

if TYPE_CHECKING:
    from nestmat.features.rows import Rows


@BLOCKS.register("matminer")
@dataclass(frozen=True)
class Matminer(BlockKind):
    """Columns of composition featurizers of matminer.

    Attributes:
        argument: Composition featurizers of matminer by class name, with their arguments; results are kept in
            `downloads/matminer`.
    """

    runs_matminer: ClassVar[bool] = True
    differentiable: ClassVar[bool] = False
    argument: dict[str, dict[str, Any]]

    def compute(self, rows: Rows, levels: Sequence[str] | None) -> BlockColumns:
        """See `nestmat.features.matminer_adapter.matminer_features`."""
        # matminer takes seconds to import, which studies without it should not pay.
        from nestmat.features.matminer_adapter import matminer_features

        return matminer_features(rows.formulas, self.argument, threads=rows.threads, cache=rows.cache)
