"""Fractions of the ions on one site of ABX3 perovskites."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from nestmat.errors import InputError
from nestmat.features.block import BlockColumns, BlockKind, Role, SpaceColumns, compute_by_formula
from nestmat.features.registry import BLOCKS

if TYPE_CHECKING:
    from nestmat.features.differentiable import SpaceNumbers
    from nestmat.features.rows import Rows
    from nestmat.materials.formulas import Formula


@BLOCKS.register("site")
@dataclass(frozen=True)
class Site(BlockKind):
    """Site fractions of the parsed ABX3 formula.

    Attributes:
        argument: Site fractions of the parsed ABX3 formula.
    """

    role: ClassVar[Role] = "simplex"
    argument: Literal["A", "B", "X"]

    def compute(self, rows: Rows, levels: Sequence[str] | None) -> BlockColumns:
        """See `site_fractions`."""
        return site_fractions(rows.formulas, self.argument, levels)

    def map_numbers(self, numbers: SpaceNumbers) -> SpaceColumns:
        """Shares of the space on the site; ions that it leaves out are 0."""
        return numbers.equal_columns(numbers.starting_with(f"{self.argument}:"))


def site_fractions(
    formulas: Sequence[Formula | None], site: str, species: Sequence[str] | None = None
) -> BlockColumns:
    """Fractions of the ions on one site, columns ``<site>:<ion>``, each row with the sum 1.

    Args:
        formulas: One a row; a row of None stays NaN.
        site: A, B or X.
        species: Ions that get a column, in this order; those that occur, sorted, by default. A row with
            another ion has a fault.
    """
    ions = _occurring_ions(formulas, site) if species is None else list(species)

    def fractions(formula: Formula) -> list[float]:
        amounts = formula.sites()[site]
        if unknown := sorted(set(amounts) - set(ions)):
            reason = (
                f"holds {', '.join(unknown)} on site {site}, where the training data has only "
                f"{', '.join(ions)}."
            )
            raise InputError(
                f"The formula {reason}",
                reason=reason,
                remedy="leave it out, or train on data that holds it.",
            )
        return [amounts.get(symbol, 0.0) for symbol in ions]

    columns = [f"{site}:{symbol}" for symbol in ions]
    block = compute_by_formula(formulas, columns, [""] * len(columns), fractions)
    return BlockColumns(block.columns, block.values, block.units, block.faults, levels=ions)


def _occurring_ions(formulas: Sequence[Formula | None], site: str) -> list[str]:
    ions: set[str] = set()
    for formula in {formula.text: formula for formula in formulas if formula is not None}.values():
        # One that is not ABX3 adds no ion; its rows get their fault when the fractions are computed.
        with suppress(InputError):
            ions |= set(formula.sites()[site])
    return sorted(ions)
