"""Any text is a formula that is read as it is written, or it is refused with a sentence."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from nestmat.errors import InputError
from nestmat.materials import ions
from nestmat.materials.formulas import ELEMENTS, from_species, parse
from support.fuzzing import accepted, fuzz, refused

SYMBOLS = sorted(ELEMENTS) + sorted(ions.molecular())
PIECES = [
    *"()[]{}_.·•*⋅-+ ,;:/\\|'\"<>=@#%&~^$!?₀₃²⁺⁻δxyz",
    *("1e999", "0.5", "-x", "±0.1", "H2O", ".5H2O", "·nH2O", "2+", "NaN", "wt%", "at%", "\u200b", "\ufeff"),
    *("\x00", "٣", "Ⅳ", "é", "𝟛", "\n", "\t", "1" * 30, "0." + "0" * 40 + "1", "(" * 40, ")" * 40, "OY", "D"),
]


def amounts() -> st.SearchStrategy[str]:
    whole = st.integers(1, 999).map(str)
    decimal = st.integers(1, 99999).map(lambda n: f"{n / 1000}")
    return st.one_of(st.just(""), whole, decimal)


@st.composite
def formulas(draw: st.DrawFn, depth: int = 2) -> str:
    """Formulas as they are written, with brackets and organic ions."""
    text = ""
    for _ in range(draw(st.integers(1, 5))):
        if depth and draw(st.integers(0, 4)) == 0:
            text += draw(st.sampled_from(["({})", "[{}]", "{{{}}}"])).format(draw(formulas(depth - 1)))
        else:
            text += draw(st.sampled_from(SYMBOLS))
        text += draw(amounts())
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


texts = st.one_of(
    formulas(),
    mutants(),
    mutants().map(str.upper),
    st.text(max_size=30),
    st.lists(st.sampled_from([*PIECES, *SYMBOLS]), max_size=12).map("".join),
    st.tuples(st.sampled_from([*PIECES, *SYMBOLS]), st.integers(1, 3000)).map(lambda t: t[0] * t[1]),
)


@fuzz(texts)
def test_any_formula_is_right_or_refused(text: str) -> None:
    try:
        formula = parse(text)
    except InputError as error:
        refused(error)
        return
    accepted()
    assert all(amount > 0 for amount in formula.species.values())
    assert set(formula.composition.as_dict()) <= ELEMENTS
    again = parse(from_species(formula.species).text)
    assert again.key == formula.key
    assert dict(again.species) == pytest.approx(dict(formula.species), rel=1e-6, abs=1e-9)
    assert again.composition.as_dict() == pytest.approx(formula.composition.as_dict(), rel=1e-6, abs=1e-9)
