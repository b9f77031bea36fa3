"""Parts of a configuration whose keys follow from their kind: pydantic models over a registry."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import re
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import (
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    create_model,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from nestmat.config.base import Part
from nestmat.config.near_keys import near_keys
from nestmat.errors import InputError
from nestmat.plugins import Registry

UNCHECKED = {"check_options": False}
"""Validation context under which options of kinds are not checked, and so no module of a kind is imported."""
UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")
"""Types of the validation errors of a key that there is not, in a model and in a dataclass."""
OPTIONS_FAULT = "options_of_kind"
"""Type of the validation error that holds what is wrong with the options of a kind."""


def options_are_checked(info: ValidationInfo) -> bool:
    """Whether a validator may import the modules of kinds, see `UNCHECKED`."""
    return bool((info.context or {}).get("check_options", True))


@functools.cache
def described_options(entry: Any) -> dict[str, str]:
    """Descriptions of options, from the docstring of a dataclass, with its bases, or of a function.

    Args:
        entry: The dataclass, whose docstring has a section `Attributes`, or the function, with `Args`.
    """
    descriptions: dict[str, str] = {}
    for part in reversed(entry.__mro__) if isinstance(entry, type) else (entry,):
        own = vars(part).get("__doc__") if isinstance(part, type) else part.__doc__
        text = inspect.cleandoc(own or "")
        section = re.search(r"^(?:Attributes|Args):\n((?:    .*\n?|\n)+)", text, flags=re.MULTILINE)
        for line in re.split(r"^    (?=\w)", section.group(1) if section else "", flags=re.MULTILINE)[1:]:
            name, _, description = line.partition(":")
            descriptions[name.strip()] = " ".join(description.split()).replace("``", "`")
    return descriptions


def _declared_options(entry: Any) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Name, default and limits of each option; the default is `...` where the option is required."""
    if dataclasses.is_dataclass(entry):
        for field in dataclasses.fields(entry):
            default: Any = field.default
            if field.default_factory is not dataclasses.MISSING:
                default = field.default_factory()
            if field.init:
                yield field.name, ... if default is dataclasses.MISSING else default, dict(field.metadata)
    else:
        for parameter in inspect.signature(entry).parameters.values():
            required = parameter.default is inspect.Parameter.empty
            yield parameter.name, ... if required else parameter.default, {}


class _Options(Part):
    """Options of a kind: a text is no number, and true is no integer."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _lists_as_tuples(cls, options: Any) -> Any:
        """YAML has no tuples: a list stands for one where a field is one."""
        if not isinstance(options, Mapping):
            return options
        tuples = {name for name, field in cls.model_fields.items() if "tuple" in str(field.annotation)}
        return {
            name: tuple(value) if name in tuples and isinstance(value, list) else value
            for name, value in options.items()
        }


@functools.cache
def options_model(entry: Callable[..., Any], leading_arguments: int = 0) -> type[Part]:
    """Pydantic model of the options of a kind.

    Args:
        entry: A dataclass, or a function whose parameters are the options. Fields without ``init`` are no
            options; descriptions are those of the docstring; ``metadata`` of a field may hold limits of
            `pydantic.Field`: ``{"gt": 0}``.
        leading_arguments: First parameters that are no options.
    """
    descriptions = described_options(entry)
    hints = typing.get_type_hints(entry, include_extras=True)
    fields = {
        name: (hints.get(name, Any), Field(default, description=descriptions.get(name, ""), **limits))
        for name, default, limits in [*_declared_options(entry)][leading_arguments:]
    }
    return create_model(f"{entry.__name__}Options", __base__=_Options, **fields)  # type: ignore[call-overload]


def registry_named(name: str) -> Registry[Any]:
    """A registry by module and name: ``nestmat.search.methods.registry:METHODS``.

    It is named where keys of a study are declared, and imported where kinds are checked or built, so that the
    keys do not depend on the packages that read them.
    """
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def complete_entry(registry: Registry[Any], kind: str) -> Any:
    """What a registry holds for a kind; a class of a plug-in file may lack what its options or its use need.

    Args:
        registry: The registry.
        kind: One of its kinds.

    Raises:
        InputError: The class has fields and is not a dataclass, or lacks a method that its base requires.
    """
    entry = registry[kind]
    members = vars(entry) if isinstance(entry, type) else {}
    if members.get("__annotations__") and "__dataclass_fields__" not in members:
        raise InputError(
            f"The class {entry.__name__} of the {registry.noun} {kind!r} is not a dataclass.",
            remedy="write @dataclass(frozen=True) above the class, below the line that registers it.",
        )
    if missing := ", ".join(sorted(getattr(entry, "__abstractmethods__", ()))):
        raise InputError(
            f"The class {entry.__name__} of the {registry.noun} {kind!r} does not define {missing}.",
            remedy="define it; its base class documents what it takes and returns.",
        )
    return entry


class Choice(Part):
    """A part with a kind of a registry; its other keys are common to all kinds, or options of the kind.

    A subclass names its registry. Options are kept as they are written, and checked against what the
    registry holds, unless the validation context is `UNCHECKED`.

    Attributes:
        registry: Name of the registry, as `registry_named` takes it.
        leading_arguments: First parameters of registered functions that are no options.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    registry: ClassVar[str]
    leading_arguments: ClassVar[int] = 0

    kind: str

    @property
    def options(self) -> dict[str, Any]:
        """Options of the kind that the study states."""
        return dict(self.__pydantic_extra__ or {})

    @classmethod
    def kinds(cls) -> Registry[Any]:
        """The registry of the kinds."""
        return registry_named(cls.registry)

    @classmethod
    def model_of(cls, kind: str) -> type[Part]:
        """Pydantic model of the options of a kind.

        Raises:
            InputError: An option has the name of a key that all kinds have; or as `complete_entry`.
        """
        model = options_model(complete_entry(cls.kinds(), kind), cls.leading_arguments)
        if clash := sorted(set(model.model_fields) & set(cls.model_fields)):
            raise InputError(
                f"The {cls.kinds().noun} {kind!r} has an option {clash[0]!r}, which is a key of every "
                f"{cls.kinds().noun}.",
                remedy="rename the option.",
            )
        return model

    @property
    def registered(self) -> Any:
        """What the registry holds for the kind: a class that answers for itself, or a function."""
        return self.kinds()[self.kind]

    @model_validator(mode="after")
    def _check_kind(self, info: ValidationInfo) -> Choice:
        if not options_are_checked(info):
            return self
        if self.kind not in self.kinds():
            raise _options_error([_unknown_kind(self.kind, self.kinds(), ("kind",))])
        try:
            options = self.validated_options()
        except ValidationError as error:
            model = self.model_of(self.kind)
            raise _options_error([_with_near_keys(fault, model) for fault in error.errors()]) from error
        if isinstance(self.registered, type):
            # What the class itself checks.
            self.registered(**options)
        return self

    def validated_options(self) -> dict[str, Any]:
        """All options of the kind, with defaults where the study states none.

        Raises:
            pydantic.ValidationError: An option is unknown or does not fit.
        """
        options = self.model_of(self.kind).model_validate(self.options)
        return {name: getattr(options, name) for name in type(options).model_fields}

    def build(self, *leading: Any) -> Any:
        """The registered class with the options, or what the registered function returns for them.

        Args:
            leading: First arguments that are no options, `leading_arguments` of them.

        Raises:
            InputError: An option is unknown or does not fit.
        """
        try:
            options = self.validated_options()
        except ValidationError as error:
            raise InputError(
                f"Options of the {self.kinds().noun} {self.kind!r} do not fit: "
                f"{explain_options(error.errors())}.",
                remedy=f"its options are {', '.join(self.model_of(self.kind).model_fields) or 'none'}.",
            ) from error
        return self.registered(*leading, **options)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        plain = handler.resolve_ref_schema(handler(core))
        plain = {**plain, "additionalProperties": False}
        common = plain.get("properties", {})
        kinds = []
        for kind in cls.kinds():
            schema = TypeAdapter(cls.model_of(kind)).json_schema()
            kinds.append(
                {
                    "title": kind,
                    "description": _summary(cls.kinds()[kind]),
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
            "type": "object",
            "properties": common,
            "required": plain.get("required", []),
            "oneOf": kinds,
        }


class KeyedKinds(Part):
    """A part whose keys are kinds of a registry: ``columns: [gap]``, ``monolayer: {height: 0.13}``.

    What stands after a kind is the value of its field `argument`, or else its options. It is kept as it is
    written, and checked unless the validation context is `UNCHECKED`.

    Attributes:
        registry: Name of the registry, as `registry_named` takes it.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    registry: ClassVar[str]

    @classmethod
    def kinds(cls) -> Registry[Any]:
        """The registry of the kinds."""
        return registry_named(cls.registry)

    @property
    def arguments(self) -> dict[str, Any]:
        """What the study states after each kind."""
        return dict(self.__pydantic_extra__ or {})

    @model_validator(mode="after")
    def _check_kinds(self, info: ValidationInfo) -> KeyedKinds:
        faults: list[Mapping[str, Any]] = []
        for kind in self.arguments if options_are_checked(info) else ():
            if kind not in self.kinds():
                faults.append(_unknown_kind(kind, self.kinds(), (kind,)))
                continue
            try:
                self.kinds()[kind](**self._options(kind))
            except ValidationError as error:
                model = options_model(self.kinds()[kind])
                for fault in (_with_near_keys(fault, model) for fault in error.errors()):
                    loc = tuple(part for part in fault["loc"] if part != "argument")
                    faults.append({**fault, "loc": (kind, *loc)})
            except ValueError as error:
                faults.append({"type": "value_error", "loc": (kind,), "msg": str(error)})
        if faults:
            raise _options_error(faults)
        return self

    def _options(self, kind: str) -> dict[str, Any]:
        model, stated = options_model(complete_entry(self.kinds(), kind)), self.arguments[kind]
        takes_argument = "argument" in model.model_fields
        options = model.model_validate({"argument": stated} if takes_argument else stated)
        return {name: getattr(options, name) for name in type(options).model_fields}

    def build_all(self) -> dict[str, Any]:
        """The registered class of each kind with its options, in the order of the registry.

        Raises:
            InputError: A kind is unknown, or an option does not fit.
        """
        try:
            stated = [*(kind for kind in self.kinds() if kind in self.arguments)]
            stated += [kind for kind in self.arguments if kind not in stated]
            return {kind: self.kinds()[kind](**self._options(kind)) for kind in stated}
        except ValidationError as error:
            raise InputError(
                f"What stands after a {self.kinds().noun} does not fit: {explain_options(error.errors())}."
            ) from error

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core))
        properties = {}
        for kind, entry in ((kind, cls.kinds()[kind]) for kind in cls.kinds()):
            model = options_model(entry)
            reference = handler(model.__pydantic_core_schema__)
            if "argument" in model.model_fields:
                properties[kind] = handler.resolve_ref_schema(reference)["properties"]["argument"]
                properties[kind].pop("default", None)
            else:
                properties[kind] = {**reference, "description": _summary(entry)}
        return {
            **{key: schema[key] for key in ("title", "description") if key in schema},
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
        }


def _summary(entry: Any) -> str:
    return inspect.cleandoc(entry.__doc__ or "").partition("\n\n")[0].replace("\n", " ")


def message_of(fault: Mapping[str, Any]) -> str:
    """The message of a fault as its check raised it, without pydantic's ``Value error`` before it."""
    return str(fault["msg"]).removeprefix("Value error, ")


def explain_options(faults: Sequence[Mapping[str, Any]]) -> str:
    """What is wrong with options, in one line: ``population: Input should be greater than 0``."""
    return "; ".join(
        f"{'.'.join(map(str, fault['loc']))}: {message_of(fault)}" if fault["loc"] else message_of(fault)
        for fault in faults
    )


def _with_near_keys(fault: Mapping[str, Any], model: type[Part]) -> Mapping[str, Any]:
    """A fault, and of an unknown option also those of the kind that are spelt nearly so."""
    if fault["type"] not in UNKNOWN_KEY:
        return fault
    return {**fault, "near_keys": near_keys(model, fault["loc"])}


def _options_error(faults: Sequence[Mapping[str, Any]]) -> PydanticCustomError:
    """An error with all that is wrong with the options of a part."""
    return PydanticCustomError(OPTIONS_FAULT, "{text}", {"text": explain_options(faults), "faults": faults})


def _unknown_kind(kind: str, registry: Registry[Any], loc: tuple[str, ...]) -> dict[str, Any]:
    message = (
        f"There is no {registry.noun} {kind!r}; choose one of {', '.join(registry)}, or name its file under "
        "`plugins`"
    )
    return {"type": "unknown_kind", "loc": loc, "msg": message}
