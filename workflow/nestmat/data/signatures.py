"""What a file is, by its first bytes: not every table is what its name says, nor every file a table."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
import zlib
from pathlib import Path

from nestmat.config.data_files import FileFormat
from nestmat.errors import InputError

_GZIP = b"\x1f\x8b"
_UNREADABLE: tuple[tuple[bytes, str, str], ...] = (
    (b"\xd0\xcf\x11\xe0", "an Excel file of the old format .xls", "save it as .xlsx or as `CSV UTF-8`"),
    (b"\x89HDF", "HDF5", "write the table as CSV or Parquet, as by `pandas.read_hdf(...).to_parquet(...)`"),
    (b"CDF\x01", "netCDF", "write the table as CSV or Parquet"),
    (b"BZh", "compressed by bzip2", "decompress it, or compress it by gzip"),
    (b"\xfd7zXZ", "compressed by xz", "decompress it, or compress it by gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "decompress it, or compress it by gzip"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it, and name the table"),
    (b"Rar!", "a RAR archive", "unpack it, and name the table"),
    (b"\x93NUMPY", "a NumPy array", "write it as CSV with a header line"),
    (b"ARROW1", "Arrow or Feather", "write it as Parquet, as by `pandas.read_feather(...).to_parquet(...)`"),
    (b"FEA1", "Feather", "write it as Parquet, as by `pandas.read_feather(...).to_parquet(...)`"),
    (b"Obj\x01", "Avro", "write it as CSV or Parquet"),
    (b"ORC", "ORC", "write it as CSV or Parquet"),
    (b"SQLite format 3\x00", "an SQLite database", "write the table as CSV"),
    (b"MATLAB 5.0 MAT", "a MATLAB file", "write the table as CSV, as by `writetable`"),
    (b"%PDF", "PDF", "copy its table into a CSV file"),
    (b"\x89PNG", "a picture", "give the table as CSV"),
    (b"\xff\xd8\xff", "a picture", "give the table as CSV"),
    (b"{\\rtf", "rich text", "save it as plain text, `CSV UTF-8`"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file", "fetch the file by `git lfs pull`"),
)
"""First bytes of files that are no tables for nestmat, what they are, and what to do."""
_TEXTS = (b"%PDF", b"{\\rtf", b"version https://git-lfs", b"MATLAB 5.0 MAT")
"""Those of them that begin text or may have no zeros soon."""
_MARKUP = re.compile(rb"\s*<(?:!doctype|html|\?xml|head|table)", re.IGNORECASE)
_CIF = re.compile(rb"\s*(?:#[^\n]*\n\s*)*data_\S*\s*\n\s*(?:[_#]|loop_)")
_JSON = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\{\s*[\"}]|\[\s*[\[\]{\"\d-])")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_BYTES_OF_TEXT = 4096


def decompress(data: bytes, path: str | Path) -> bytes:
    """The content of a file that may be gzipped.

    Args:
        data: The file.
        path: Its name, for messages.

    Raises:
        InputError: The file begins as gzip, and is damaged.
    """
    if not data.startswith(_GZIP):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"The gzipped file is damaged: {error}.", file=path, remedy="copy or download it once more."
        ) from error


def format_of_content(data: bytes, path: str | Path) -> FileFormat:
    """Format of a file by its first bytes: CSV where nothing tells otherwise.

    Args:
        data: Content, decompressed.
        path: Name of the file, for messages.

    Raises:
        InputError: The file is of a kind that holds no table that nestmat reads.
    """
    if data.startswith(b"PAR1"):
        return "parquet"
    if data.startswith(b"PK\x03\x04"):
        return _format_of_archive(data, path)
    is_binary = any(byte < 9 for byte in data[:_BYTES_OF_TEXT])
    for start, kind, remedy in _UNREADABLE:
        # A header may begin with the letters of a signature.
        if data.startswith(start) and (is_binary or start[0] > 127 or start in _TEXTS):
            raise _unreadable(kind, remedy, path)
    if data[:1] == b"\x80" and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise _unreadable(
            "a pickle, which runs code when it is loaded",
            "write it as CSV or Parquet where you trust it",
            path,
        )
    if data[257:262] == b"ustar":
        raise _unreadable("a tar archive", "unpack it, and name the table", path)
    head = data[:_BYTES_OF_TEXT]
    if _MARKUP.match(head):
        raise _unreadable(
            "a web page or XML", "download the table itself: a page about a file has another address", path
        )
    if _CIF.match(head):
        raise _unreadable(
            "a crystal structure (CIF)", "give a table with a row for each material and its formula", path
        )
    if _JSON.match(head):
        return "json"
    if b"\x00" in head and not _is_utf_16(head):
        raise _unreadable("binary, not text", "save the table as `CSV UTF-8`, Parquet or .xlsx", path)
    return "csv"


def check_format(data: bytes, expected: FileFormat, path: str | Path) -> None:
    """Check that the content of a file is of the format by which it is to be read.

    Raises:
        InputError: It is not, or it is no table.
    """
    if expected == "parquet":
        # The reader of Parquet states what is wrong with it.
        return
    actual = format_of_content(data, path)
    if actual != expected and {actual, expected} != {"json", "csv"}:
        raise _wrong_format(actual, expected, path)
    if actual == "json" and expected == "csv" and _is_whole_json(data):
        raise _wrong_format(actual, expected, path)


def _wrong_format(actual: str, expected: str, path: str | Path) -> InputError:
    names = {"csv": "plain text", "json": "JSON", "parquet": "Parquet", "excel": "an Excel file (.xlsx)"}
    return InputError(
        f"The file is {names[actual]}, and is to be read as {expected}.",
        file=path,
        remedy=f"state `format: {actual}` in the data set.",
    )


def _is_whole_json(data: bytes) -> bool:
    """Whether what begins as JSON ends so too: a header may begin with a bracket."""
    return data.rstrip()[-1:] in (b"}", b"]")


def _format_of_archive(data: bytes, path: str | Path) -> FileFormat:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise _unreadable("a damaged ZIP archive or Excel file", "copy or save it once more", path) from error
    if any(name.startswith("xl/workbook") for name in names):
        return "excel"
    if "content.xml" in names:
        raise _unreadable("an OpenDocument file", "save it as .xlsx or as `CSV UTF-8`", path)
    if any(name.endswith(".npy") for name in names):
        raise _unreadable("a NumPy archive", "write its table as CSV with a header line", path)
    raise _unreadable("a ZIP archive", "unpack it, and name the table in it", path)


def _is_utf_16(head: bytes) -> bool:
    """Whether the text is UTF-16, with a byte-order mark or without one: every second byte is zero."""
    if head.startswith(_UTF_16):
        return True
    zeros = [head[start::2].count(0) / max(1, len(head) // 2) for start in (0, 1)]
    return len(head) >= 8 and max(zeros) > 0.8 and min(zeros) < 0.1


def utf_16_of(data: bytes) -> str | None:
    """Name of the encoding of a text that is UTF-16; None of any other text."""
    head = data[:_BYTES_OF_TEXT]
    if not _is_utf_16(head):
        return None
    if head.startswith(_UTF_16):
        return "utf-16"
    return "utf-16-be" if head[0::2].count(0) > head[1::2].count(0) else "utf-16-le"


def _unreadable(kind: str, remedy: str, path: str | Path) -> InputError:
    return InputError(f"The file is {kind}, and no table that nestmat reads.", file=path, remedy=f"{remedy}.")
