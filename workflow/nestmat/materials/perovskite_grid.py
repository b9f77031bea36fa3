"""Enumerated spaces of compositions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product

from nestmat.errors import InputError
from nestmat.materials import ions
from nestmat.materials.formulas import SITE_RATIO, Formula, from_species


def perovskites(
    a: Sequence[str],
    b: Sequence[str],
    x: Sequence[str],
    steps: int = 4,
    mixed: Sequence[str] = ("A", "B", "X"),
) -> Iterator[Formula]:
    """Pure ABX3 halide perovskites, then the alloys that mix two species on one of the sites.

    Pure compounds come in the order of the lists; alloys by site, then by the other sites, then by pair, then
    by the fraction of the pair's second species. No composition occurs twice.

    Args:
        a: Ions of the A site: elements, or abbreviations of molecular ions.
        b: Ions of the B site.
        x: Ions of the X site.
        steps: The site fractions of an alloy are multiples of 1/steps; 1 for no alloys.
        mixed: Sites that alloys mix.

    Raises:
        InputError: A list is empty or names an ion twice, an ion has no place in its list, or ``steps`` or
            ``mixed`` is out of range.
    """
    lists = dict(zip(SITE_RATIO, (a, b, x), strict=True))
    for site, symbols in lists.items():
        _check(site, symbols)
    if not isinstance(steps, int) or not 1 <= steps <= 1000:
        raise InputError("The number of steps is a whole number from 1 to 1000.", key="steps", value=steps)
    if isinstance(mixed, str) or set(mixed) - set(lists):
        raise InputError("The mixed sites are other than A, B and X.", key="mixed", value=mixed)
    for pure in product(*lists.values()):
        yield from_species(dict(zip(pure, SITE_RATIO.values(), strict=True)))
    for site in (site for site in lists if site in mixed):
        other_lists = {other_site: symbols for other_site, symbols in lists.items() if other_site != site}
        for combination in product(*other_lists.values()):
            ion_by_site = dict(zip(other_lists, combination, strict=True))
            for pair in combinations(lists[site], 2):
                for step in range(1, steps):
                    amounts = (SITE_RATIO[site] * (steps - step) / steps, SITE_RATIO[site] * step / steps)
                    alloy = dict(zip(pair, amounts, strict=True))
                    yield from_species(
                        {
                            symbol: amount
                            for s, n in SITE_RATIO.items()
                            for symbol, amount in (alloy if s == site else {ion_by_site[s]: n}).items()
                        }
                    )


def _check(site: str, symbols: Sequence[str]) -> None:
    ions_of_site = [symbol for symbol, ion in ions.table().items() if ion.site == site]
    if isinstance(symbols, str) or not symbols or len(set(symbols)) < len(symbols):
        raise InputError(
            f"The ions of site {site} are a list, not empty, without repetitions.",
            key=site.lower(),
            value=symbols,
            remedy="correct the options of the data set.",
        )
    for symbol in symbols:
        if symbol not in ions_of_site:
            raise InputError(
                f"The ion {symbol!r} is none of site {site}.",
                key=site.lower(),
                value=symbol,
                remedy=f"choose from {', '.join(ions_of_site)}, or add the ion to resources/ions.yaml.",
            )
