"""The form of a pointsman.yaml as JSON Schema 2020-12, made from the structs the loader decodes.

Editors complete and check with it. It knows shapes, not references: only the loader sees that a
route names a deployment that exists, or that an expression compiles.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import inspect

from pointsman.config.descriptions import DESCRIPTIONS
from pointsman.config.policy_descriptions import POLICY_DESCRIPTIONS
from pointsman.config.policy_schema import RawPolicy
from pointsman.config.schema import RawConfiguration

_VARIABLE = {"type": "string", "pattern": r"\$\{"}  # stands for any scalar, numbers included
_Schema = dict[str, Any]

# What the structs cannot say: keys that exclude or need each other.
_EXTRA: Mapping[str, _Schema] = {
    "RawConfiguration": {"anyOf": [{"required": ["deployments"]}, {"required": ["include"]}]},
    "RawDeployment": {"oneOf": [{"required": ["base_url"]}, {"required": ["embedded"]}]},
    "RawVersion": {"oneOf": [{"required": ["system"]}, {"required": ["file"]}]},
    "RawObjective": {
        "oneOf": [{"required": [kind]} for kind in ("acceptance", "quality", "value_usd")]
    },
    "RawVerifier": {
        "oneOf": [
            {"required": [kind]}
            for kind in ("json_schema", "regex", "number", "fields", "expression")
        ]
    },
}


def json_schema() -> dict[str, Any]:
    """The schema, with descriptions, defaults, enums and bounds; unknown keys are refused."""
    definitions: dict[str, _Schema] = {}
    root = _Maker(definitions).struct(inspect.type_info(RawConfiguration))
    root["properties"]["include"]["anyOf"] = [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}},
    ]
    del root["properties"]["include"]["type"], root["properties"]["include"]["items"]
    root.pop("required")  # an included file may have the deployments: see anyOf
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pointsman.yaml",
        **root,
        "$defs": definitions,
    }


def policy_json_schema() -> dict[str, Any]:
    """The same of a policy file."""
    return schema_of(RawPolicy, POLICY_DESCRIPTIONS, title="a policy of Pointsman")


def schema_of(
    kind: type[msgspec.Struct], descriptions: Mapping[str, Mapping[str, str]], *, title: str
) -> dict[str, Any]:
    """The same of any file whose form is a struct; descriptions by struct and key."""
    definitions: dict[str, _Schema] = {}
    root = _Maker(definitions, descriptions).struct(inspect.type_info(kind))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **root,
        "$defs": definitions,
    }


class _Maker:
    def __init__(
        self,
        definitions: dict[str, _Schema],
        descriptions: Mapping[str, Mapping[str, str]] = DESCRIPTIONS,
    ) -> None:
        self._definitions = definitions
        self._descriptions = descriptions

    def of(self, info: inspect.Type) -> _Schema:
        if isinstance(info, inspect.Metadata):
            return {**self.of(info.type), **(info.extra_json_schema or {})}
        return _MAKERS[type(info)](self, info)

    def reference(self, info: inspect.StructType) -> _Schema:
        name = info.cls.__name__.removeprefix("Raw").lower()
        if name not in self._definitions:
            self._definitions[name] = {}  # holds the place while it is made
            self._definitions[name] = self.struct(info)
        return {"$ref": f"#/$defs/{name}"}

    def struct(self, info: inspect.StructType | inspect.Type) -> _Schema:
        assert isinstance(info, inspect.StructType), "the root of the schema is a struct"
        name = info.cls.__name__
        described = self._descriptions.get(name, {})
        properties = {}
        for field in info.fields:
            made = self.of(field.type)
            if field.encode_name in described:
                made["description"] = described[field.encode_name]
            default = _default(field)
            if default is not msgspec.NODEFAULT:
                made["default"] = default
            properties[field.encode_name] = made
        required = [field.encode_name for field in info.fields if field.required]
        return {
            "description": (info.cls.__doc__ or "").strip(),
            "type": "object",
            "properties": properties,
            **({"required": required} if required else {}),
            "additionalProperties": False,
            **_EXTRA.get(name, {}),
        }

    def mapping(self, info: inspect.DictType) -> _Schema:
        made: _Schema = {"type": "object", "additionalProperties": self.of(info.value_type)}
        names = self.of(info.key_type)
        names = names["anyOf"][0] if "anyOf" in names else names  # a key is never a variable
        if "pattern" in names:
            made["propertyNames"] = names
        return {**made, **({"minProperties": info.min_length} if info.min_length else {})}

    def list(self, info: inspect.ListType) -> _Schema:
        bounds = {"minItems": info.min_length, "maxItems": info.max_length}
        made: _Schema = {"type": "array", "items": self.of(info.item_type)}
        return {**made, **{key: value for key, value in bounds.items() if value}}

    def union(self, info: inspect.UnionType) -> _Schema:
        parts: list[_Schema] = []
        for part in map(self.of, info.types):
            alone = set(part) == {"anyOf"}
            parts += [each for each in (part["anyOf"] if alone else [part]) if each not in parts]
        return {"anyOf": parts}

    def any(self, info: inspect.Type) -> _Schema:
        return {}

    def nothing(self, info: inspect.Type) -> _Schema:
        return {"type": "null"}

    def text(self, info: inspect.StrType) -> _Schema:
        if info.pattern is not None:
            return {"anyOf": [{"type": "string", "pattern": f"^(?:{info.pattern})$"}, _VARIABLE]}
        return {"type": "string", **({"minLength": info.min_length} if info.min_length else {})}

    def literal(self, info: inspect.LiteralType) -> _Schema:
        return {"anyOf": [{"enum": list(info.values)}, _VARIABLE]}

    def boolean(self, info: inspect.Type) -> _Schema:
        return {"anyOf": [{"type": "boolean"}, _VARIABLE]}

    def number(self, info: inspect.IntType | inspect.FloatType) -> _Schema:
        kind = "integer" if isinstance(info, inspect.IntType) else "number"
        bounds = {"exclusiveMinimum": info.gt, "minimum": info.ge, "maximum": info.le}
        said = {key: value for key, value in bounds.items() if value is not None}
        return {"anyOf": [{"type": kind, **said}, _VARIABLE]}

    def decimal(self, info: inspect.Type) -> _Schema:
        return {"anyOf": [{"type": "number", "minimum": 0}, _VARIABLE]}


_MAKERS: Mapping[type[inspect.Type], Callable[..., _Schema]] = {
    inspect.StructType: _Maker.reference,
    inspect.DictType: _Maker.mapping,
    inspect.ListType: _Maker.list,
    inspect.UnionType: _Maker.union,
    inspect.AnyType: _Maker.any,
    inspect.NoneType: _Maker.nothing,
    inspect.StrType: _Maker.text,
    inspect.LiteralType: _Maker.literal,
    inspect.BoolType: _Maker.boolean,
    inspect.IntType: _Maker.number,
    inspect.FloatType: _Maker.number,
    inspect.DecimalType: _Maker.decimal,
}


def _default(field: inspect.Field) -> Any:
    """What stands where nothing is said, as JSON; of a mapping its own keys say it."""
    default = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    if isinstance(default, msgspec.Struct) or default is None:
        return msgspec.NODEFAULT
    return float(default) if isinstance(default, Decimal) else default
