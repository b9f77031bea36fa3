"""Text of a file from its bytes, and the characters in it that nobody sees."""

from __future__ import annotations

import codecs
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from nestmat.data.signatures import utf_16_of
from nestmat.errors import InputError
from nestmat.materials.formula_text import strip_invisible


def decode(data: bytes, path: str | Path, encoding: str | None = None) -> str:
    """The text of a file.

    Args:
        data: Its content.
        path: Its name, for messages.
        encoding: Its encoding; UTF-8 with or without byte-order mark by default.

    Raises:
        InputError: The file is empty, or the text is not in its encoding.
    """
    if encoding is None and (actual := utf_16_of(data)):
        raise InputError(
            "The file is UTF-16, not UTF-8.",
            file=path,
            remedy=f"state `encoding: {actual}` in the data set, or save it as `CSV UTF-8`.",
        )
    try:
        text = data.decode("utf-8-sig" if encoding in (None, "utf-8") else encoding or "")
    except UnicodeDecodeError as error:
        other = single_byte_encoding(data) if encoding is None else None
        named = f"state `encoding: {other}` in the data set, or " if other else ""
        raise InputError(
            f"The text is not {(encoding or 'utf-8').upper()}.",
            file=path,
            row=data.count(b"\n", 0, error.start) + 1,
            value=data[error.start : error.end],
            remedy=f"{named}save it as `CSV UTF-8`.",
        ) from error
    if not text.strip():
        raise InputError(
            "The file is empty.", file=path, remedy="give a table with a header line and rows of data."
        )
    return text


def single_byte_encoding(data: bytes) -> str | None:
    r"""Encoding of a text that is not UTF-8, of one byte a character; None where letters of both are mixed.

    Example:
        >>> single_byte_encoding("Å".encode("cp1252")), single_byte_encoding("Å, ".encode() + b"\xc5")
        ('cp1252', None)
    """
    tolerant = data.decode("utf-8", errors="ignore")
    if not tolerant.isascii():
        return None
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


def first_undecodable(data: bytes) -> tuple[int, str]:
    """Line of the first byte that is not UTF-8, and the text of this line as Latin-1."""
    try:
        codecs.decode(data, "utf-8")
    except UnicodeDecodeError as error:
        start = data.rfind(b"\n", 0, error.start) + 1
        return data.count(b"\n", 0, error.start) + 1, data[start:].split(b"\n", 1)[0].decode(
            "latin-1"
        ).strip()
    return 0, ""


def clean(text: str) -> str:
    r"""A cell without the characters that nobody sees, and without blanks at its ends.

    Left out are format characters of Unicode: zero-width spaces and joiners, soft hyphens, byte-order marks.

    Example:
        >>> clean(" CsPbI3\u200b ")
        'CsPbI3'
    """
    return strip_invisible(text).strip()


def clean_cells(cells: list[str]) -> pa.Array:
    """Cells as an Arrow array, each as `clean` gives it."""
    try:
        array = pa.array(cells, pa.large_string())
    except UnicodeEncodeError:
        # Halves of surrogate pairs, which JSON can hold, are no characters.
        array = pa.array([c.encode("utf-8", "replace").decode() for c in cells], pa.large_string())
    if all(map(str.isascii, cells)):
        return pc.utf8_trim_whitespace(array)
    return pa.array([clean(cell) for cell in array.to_pylist()], pa.large_string())
