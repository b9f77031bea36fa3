"""Parts of a configuration whose keys follow from their kind: pydantic models over a registry."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import (
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    TypeAdapter,
    ValidationInfo,
    create_model,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from nestmat.config.base import Part
from nestmat.plugins import Registry

UNCHECKED = {"check_options": False}
"""Validation context under which options of kinds are not checked, and so no module of a kind is imported."""


@functools.cache
def described_options(settings: type) -> dict[str, str]:
    """Descriptions of the fields of a dataclass, from `Attributes` in its docstring and its bases'.

    Args:
        settings: The dataclass.
    """
    descriptions: dict[str, str] = {}
    for base in reversed(settings.__mro__):
        text = inspect.cleandoc(base.__dict__.get("__doc__") or "")
        section = re.search(r"^Attributes:\n((?:    .*\n?|\n)+)", text, flags=re.MULTILINE)
        for entry in re.split(r"^    (?=\w)", section.group(1) if section else "", flags=re.MULTILINE)[1:]:
            name, _, description = entry.partition(":")
            descriptions[name.strip()] = " ".join(description.split())
    return descriptions


@functools.cache
def options_model(settings: type) -> type[Part]:
    """Pydantic model of the options of a kind, from the dataclass that holds them.

    Args:
        settings: A dataclass. Fields without ``init`` are no options; descriptions are those of its
            docstring; ``metadata`` of a field may hold limits of `pydantic.Field`: ``{"gt": 0}``.
    """
    descriptions, fields = described_options(settings), {}
    hints = inspect.get_annotations(settings, eval_str=False)
    adapter_types = _types(settings)
    for field in dataclasses.fields(settings):
        if not field.init:
            continue
        default: Any = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        limits = {key: value for key, value in field.metadata.items() if isinstance(key, str)}
        info = Field(
            ... if default is dataclasses.MISSING else default,
            description=descriptions.get(field.name, ""),
            **limits,
        )
        fields[field.name] = (adapter_types.get(field.name, hints.get(field.name, Any)), info)
    return create_model(f"{settings.__name__}Options", __base__=Part, **fields)  # type: ignore[call-overload]


def _types(settings: type) -> dict[str, Any]:
    from typing import get_type_hints

    return get_type_hints(settings, include_extras=True)


class Choice(Part):
    """A part with a kind of a registry; its other keys are common to all kinds, or options of the kind.

    A subclass sets `registry`. Options are kept as they are written, and checked against the dataclass that
    the registry holds, unless the validation context is `UNCHECKED`.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    registry: ClassVar[Registry[Any]]

    kind: str

    @property
    def options(self) -> dict[str, Any]:
        """Options of the kind that the study states."""
        return dict(self.__pydantic_extra__ or {})

    @classmethod
    def settings_of(cls, kind: str) -> type:
        """Dataclass of the options of a kind; the registered class itself by default."""
        return cls.registry[kind]

    @model_validator(mode="after")
    def _check_kind(self, info: ValidationInfo) -> Choice:
        if self.kind not in self.registry:
            raise ValueError(
                f"There is no {self.registry.noun} {self.kind!r}; choose one of "
                f"{', '.join(self.registry)}, or name its file under `plugins`"
            )
        if (info.context or {}).get("check_options", True):
            self.validated_options()
        return self

    def validated_options(self) -> dict[str, Any]:
        """All options of the kind, with defaults where the study states none.

        Raises:
            pydantic.ValidationError: An option is unknown or does not fit.
        """
        model = options_model(self.settings_of(self.kind)).model_validate(self.options)
        return {name: getattr(model, name) for name in type(model).model_fields}

    def build(self, **further: Any) -> Any:
        """The registered dataclass with the options.

        Args:
            further: Fields that are no options of a study.
        """
        return self.settings_of(self.kind)(**self.validated_options(), **further)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        plain = handler.resolve_ref_schema(handler(core))
        plain = {**plain, "additionalProperties": False}
        common = plain.get("properties", {})
        kinds = []
        for kind in cls.registry:
            settings = options_model(cls.settings_of(kind))
            schema = TypeAdapter(settings).json_schema()
            kinds.append(
                {
                    "title": kind,
                    "description": _summary(cls.settings_of(kind)),
                    "type": "object",
                    "properties": {
                        **common,
                        "kind": {**common.get("kind", {}), "const": kind},
                        **schema.get("properties", {}),
                    },
                    "required": [*plain.get("required", []), *schema.get("required", [])],
                    "additionalProperties": False,
                }
            )
        return {
            "title": plain.get("title", cls.__name__),
            "description": plain.get("description", ""),
            "oneOf": kinds,
        }


def _summary(settings: type) -> str:
    return inspect.cleandoc(settings.__doc__ or "").partition("\n\n")[0].replace("\n", " ")


def tagged(entries: Mapping[str, Choice]) -> dict[str, str]:
    """Kind by name of entries."""
    return {name: entry.kind for name, entry in entries.items()}
