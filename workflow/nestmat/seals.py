"""Checksums that files carry: a changed or missing byte is noticed before the file is used.

A sealed file holds the sha256 of its own content, in the metadata or the comment that its format has, after
`KEY`; for the checksum its 64 digits count as zeros. One file needs no second one beside it, is replaced as
a whole, and may be moved or renamed.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nestmat.errors import InputError
from nestmat.files import replacing

KEY = "nestmat-sha256"
BLANK = "0" * 64
"""Stands for the checksum until `seal` fills it in."""
COMMENTS = {".html": "<!-- {} -->", ".svg": "<!-- {} -->"}
"""How a comment is written in text of a suffix; in any other after a hash."""
REMEDY = (
    "run `nestmat report` for the study, which makes damaged files again; delete what belongs to no study."
)
_DIGITS = re.compile(KEY.encode() + rb"[^0-9a-f]{1,8}([0-9a-f]{64})(?![0-9a-f])")
_verified: dict[Path, tuple[int, ...]] = {}


def seal(path: str | Path) -> None:
    """Write the checksum of a file into the last place in it that is kept for one.

    Args:
        path: The file, in which `BLANK` stands after `KEY`.

    Raises:
        InputError: The file keeps no place for a checksum.
    """
    with Path(path).open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        start = _place(content)
        if start is None:
            raise InputError("The file keeps no place for its checksum.", file=path)
        content[start : start + len(BLANK)] = _checksum(content, start)


def verify(path: str | Path, required: bool = True) -> None:
    """Check that a file is what was written, once in a process while the file stays as it is.

    Args:
        path: The file.
        required: Whether a file without a checksum is refused, as those of results are; tables that a user
            or another program wrote have none.

    Raises:
        InputError: The file is missing, is damaged, or has no checksum and needs one.
    """
    try:
        state = Path(path).stat()
        age = (state.st_ino, state.st_size, state.st_mtime_ns, int(required))
        if _verified.get(Path(path).absolute()) == age:
            return
        sentence = fault(path, required)
    except FileNotFoundError as error:
        raise InputError(
            "The file does not exist.", file=path, remedy="run the study that makes it."
        ) from error
    except OSError as error:
        raise InputError(
            f"The file cannot be read: {error.strerror or error}.", file=path, remedy="make it readable."
        ) from error
    if sentence:
        raise InputError(sentence, file=path, remedy=REMEDY)
    _verified[Path(path).absolute()] = age


def fault(path: str | Path, required: bool = True) -> str | None:
    """What is wrong with the content of a file, as a sentence."""
    with Path(path).open("rb") as file:
        if not file.read(1):
            return "The file is damaged: it is empty."
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            start = _place(content)
            if start is None and required:
                return "The file has no checksum: it is damaged, or an earlier version of nestmat wrote it."
            if start is not None and content[start : start + len(BLANK)] != _checksum(content, start):
                return "The file is damaged: its content does not have the checksum that was written with it."
    return None


def _place(content: mmap.mmap) -> int | None:
    """Where the digits of the checksum begin: the last ones, for a table may quote those of another file."""
    end = len(content)
    while (key := content.rfind(KEY.encode(), 0, end)) >= 0:
        if digits := _DIGITS.match(content, key):
            return digits.start(1)
        end = key
    return None


def _checksum(content: mmap.mmap, start: int) -> bytes:
    """Sha256 of a content whose digits at ``start`` count as zeros, in hexadecimal digits."""
    with memoryview(content) as view, view[:start] as before, view[start + len(BLANK) :] as after:
        digest = hashlib.sha256(before)
        digest.update(BLANK.encode())
        digest.update(after)
    return digest.hexdigest().encode()


def read_bytes(path: str | Path) -> bytes:
    """Content of a sealed file; raises as `verify`."""
    verify(path)
    return Path(path).read_bytes()


def append(path: str | Path, suffix: str) -> None:
    """Add the checksum of a text file in a comment at its end, as those of a suffix have them."""
    comment = COMMENTS.get(suffix, "# {}").format(f"{KEY}: {BLANK}")
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{comment}\n")
    seal(path)


def write_text(path: str | Path, text: str) -> None:
    """Write text as UTF-8 with its checksum in a comment at the end, whole or not at all."""
    with replacing(path) as aside:
        aside.write_text(f"{text.rstrip()}\n", encoding="utf-8")
        append(aside, Path(path).suffix)


def write_json(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as JSON with its checksum as the last entry, whole or not at all."""
    with replacing(path) as aside:
        text = json.dumps({**content, KEY: BLANK}, indent=1, default=str)
        aside.write_text(f"{text}\n", encoding="utf-8")
        seal(aside)


def read_json(path: str | Path) -> dict[str, Any]:
    """Read what `write_json` wrote, without the checksum; raises as `verify`."""
    content = json.loads(read_bytes(path))
    del content[KEY]
    return content
