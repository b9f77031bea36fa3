"""What the documentation takes from the code: JSON schema, configuration reference, rule graph."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nestmat.config.study import Study
from nestmat.files import write_text

SCHEMA = "workflow/schemas/study.schema.json"
REFERENCE = "docs/configuration.md"
WORKFLOW = "docs/workflow.md"
GRAPH_OF = "resources/studies/nestedae_binding.yaml"
_GRAPH = re.compile(r"(?<=```mermaid\n).*?(?=```)", re.DOTALL)

_INTRODUCTION = """\
# Configuration

A study is one YAML file. This page is written by `nestmat schema` from the models that validate it; a key
that is not listed here is an error. An editor that knows JSON schema checks a study as you write, if the
first line is:

```yaml
# yaml-language-server: $schema=../../workflow/schemas/study.schema.json
```

"""


def write_all(root: Path) -> list[Path]:
    """Write schema, reference and rule graph below the repository's root; the paths written."""
    page = (root / WORKFLOW).read_text(encoding="utf-8")
    contents = {
        SCHEMA: json_schema(),
        REFERENCE: reference(),
        WORKFLOW: _GRAPH.sub(lambda _: rule_graph(root), page, count=1),
    }
    for path, text in contents.items():
        write_text(root / path, text)
    return [root / path for path in contents]


def reference() -> str:
    """All keys of a study in Markdown, a table for each group of keys."""
    schema = Study.model_json_schema()
    definitions: Mapping[str, Any] = schema.get("$defs", {})
    groups = {"Study": schema} | {
        name: definitions[name] for name in _reached(schema, definitions) if "properties" in definitions[name]
    }
    return _INTRODUCTION + "\n".join(_group(name, group, definitions) for name, group in groups.items())


def rule_graph(root: Path) -> str:
    """The rules of a two-scale study as a Mermaid flow chart, without the arrows that others imply."""
    command = [sys.executable, "-m", "snakemake", "--forceall", "--rulegraph", "mermaid-js"]
    command += ["--configfile", GRAPH_OF]
    graph = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    names = dict(re.findall(r"(id\d+)\[([^\]]+)\]", graph))
    after: dict[str, set[str]] = {name: set() for name in names.values()}
    for before, rule in re.findall(r"(id\d+) --> (id\d+)", graph):
        after[names[before]].add(names[rule])

    def reached(rule: str, rules: set[str]) -> set[str]:
        for following in after[rule] - rules:
            rules.add(following)
            reached(following, rules)
        return rules

    # Scales go round in a circle of rules, which implies each of its own arrows: only ways out of it count.
    reach = {rule: reached(rule, set()) for rule in after}

    arrows = [
        f"    {before} --> {rule}"
        for before, following in sorted(after.items())
        for rule in sorted(following)
        if not any(rule in reach[via] and before not in reach[via] for via in following - {rule})
    ]
    return "\n".join(["flowchart TB", *arrows]) + "\n"


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if "$ref" in node:
            yield node["$ref"].rsplit("/", 1)[-1]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _reached(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> list[str]:
    """Names of the definitions in the order in which a reader meets them."""
    names: list[str] = []

    def visit(node: Any) -> None:
        for name in dict.fromkeys(_references(node)):
            if name not in names:
                names.append(name)
                visit(definitions[name])

    visit(schema["properties"])
    return names


def _group(name: str, group: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    lines = [f"## {name}", "", " ".join(group.get("description", "").split()), ""]
    lines += _table(group["properties"], group.get("required", []), definitions)
    for title, kind in _kinds(group).items():
        lines += ["", f"### {name}: {title}", "", " ".join(kind["description"].split())]
        if kind["properties"]:
            lines += ["", *_table(kind["properties"], kind.get("required", []), definitions)]
    return "\n".join(lines) + "\n"


def _kinds(group: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Kinds of a group by name, each with the options that are its own."""
    kinds = {key: dict(field) for key, field in group["properties"].items() if "properties" in field}
    for kind in group.get("oneOf", []):
        own = {key: field for key, field in kind["properties"].items() if key not in group["properties"]}
        kinds[kind["title"]] = {**kind, "properties": own}
    return kinds


def _table(keys: Mapping[str, Any], required: Sequence[str], definitions: Mapping[str, Any]) -> list[str]:
    lines = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for key, field in keys.items():
        default = "required" if key in required else _default(field.get("default"), field)
        meaning = " ".join(field.get("description", "").split())
        cells = (f"`{key}`", _type(field, definitions), default, meaning)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines


def _default(value: Any, field: Mapping[str, Any]) -> str:
    if isinstance(value, Mapping) and value:
        # A group whose own table states its defaults.
        return ""
    if value is None and "default" not in field:
        return ""
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _limits(field: Mapping[str, Any]) -> str:
    signs = {"exclusiveMinimum": "> {}", "minimum": "≥ {}", "exclusiveMaximum": "< {}", "maximum": "≤ {}"}
    parts = [sign.format(field[key]) for key, sign in signs.items() if key in field]
    return f" ({', '.join(parts)})" if parts else ""


def _type(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "properties" in field:
        return "keys below"
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[-1]
        target = definitions[name]
        return f"[{name}](#{name.lower()})" if "properties" in target else _type(target, definitions)
    if options := field.get("anyOf") or field.get("oneOf"):
        return " or ".join(dict.fromkeys(_type(option, definitions) for option in options))
    if "allOf" in field:
        return _type(field["allOf"][0], definitions)
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    kind = field.get("type")
    if kind == "array" and "prefixItems" in field:
        return f"list of {len(field['prefixItems'])}: {_type(field['prefixItems'][0], definitions)}"
    if kind == "array":
        return f"list of {_type(field.get('items', {}), definitions)}"
    if kind == "object":
        values: Any = field.get("additionalProperties") or next(
            iter(field.get("patternProperties", {}).values()), {}
        )
        return (
            f"mapping of names to {_type(values, definitions)}" if isinstance(values, Mapping) else "mapping"
        )
    names = {
        "string": "text",
        "integer": "integer",
        "number": "number",
        "boolean": "true or false",
        "null": "null",
    }
    return names.get(str(kind), "anything") + _limits(field)


def json_schema() -> str:
    """The JSON schema of a study, as `workflow/schemas/study.schema.json` holds it."""
    return json.dumps(Study.model_json_schema(), indent=2, ensure_ascii=False) + "\n"
