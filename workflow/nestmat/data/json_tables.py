"""Tables in JSON: lists of records, JSON lines, answers of databases, and what pandas writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from nestmat.errors import InputError

Records = list[dict[str, Any]]


def json_table(text: str, path: str | Path) -> tuple[list[str], list[list[str]], list[int]]:
    """Headers, cells by column, and lines or numbers of rows of a table in JSON.

    Read are a list of records; records line by line; records under ``data``, ``results``, ``records`` or
    ``rows``, as the Materials Project and OPTIMADE answer, the attributes of the latter; columns by name, as
    lists or by index; and the orientation ``split`` of pandas. Numbers keep their digits, a null is an
    empty cell. A record within a record becomes columns with a dot, ``symmetry.symbol``, where it has plain
    values alone, else it stays JSON.

    Args:
        text: The text.
        path: Name of the file, for messages.

    Raises:
        InputError: The text is not JSON, or holds no table.
    """
    try:
        content, lines = _loads(text), None
    except json.JSONDecodeError as error:
        content, lines = _load_lines(text, error, path)
    except RecursionError as error:
        raise InputError(
            "The JSON is nested too deeply.", file=path, remedy="give a list of records, one a material."
        ) from error
    records = _records(content)
    if records is None:
        raise InputError(
            f"The JSON holds no table but {_shape(content)}.",
            file=path,
            remedy='give a list of records, one a material, [{"formula": ..., "gap": ...}, ...], or CSV.',
        )
    flat = [_flatten(record) for record in records]
    # A dictionary keeps the order in which headers occur.
    headers = list(dict.fromkeys(key for record in flat for key in record))
    columns = [[record.get(header, "") for record in flat] for header in headers]
    return headers, columns, lines or list(range(1, len(flat) + 1))


def _loads(text: str) -> Any:
    # Digits stay as they are written; whole numbers of any length are no number of this machine.
    return json.loads(text, parse_float=_Digits, parse_int=_Digits, parse_constant=_Digits)


class _Digits(str):
    """A number as JSON writes it."""


def _load_lines(text: str, whole: json.JSONDecodeError, path: str | Path) -> tuple[Any, list[int]]:
    """Records of JSON lines, and the line of each.

    Raises:
        InputError: A line is not JSON; of a text that is one value and faulty, the place of its fault.
    """
    records, lines = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            records.append(_loads(line))
        except (json.JSONDecodeError, RecursionError) as error:
            place = whole.lineno if not records else number
            message = whole.msg if not records else getattr(error, "msg", "nested too deeply")
            raise InputError(
                f"The file is not valid JSON: {message}.",
                file=path,
                row=place,
                remedy="look for a comma or bracket that is missing or left over, or an end that is cut off.",
            ) from error
        lines.append(number)
    return records, lines


def _records(content: Any) -> Records | None:
    """Records of a JSON value that is a table; None of any other."""
    for read in _SHAPES:
        if (records := read(content)) is not None:
            return records
    return None


def _of_list(content: Any) -> Records | None:
    if not isinstance(content, list) or not content or not all(isinstance(row, dict) for row in content):
        return None
    if all(isinstance(row.get("attributes"), dict) for row in content):
        return [
            {key: row[key] for key in ("id", "type") if key in row} | row["attributes"] for row in content
        ]
    return content


def _of_list_of_lists(content: Any) -> Records | None:
    """Rows whose first holds the headers."""
    if not isinstance(content, list) or len(content) < 2 or not all(isinstance(r, list) for r in content):
        return None
    header, *rows = content
    if not all(type(name) is str for name in header) or len(set(header)) < len(header):
        return None
    if any(len(row) != len(header) for row in rows):
        return None
    return [dict(zip(header, row, strict=True)) for row in rows]


def _of_split(content: Any) -> Records | None:
    if not isinstance(content, dict) or not isinstance(content.get("columns"), list):
        return None
    rows = content.get("data")
    return _of_list_of_lists([content["columns"], *rows]) if isinstance(rows, list) else None


def _of_answer(content: Any) -> Records | None:
    if not isinstance(content, dict):
        return None
    for key in ("data", "results", "records", "rows", "response", "docs", "materials", "entries"):
        inner = content.get(key)
        readers = (_of_list, _of_list_of_lists) if isinstance(inner, list) else (_of_split, _of_columns)
        for read in readers:
            if (records := read(inner)) is not None:
                return records
    return None


def _of_columns(content: Any) -> Records | None:
    """Columns as lists of one length, or by index, as pandas writes them."""
    if not isinstance(content, dict) or not content:
        return None
    columns = list(content.values())
    if any(isinstance(cell, dict) for column in columns if isinstance(column, list) for cell in column):
        return None
    if all(isinstance(column, list) for column in columns) and len({len(c) for c in columns}) == 1:
        return [dict(zip(content, row, strict=True)) for row in zip(*columns, strict=True)] or None
    if not all(isinstance(column, dict) and column for column in columns):
        return None
    by_index = [list(column) for column in columns]
    if len(columns) > 1 and any(index != by_index[0] for index in by_index):
        return None
    if all(index.isdigit() for index in by_index[0]):
        return [{name: column[index] for name, column in content.items()} for index in by_index[0]]
    return _of_index(content)


def _of_index(content: Mapping[str, Any]) -> Records | None:
    """Records by name, whose name is kept as the column ``index``."""
    return [{"index": index, **record} for index, record in content.items()]


def _of_records_by_name(content: Any) -> Records | None:
    if not isinstance(content, dict) or len(content) < 2:
        return None
    if not all(isinstance(record, dict) and record for record in content.values()):
        return None
    return _of_index(content) if len(set.intersection(*map(set, content.values()))) > 0 else None


def _of_record(content: Any) -> Records | None:
    """A single record, whose values are plain for the most part."""
    if not isinstance(content, dict) or not content or isinstance(content.get("errors"), list):
        return None
    plain = [value for value in content.values() if not isinstance(value, dict | list)]
    return [content] if 2 * len(plain) >= len(content) and "data" not in content else None


_SHAPES: tuple[Callable[[Any], Records | None], ...] = (
    _of_list,
    _of_list_of_lists,
    _of_split,
    _of_answer,
    _of_columns,
    _of_records_by_name,
    _of_record,
)
"""What tables in JSON look like, the more definite ones first."""


def _flatten(record: Mapping[str, Any]) -> dict[str, str]:
    """Cells of a record by header."""
    cells: dict[str, str] = {}
    for key, value in record.items():
        if isinstance(value, dict) and value and not any(isinstance(v, dict | list) for v in value.values()):
            cells |= {f"{key}.{inner}": _cell(v) for inner, v in value.items()}
        else:
            cells[key] = _cell(value)
    return cells


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str | bool):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def _shape(content: Any) -> str:
    if isinstance(content, dict):
        return f"an object with the keys {_first(map(repr, content))}" if content else "an empty object"
    if isinstance(content, list):
        return f"a list of {len(content)} values" if content else "an empty list"
    return "a single value"


def _first(names: Iterable[str], count: int = 5) -> str:
    names = list(names)
    return ", ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")
