"""Units as people write them: in headers, on a line below the header, and in cells."""

from __future__ import annotations

import re

_LISTED = (
    "eV keV meV MeV Ry Ha hartree J kJ mJ cal kcal mol mmol atom atoms cell f.u fu formula "
    "K C F °C °F ℃ degC s ms us µs μs ns ps fs min h hr hrs d day days yr year "
    "m cm mm nm um µm μm pm km Å A Angstrom angstrom Ang ang bohr a0 "
    "g mg kg µg μg ug t u amu Da Pa kPa MPa GPa TPa bar mbar kbar atm Torr psi HV HRC HB Hv VHN "
    "V mV kV mA uA µA μA nA W mW kW S mS µS μS uS Ω ohm Ohm kΩ MΩ Hz kHz MHz GHz THz T mT G Oe emu µB μB muB "
    "N mN kN L l mL ml uL µL M mM at at% wt wt% mol% vol% % ‰ ppm ppb wppm at.% wt.% mol.% vol.% "
    "deg rad ° a.u arb.units au sr lm cd lx Wh mAh Ah nF pF µF H D counts cps sun suns cycles rpm"
)
_SYMBOLS = frozenset(_LISTED.split())
"""Symbols of units and what stands among them."""
_PIECES = re.compile(r"[\s/·⋅*×()^]+|(?<=[^\d\s.])(?:[-+−⁻]?[\d²³¹⁴⁵⁶])+")
_IN_HEADER = re.compile(r"(?P<name>.*\S)\s*(?:\((?P<round>[^()]+)\)|\[(?P<square>[^\[\]]+)\])")
_AFTER_MARK = re.compile(r"(?P<name>.*\S)(?:\s+/\s*|\s*,\s*|\s+in\s+)(?P<unit>[^,]+)")
_SAME = str.maketrans({"μ": "µ", "−": "-", "⁻": "-", "²": "2", "³": "3", "¹": "1", "⋅": "·", "*": "·"})


def is_unit(text: str) -> bool:
    """Whether a text is a unit: symbols of units, with powers and marks between them.

    Example:
        >>> [is_unit(text) for text in ("eV", "g/cm3", "W m⁻¹ K⁻¹", "wt%", "cubic", "12")]
        [True, True, True, True, False, False]
    """
    text = text.strip()
    pieces = [piece.strip(".") for piece in _PIECES.split(text) if piece and piece.strip(".")]
    symbols = [piece for piece in pieces if piece != "1" and not re.fullmatch(r"10|[-+−]?\d", piece)]
    return text in _SYMBOLS or (bool(symbols) and all(piece in _SYMBOLS for piece in symbols))


def strip_brackets(text: str) -> str:
    """A unit without the brackets around it.

    Example:
        >>> strip_brackets("(eV)"), strip_brackets("[K]"), strip_brackets("eV")
        ('eV', 'K', 'eV')
    """
    text = text.strip()
    return text[1:-1].strip() if text[:1] + text[-1:] in ("()", "[]") else text


def unit_in_header(header: str) -> str:
    """The unit that a header states; empty where it states none.

    Example:
        >>> [unit_in_header(text) for text in ("gap (eV)", "T [K]", "Eg, eV", "E / eV", "phase (ICSD)")]
        ['eV', 'K', 'eV', 'eV', '']
    """
    if match := _IN_HEADER.fullmatch(header.strip()):
        unit = (match["round"] or match["square"]).strip()
        return unit if is_unit(unit) else ""
    match = _AFTER_MARK.fullmatch(header.strip())
    return match["unit"].strip() if match and is_unit(match["unit"]) else ""


def same_unit(one: str, other: str) -> bool:
    """Whether two units are written alike, but for the characters of powers and of micro.

    Example:
        >>> same_unit("g/cm³", "g / cm^3"), same_unit("K", "°C"), same_unit("℃", "°C")
        (True, False, True)
    """
    return _plain(one) == _plain(other) != ""


def _plain(unit: str) -> str:
    return unit.translate(_SAME).replace("℃", "°C").replace("^", "").replace(" ", "")
