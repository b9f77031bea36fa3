"""Any text is a formula that is read as it is written, or it is refused with a sentence."""

from __future__ import annotations

import contextlib
from fractions import Fraction

import pytest
from hypothesis import assume
from hypothesis import strategies as st
from pymatgen.core import Composition

from nestmat.data.formula_cells import read_formulas
from nestmat.errors import InputError
from nestmat.materials import ions
from nestmat.materials.formulas import ELEMENTS, from_species, parse
from support.fuzzing import accepted, assert_cost_grows_as_the_input, fuzz, refused, watch

SYMBOLS = sorted(ELEMENTS) + sorted(ions.molecular())
PIECES = [
    *"()[]{}_.·•*⋅-+ ,;:/\\|'\"<>=@#%&~^$!?₀₃²⁺⁻δxyz",
    *("1e999", "0.5", "-x", "±0.1", "H2O", ".5H2O", "·nH2O", "2+", "NaN", "wt%", "at%", "\u200b", "\ufeff"),
    *("\x00", "٣", "Ⅳ", "é", "𝟛", "\n", "\t", "1" * 30, "0." + "0" * 40 + "1", "(" * 40, ")" * 40, "OY", "D"),
    *("1/0", "1/2", "½", "{1}", "\\cdot", " x 5", "(III)", "CO", "NO", "Ti-6Al-4V", "\ud800", "İ", "ß", "ﬁ"),
]
PATTERNS = (
    *(
        ".",
        "·",
        "1.",
        "H2O.",
        "(",
        "CsPbI3",
        "NH4",
        "-1Al",
        "x",
        " ",
        "₃",
        "O\u200b",
        "1/",
        "[Cs]",
        "CO",
        "SI",
    ),
    *("SI", "% ", "wt%", "0", "^", "+", "(2)", "CS", "O7-", "MA"),
)
AMOUNTS = st.one_of(
    st.just(""), st.integers(1, 999).map(str), st.integers(1, 99999).map(lambda n: f"{n / 1000}")
)


@st.composite
def formulas(draw: st.DrawFn, depth: int = 2) -> str:
    """Formulas as they are written, with brackets and organic ions."""
    text = ""
    for _ in range(draw(st.integers(1, 5))):
        if depth and draw(st.integers(0, 4)) == 0:
            text += draw(st.sampled_from(["({})", "[{}]", "{{{}}}"])).format(draw(formulas(depth - 1)))
        else:
            text += draw(st.sampled_from(SYMBOLS))
        text += draw(AMOUNTS)
    return text


@st.composite
def mutants(draw: st.DrawFn) -> str:
    """Formulas with some characters taken out, doubled, or put in."""
    text = draw(formulas())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        end = min(len(text), at + draw(st.integers(0, 3)))
        text = text[:at] + draw(st.sampled_from(["", text[at:end] * 2, *PIECES])) + text[end:]
    return text


TEXTS = st.one_of(
    formulas(),
    mutants(),
    mutants().map(str.upper),
    st.text(max_size=30),
    st.lists(st.sampled_from([*PIECES, *SYMBOLS]), max_size=12).map("".join),
    st.tuples(st.sampled_from([*PIECES, *SYMBOLS]), st.integers(1, 3000)).map(lambda t: t[0] * t[1]),
)


def assert_reads_back(species: dict[str, float]) -> None:
    """Check that a formula that is written is read as it was, to 1e-9 in amounts and 1e-6 in fractions."""
    written = from_species(species)
    read = parse(written.text)
    assert read.key == written.key
    assert dict(read.species) == pytest.approx(dict(species), rel=1e-6, abs=1e-9)
    assert read.composition.as_dict() == pytest.approx(written.composition.as_dict(), rel=1e-6, abs=1e-9)


@fuzz(TEXTS, share=2)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        formula = parse(text)
    except InputError as error:
        refused(error)
        return
    accepted()
    assert all(amount > 0 for amount in formula.species.values())
    assert set(formula.composition.as_dict()) <= ELEMENTS
    assert_reads_back(dict(formula.species))


@fuzz(
    st.dictionaries(
        st.one_of(st.sampled_from(SYMBOLS), st.sampled_from(["H", "C", "N", "O", "Cl", "F", "Na", "Y"])),
        st.one_of(st.integers(1, 20000), st.sampled_from([1000, 2000, 2500, 2600, 500])),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
    share=8,
)
def test_any_species_are_written_and_read_back(amounts: dict[str, int], are_whole: bool) -> None:
    species = {symbol: float(n if are_whole else n / 1000) for symbol, n in amounts.items()}
    assume(min(amounts.values()) > 1e-5 * sum(amounts.values()))
    assume(sum(species.values()) >= 0.1)
    assert_reads_back(species)


@fuzz(
    st.lists(st.tuples(st.sampled_from(sorted(ELEMENTS)), st.integers(2, 12)), min_size=1, max_size=3),
    st.integers(2, 12),
    st.sampled_from(["·{n}H2O", " • {n} H2O", "*{n}H2O", "({n}H2O·Ar0)"]),
    share=8,
)
def test_hydrates_hold_their_water(parts: list[tuple[str, int]], n: int, dot: str) -> None:
    salt = "".join(f"{symbol}{amount}" for symbol, amount in parts)
    atoms = Composition(salt) + n * Composition("H2O")
    assert parse(salt + dot.format(n=n)).composition == atoms
    try:
        formula = parse(f"{salt}.{n}H2O")
    except InputError as error:
        refused(error)
        return
    accepted()
    [*_, (last, amount)] = parts
    decimal = {**Composition(salt).as_dict()}
    decimal[last] += float(Fraction(f"{amount}.{n}")) - amount
    assert formula.composition in (atoms, Composition(decimal) + Composition("H2O"))


@fuzz(st.lists(TEXTS, min_size=1, max_size=12), st.sampled_from([None, "weight", "atomic"]), share=4)
def test_any_column_is_read_or_rejected_with_a_reason(cells: list[str], fractions: str | None) -> None:
    column = read_formulas({"f": cells}, "f", fractions=fractions)
    rejected = {index for index, *_ in column.faults}
    for index, key in enumerate(column.keys):
        assert bool(key) != (index in rejected)
        assert not key or parse(column.written[index]).key == key
    assert all(reason.strip() for *_, reason in column.faults)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_cost_of_a_formula_grows_as_its_length(pattern: str) -> None:
    def read(repeats: int) -> None:
        with contextlib.suppress(InputError):
            parse(pattern * repeats)

    read(1)
    assert_cost_grows_as_the_input(read, max(1, 70 // len(pattern)))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_cell_of_any_length_is_refused_at_once(pattern: str) -> None:
    column = watch(read_formulas)({"f": [pattern * 100_000, "SIO2"]}, "f", fractions="weight")
    assert 0 in {index for index, *_ in column.faults}


def test_cost_of_a_column_grows_as_its_rows() -> None:
    texts = [f"Cs{n}PbI{n + 1}" for n in range(1, 801)]
    read_formulas({"f": texts}, "f")
    assert_cost_grows_as_the_input(lambda n: read_formulas({"f": texts[:n]}, "f"), 200)
