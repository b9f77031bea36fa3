"""Files of rows: where they come from, and how they are written."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from nestmat.config.base import Part
from nestmat.errors import InputError

FileFormat = Literal["csv", "parquet", "excel", "json"]
FORMATS: dict[str, FileFormat] = {
    ".parquet": "parquet",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}
"""Formats by the suffix of the file; any other file is CSV."""


def format_of(name: str) -> FileFormat:
    """Format of a file by its suffix, before that of a compressed one.

    Example:
        >>> format_of("a.csv.gz"), format_of("a.xlsx"), format_of("a.json.gz")
        ('csv', 'excel', 'json')
    """
    return FORMATS.get(PurePosixPath(name.lower().removesuffix(".gz")).suffix, "csv")


_READING = (
    *("format", "names", "comment", "encoding", "delimiter", "decimal", "thousands"),
    *("header_line", "units_line", "sheet"),
)
"""Keys that say how a file is read."""


class DataFile(Part):
    """A file of rows: an address with its checksum, or your own file."""

    url: str | None = Field(
        None, description="Address of the file at a fixed version; Parquet if it ends in `.parquet`, or CSV."
    )
    mirror: str | None = Field(
        None, description="Path of the file inside the folder named by NESTMAT_MIRROR."
    )
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="Checksum of the file.")
    file: str | None = Field(
        None,
        description=(
            "Your own file, relative to the working directory: CSV, or `.parquet`, `.xlsx`, `.json` or "
            "`.jsonl`, each also gzipped."
        ),
    )
    format: FileFormat | None = Field(
        None, description="What the file is, where its name does not tell; by default by its suffix."
    )
    names: list[str] | None = Field(
        None,
        min_length=1,
        description="Headers of a CSV file that has no header line, from its first column to its last.",
    )
    comment: str | None = Field(
        None,
        min_length=1,
        description="What lines of a CSV file that are no rows begin with, for example `#`.",
    )
    encoding: Literal["utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"] | None = Field(
        None, description="Encoding of a CSV file; UTF-8 by default."
    )
    delimiter: Literal[",", ";", "\t", "|", " "] | None = Field(
        None,
        description="What is between the cells of a CSV file, a blank for any blanks; `,` by default.",
    )
    decimal: Literal[".", ","] | None = Field(
        None, description="Decimal mark of the numbers in a CSV file; a point by default."
    )
    thousands: Literal[",", ".", " ", "'"] | None = Field(
        None, description="What stands between groups of three digits in a CSV file; nothing by default."
    )
    header_line: int | None = Field(
        None,
        gt=0,
        description=(
            "Line of the header, counted from 1, in a CSV or Excel file with lines above it; by default the "
            "first line that is not empty."
        ),
    )
    units_line: int | None = Field(
        None, gt=1, description="Line of a CSV or Excel file that states units and is no row."
    )
    sheet: str | None = Field(
        None, min_length=1, description="Sheet of an Excel file; by default the first one."
    )

    @model_validator(mode="after")
    def _readable(self) -> DataFile:
        if self.url and not self.sha256:
            raise ValueError("A url needs the sha256 of the file")
        if self.names and len(set(self.names)) < len(self.names):
            raise ValueError("The names of the columns are not all different")
        if self.names and self.table_format != "csv":
            raise ValueError("Only columns of a CSV file can be given names")
        if self.comment and self.table_format not in ("csv", "excel"):
            raise ValueError("Only a CSV file can have comments")
        if self.names and self.header_line:
            raise ValueError("A file with a header_line has no names")
        if self.thousands == (self.decimal or "."):
            raise ValueError("The decimal mark and that of thousands are the same")
        self._check_format()
        return self

    def _check_format(self) -> None:
        """Check that the keys fit the format of the file."""
        fitting = {
            "csv": {"encoding", "delimiter", "decimal", "thousands", "header_line", "units_line"},
            "excel": {"header_line", "units_line", "sheet"},
        }.get(self.table_format, set())
        for key in ("encoding", "delimiter", "decimal", "thousands", "header_line", "units_line", "sheet"):
            if getattr(self, key) is not None and key not in fitting and (self.file or self.url):
                raise ValueError(f"A file of format {self.table_format} has no {key}")

    @property
    def table_format(self) -> FileFormat:
        """Format by which the file is read."""
        return self.format or format_of(urlsplit(self.url).path if self.url else self.file or "")

    @property
    def ending(self) -> str:
        """Ending of the name under which the file is kept: that of its format."""
        endings = {"excel": "xlsx"}
        return endings.get(self.table_format, self.table_format)

    @property
    def reading_keys(self) -> dict[str, Any]:
        """The keys that say how the file is read, those that are stated."""
        return {key: getattr(self, key) for key in _READING if getattr(self, key) is not None}

    def download(self, name: str) -> str:
        """Where the file at the address is kept, relative to the working directory.

        Args:
            name: Key of the data set.
        """
        return f"downloads/{name}-{(self.sha256 or '')[:12]}.{self.ending}"


def parse_reading_key(text: str) -> tuple[str, Any]:
    r"""A key that says how a file is read, with its value, as the command line states it.

    Args:
        text: ``decimal=,``, ``header_line=3``, ``delimiter=tab``.

    Raises:
        InputError: There is no such key, or it cannot have the value.

    Example:
        >>> parse_reading_key("delimiter=tab"), parse_reading_key("header_line=3")
        (('delimiter', '\t'), ('header_line', 3))
    """
    key, _, value = text.partition("=")
    if key not in _READING:
        raise InputError(
            f"No key {key!r} says how a file is read.",
            value=text,
            remedy=f"choose one of {', '.join(_READING)}.",
        )
    stated: Any = {"tab": "\t", "\\t": "\t", "blank": " "}.get(value, value)
    stated = [name.strip() for name in value.split(",")] if key == "names" else stated
    stated = int(value) if key.endswith("_line") and value.isdecimal() else stated
    try:
        # Alone: other keys may have to be stated with it, and are guessed later.
        TypeAdapter(DataFile.model_fields[key].rebuild_annotation()).validate_python(stated)
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        raise InputError(f"The key cannot have this value: {message}.", key=key, value=value) from error
    return key, stated
