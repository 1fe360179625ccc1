"""The form that a client wants of an answer, in the words of the engine that is asked; pure.

OpenAI has `response_format`, which goes everywhere as it is; TGI alone reads the same in another
shape. For a schema, a pattern, a choice or
a grammar beside it every engine has names of its own and says nothing of those it does not know:
the answer comes in any form. So the engine's own name is added; what the client sent stays.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from pointsman.backends.dialects import Dialect, FormField

# What clients say, by field: the kind of form it is.
_SAID: Final = {
    "guided_json": "json",  # vLLM until 0.11
    "guided_regex": "regex",
    "guided_choice": "choice",
    "guided_grammar": "grammar",
    "json_schema": "json",  # llama.cpp
    "grammar": "grammar",
    "regex": "regex",  # SGLang
    "ebnf": "grammar",
}
_NESTED: Final = "structured_outputs"  # vLLM: an object with one of the kinds
_KINDS: Final = ("json", "regex", "choice", "grammar")
_NAMES: Final = frozenset((*_SAID, _NESTED))
_FIELD: Final[Mapping[str, str]] = {"gbnf": "grammar", "typed": "response_format"}
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)
_TEXTS = msgspec.json.Decoder(list[str])
_NOTHING = msgspec.Raw()
_OBJECT_SCHEMA = msgspec.Raw(b'{"type":"object"}')
# What stands for itself no more in a pattern; engines refuse to see anything else escaped.
_SPECIAL = str.maketrans({char: f"\\{char}" for char in r"\.^$*+?()[]{}|"})


class _Form(NamedTuple):
    kind: str
    value: Any  # a schema as raw JSON, a pattern, a list of texts, a grammar


def form_fields(
    dialect: Dialect, fields: Mapping[str, msgspec.Raw]
) -> Mapping[str, msgspec.Raw | None]:
    """The field to add, so that this engine reads the form which the client asks for.

    Returns: fields to set (None takes one out); empty where none is asked for, the engine's own
        name is there already, or the engine has none for it.
    """
    if dialect.forms.get("json") == "typed" and _given(fields, "response_format"):
        return _typed(fields["response_format"])
    if _NAMES.isdisjoint(fields):
        return {}
    form = _asked(fields)
    target = dialect.forms.get(form.kind) if form is not None else None
    if form is None or target is None:
        return {}
    name = _FIELD.get(target, target)
    if _given(fields, name):
        return {}
    return {name: msgspec.Raw(msgspec.json.encode(_written(target, form)))}


def _asked(fields: Mapping[str, msgspec.Raw]) -> _Form | None:
    """The first form in the request that can be read as one."""
    for name, kind in _SAID.items():
        if _given(fields, name) and (form := _form(kind, fields[name])) is not None:
            return form
    if not _given(fields, _NESTED):
        return None
    try:
        inside = _OBJECT.decode(fields[_NESTED])
    except msgspec.MsgspecError:  # an engine will say what is wrong with it
        return None
    for kind in _KINDS:
        if _given(inside, kind) and (form := _form(kind, inside[kind])) is not None:
            return form
    return None


def _form(kind: str, raw: msgspec.Raw) -> _Form | None:
    if kind == "json":
        schema = _schema(raw)
        return None if schema is None else _Form(kind, schema)
    try:
        if kind == "choice":
            texts = _TEXTS.decode(raw)
            return _Form(kind, texts) if texts else None
        return _Form(kind, _TEXT.decode(raw))
    except msgspec.MsgspecError:
        return None


def _schema(raw: msgspec.Raw) -> msgspec.Raw | None:
    """The schema digit by digit; some clients write it as text."""
    data = bytes(raw)
    if data.startswith(b'"'):
        data = _TEXT.decode(raw).strip().encode()
    try:
        _OBJECT.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return msgspec.Raw(data)


def _written(target: FormField, form: _Form) -> Any:
    """The form as the field takes it."""
    if target == "structured_outputs":
        return {form.kind: form.value}
    if target == "response_format":
        return {"type": "json_schema", "json_schema": {"name": "answer", "schema": form.value}}
    if target == "typed":
        json = form.kind == "json"
        return {"type": "json", "value": form.value} if json else _regex(form)
    if target == "regex":
        return _pattern(form)
    if target == "gbnf":
        texts = (msgspec.json.encode(text).decode() for text in form.value)
        return "root ::= " + " | ".join(texts)
    return form.value


def _regex(form: _Form) -> Any:
    return {"type": "regex", "value": _pattern(form)}


def _typed(raw: msgspec.Raw) -> Mapping[str, msgspec.Raw | None]:
    """OpenAI's response_format as TGI reads it: the schema as `value`, and no word for any text."""
    try:
        said = _FORMAT.decode(raw)
    except msgspec.MsgspecError:
        return {}
    if bytes(said.value):  # TGI's own already
        return {}
    if said.type == "text":
        return {"response_format": None}
    schema = said.json_schema.schema if said.json_schema else _OBJECT_SCHEMA
    if said.type not in ("json_schema", "json_object") or not bytes(schema):
        return {}
    form = {"type": "json", "value": schema}
    return {"response_format": msgspec.Raw(msgspec.json.encode(form))}


class _JsonSchema(msgspec.Struct):
    schema: msgspec.Raw = _NOTHING


class _Format(msgspec.Struct):
    type: str
    json_schema: _JsonSchema | None = None
    value: msgspec.Raw = _NOTHING


_FORMAT = msgspec.json.Decoder(_Format)


def _pattern(form: _Form) -> str:
    """A regular expression for a pattern, or for one of the choices."""
    if form.kind == "choice":
        return "(" + "|".join(text.translate(_SPECIAL) for text in form.value) + ")"
    assert isinstance(form.value, str), "a pattern is a text"
    return form.value


def _given(fields: Mapping[str, msgspec.Raw], name: str) -> bool:
    return name in fields and bytes(fields[name]) != b"null"
