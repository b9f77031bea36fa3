"""How figures and report write the keys of a study: as words, with units."""

from __future__ import annotations

import re


def prettify(key: str) -> str:
    """A key as a heading: words with a capital first; a key that has capitals stays as written.

    Example:
        >>> prettify("random_forest"), prettify("PCE")
        ('Random forest', 'PCE')
    """
    words = key.replace("_", " ").strip()
    return words[:1].upper() + words[1:] if words.islower() else words


def lower_first(text: str) -> str:
    """A heading inside a sentence; an abbreviation keeps its capitals.

    Example:
        >>> lower_first("Band gap"), lower_first("PCE")
        ('band gap', 'PCE')
    """
    return text if len(text) > 1 and text[1].isupper() else text[:1].lower() + text[1:]


def upper_first(text: str) -> str:
    """A text at the start of a sentence.

    Example:
        >>> upper_first("trees")
        'Trees'
    """
    return text[:1].upper() + text[1:]


def humanize_key(key: str) -> str:
    """A key inside a sentence; an abbreviation of up to four letters keeps its capitals.

    Example:
        >>> humanize_key("SOLVENT"), humanize_key("ETL")
        ('solvent', 'ETL')
    """
    return key.replace("_", " ").lower() if key.isupper() and len(key) > 4 else key.replace("_", " ")


def with_unit(name: str, unit: str) -> str:
    """A name with its unit in brackets; a bracket that the name ends with is set off by a comma.

    Example:
        >>> with_unit("Gap (PBE)", "eV"), with_unit("Gap", "eV"), with_unit("Price", "")
        ('Gap, PBE (eV)', 'Gap (eV)', 'Price')
    """
    if not unit:
        return name
    plain = re.sub(r" \(([^()]*)\)$", r", \1", name)
    return f"{plain} ({unit})"


def latent_symbol(latent: str) -> str:
    """Name of a latent as matplotlib typesets it.

    Example:
        >>> latent_symbol("z3")
        'z$_{3}$'
    """
    return f"z$_{{{latent.removeprefix('z')}}}$"
