"""Checks answers and stream events against OpenAI's own API description, where that file is at hand.

The file is api/openapi.yaml under $MLC_TEST_DATA (default: shared/data beside the repository). Which schema an answer
has to fit is what the description says under `paths`. A few differences that OpenAI's servers have themselves are
allowed for: see _relax.

    check({"object": "list", "data": []}, "ListModelsResponse")
    check_answer("GET", "/v1/models", 200, {"object": "list", "data": []})
    check_event("POST", "/v1/responses", {"type": "response.created", ...})
"""

import functools
import os
import pathlib

import jsonschema_rs
import pytest
import yaml

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_DATA = pathlib.Path(os.environ.get("MLC_TEST_DATA", _ROOT.parent / "shared" / "data"))
_FILE = _DATA / "api" / "openapi.yaml"
_PREFIX = "#/components/schemas/"


class Invalid(AssertionError):
    """What was found does not fit the description."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as JSON: dates stay text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


def _relax(components):
    """What real streams and echoes contain although the description does not say so."""
    choice = components["schemas"]["CreateCompletionResponse"]["properties"]["choices"]["items"]["properties"]
    choice["finish_reason"] = {"anyOf": [choice["finish_reason"], {"type": "null"}]}  # null until the last chunk
    for option in choice["logprobs"]["anyOf"]:
        if option["type"] == "object":  # the first token of an echoed prompt has no log-probability
            fields = option["properties"]
            for name in ("token_logprobs", "top_logprobs"):
                fields[name]["items"] = {"anyOf": [fields[name]["items"], {"type": "null"}]}
    # With encoding_format "base64" a vector is text.
    vector = components["schemas"]["Embedding"]["properties"]
    vector["embedding"] = {"anyOf": [vector["embedding"], {"type": "string"}]}
    # `usage` is null in all chunks but the last.
    for name in ("CreateCompletionResponse", "CreateChatCompletionStreamResponse"):
        usage = components["schemas"][name]["properties"]["usage"]
        components["schemas"][name]["properties"]["usage"] = {"anyOf": [usage, {"type": "null"}]}


def _nullable(node):
    """OpenAPI 3.0's `nullable: true`, which the file still has in places, as JSON Schema says it."""
    if isinstance(node, list):
        return [_nullable(n) for n in node]
    if not isinstance(node, dict):
        return node
    node = {key: _nullable(value) for key, value in node.items()}
    if node.pop("nullable", None) is True:
        return {"anyOf": [node, {"type": "null"}]}
    return node


@functools.cache
def _description():
    with open(_FILE, encoding="utf-8") as f:
        description = yaml.load(f, Loader=_Loader)  # nosec B506
    _relax(description["components"])
    return {"paths": description["paths"], "components": _nullable(description["components"])}


@functools.cache
def _validator(name):
    # Only the components are needed: references inside them are written from the root of the document.
    return jsonschema_rs.Draft202012Validator({"$ref": _PREFIX + name, "components": _description()["components"]})


def available():
    return _FILE.exists()


MISSING = f"{_FILE} is not there: answers cannot be checked against OpenAI's description"
needs_schemas = pytest.mark.skipif(not available(), reason=MISSING)


def check(answer, name):
    """Fails unless `answer` fits the schema components/schemas/<name>."""
    try:
        _validator(name).validate(answer)
    except jsonschema_rs.ValidationError as e:
        where = "/".join(str(part) for part in e.instance_path)
        raise Invalid(f"not a {name}: at /{where}: {e.message[:500]}") from None


def _matches(pattern, path):
    parts, found = pattern.split("/"), path.split("/")
    return len(parts) == len(found) and all(p.startswith("{") or p == f for p, f in zip(parts, found))


@functools.cache
def _name_of(method, path, media_type):
    """The schema of a successful answer, or None if OpenAI has no such path."""
    for pattern, methods in _description()["paths"].items():
        if _matches("/v1" + pattern, path) and method.lower() in methods:
            content = methods[method.lower()]["responses"]["200"]["content"]
            # Streams of /completions have no schema of their own: their events are whole answers.
            schema = content.get(media_type, content["application/json"])["schema"]
            return schema["$ref"].removeprefix(_PREFIX)
    return None


@functools.cache
def _variants(name):
    """Of a schema that is a choice between objects with a `type` each: type -> schema."""
    schemas = _description()["components"]["schemas"]
    variants = {}
    for option in schemas[name].get("anyOf", []):
        variant = option["$ref"].removeprefix(_PREFIX)
        for kind in schemas[variant]["properties"]["type"]["enum"]:
            variants[kind] = variant
    return variants


def check_answer(method, path, status, answer):
    """Fails unless `answer` (JSON) is what the description says; False: it says nothing about this path."""
    if status >= 400:
        check(answer, "ErrorResponse")
        return True
    name = _name_of(method, path, "application/json")
    if name:
        check(answer, name)
    return name is not None


def check_event(method, path, event):
    """The same for the JSON of one server-sent event."""
    if "error" in event and "choices" not in event and "type" not in event:
        check(event, "ErrorResponse")
        return True
    name = _name_of(method, path, "text/event-stream")
    if name is None:
        return False
    variants = _variants(name)
    if variants and event.get("type") not in variants:
        raise Invalid(f"not a {name}: no event has the type {event.get('type')!r}")
    check(event, variants.get(event.get("type"), name))
    return True
