"""Checks answers against the schemas of OpenAI's own API description, where that file is at hand.

The file is api/openapi.yaml under $MLC_TEST_DATA (default: shared/data beside the repository). A few differences that
OpenAI's servers have themselves are allowed for: see _relax.
"""

import functools
import os
import pathlib

import jsonschema
import pytest
import yaml

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_DATA = pathlib.Path(os.environ.get("MLC_TEST_DATA", _ROOT.parent / "shared" / "data"))
_FILE = _DATA / "api" / "openapi.yaml"


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
def _components():
    with open(_FILE, encoding="utf-8") as f:
        components = yaml.load(f, Loader=_Loader)["components"]  # nosec B506
    _relax(components)
    return _nullable(components)


def available():
    return _FILE.exists()


needs_schemas = pytest.mark.skipif(not available(), reason=f"{_FILE} is not there")


def check(answer, name):
    """Fails unless `answer` fits the schema components/schemas/<name>."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": _components()}
    jsonschema.Draft202012Validator(schema).validate(answer)
