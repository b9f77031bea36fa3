"""The specification of a scale's model in a study: the options of its kind, checked by pydantic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from nestmat.config.kinds import complete_entry
from nestmat.models.registry import NETWORKS
from nestmat.models.specification import DEFAULT_KIND, Specification

_ADAPTERS: dict[type, TypeAdapter[Specification]] = {}


def _adapter(kind: str) -> TypeAdapter[Specification]:
    specification = complete_entry(NETWORKS, kind)
    if specification not in _ADAPTERS:
        _ADAPTERS[specification] = TypeAdapter(specification)
    return _ADAPTERS[specification]


def _validate(value: Any) -> Specification:
    """The specification of the kind that a mapping names.

    Raises:
        ValueError: There is no such kind, or an option is unknown or does not fit.
    """
    if isinstance(value, Specification):
        return value
    if not isinstance(value, Mapping):
        raise ValueError("A specification is a mapping of options.")
    kind = value.get("kind", DEFAULT_KIND)
    if kind not in NETWORKS:
        raise ValueError(
            f"There is no {NETWORKS.noun} {kind!r}; choose one of {', '.join(NETWORKS)}, or name its file "
            "under `plugins`"
        )
    options = {key: option for key, option in value.items() if key != "kind"}
    return _adapter(kind).validate_python(options)


class _ByKind:
    """Validates, writes and describes a specification by the class of its kind."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _validate,
            serialization=core_schema.plain_serializer_function_ser_schema(Specification.as_dict),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        # Through a union, so that each kind becomes a definition of its own.
        schema = handler(core_schema.union_schema([_adapter(kind).core_schema for kind in NETWORKS]))
        for kind, reference in zip(NETWORKS, schema["anyOf"], strict=True):
            options = handler.resolve_ref_schema(reference)
            if kind == DEFAULT_KIND:
                kind_schema = {"const": kind, "default": kind}
            else:
                kind_schema = {"const": kind}
                options["required"] = [*dict.fromkeys(["kind", *options["required"]])]
            kind_schema |= {"description": "Kind of the network.", "type": "string"}
            options["properties"] = {"kind": kind_schema, **options["properties"]}
        return schema


SpecificationPart = Annotated[Specification, _ByKind]
"""A specification of any kind of `NETWORKS`: the ``kind``, by default `DEFAULT_KIND`, and its options."""
