#!/usr/bin/env python3
"""Writes template_goldens.json: what Jinja2 renders for a set of conversations with every template of a folder, as
SHA-256 digests, because the words are the templates' authors'.

The environment is the one that Hugging Face's apply_chat_template uses: an immutable sandbox, trim_blocks and
lstrip_blocks, loop controls, the "generation" block, and its tojson, raise_exception and strftime_now.

    python3 tests/goldens/make_template_goldens.py ../shared/data/templates/jinja tests/goldens/template_goldens.json
"""

import datetime
import hashlib
import html
import json
import pathlib
import sys

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

# This template marks pieces as "safe" HTML and adds plain text to them with "+", which Jinja2 then escapes, even though
# nothing here is HTML. Ours leaves the text alone; that is the only difference (docs/decisions/text-crate.md).
MARKUP_TEMPLATE = "meetkai-functionary-medium-v3.1.jinja"

NOW = 1753027200  # seconds since 1970, UTC: strftime_now's clock

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": 'Current weather in a city; <b>fast</b> & "exact".',
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "The city's name"},
                    "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
                    "days": {"type": "array", "items": {"type": "integer"}, "description": "Days ahead"},
                },
                "required": ["city"],
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "get_time",
            "description": "The time now",
            "parameters": {"type": "object", "properties": {}, "required": []},
        },
    },
]


def call(arguments, name="get_weather", call_id="abcdefgh1"):
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


USER = {"role": "user", "content": "What is 2 + 2?"}
CONVERSATIONS = {
    "one_turn": {"messages": [USER]},
    "three_turns": {
        "messages": [
            USER,
            {"role": "assistant", "content": "It is 4."},
            {"role": "user", "content": "  Und auf Türkçe? İyi günler — <b>\"日本語\"</b> & 'emoji' 😀\n\n"},
        ]
    },
    "system": {
        "messages": [
            {"role": "system", "content": "You are a careful assistant.\nAnswer briefly."},
            USER,
            {"role": "assistant", "content": "<think>\nEasy.\n</think>\n\n4"},
            {"role": "user", "content": "Thanks!"},
        ]
    },
    "no_generation_prompt": {
        "messages": [USER, {"role": "assistant", "content": "4\n"}],
        "add_generation_prompt": False,
    },
    "tools": {"messages": [{"role": "system", "content": "Use tools."}, USER], "tools": TOOLS},
    "tool_turns": {
        "messages": [
            {"role": "user", "content": "How warm is it in Köln?"},
            {"role": "assistant", "content": "", "tool_calls": [call({"city": "Köln", "days": [1, 2], "x": 1.5e-7})]},
            {"role": "tool", "name": "get_weather", "tool_call_id": "abcdefgh1", "content": '{"celsius": 21}'},
            {"role": "assistant", "content": "It is 21 °C."},
            {"role": "user", "content": "And tomorrow?"},
        ],
        "tools": TOOLS,
    },
    "text_parts": {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Part one."}, {"type": "text", "text": "Part two."}]}
        ]
    },
    "parallel_calls": {
        "messages": [
            {"role": "system", "content": "Use tools."},
            {"role": "user", "content": "Weather and time?"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [call({"city": "Köln", "unit": "celsius"}), call({}, "get_time", "abcdefgh2")],
            },
            {"role": "tool", "name": "get_weather", "tool_call_id": "abcdefgh1", "content": '21 °C, "sunny"'},
            {"role": "tool", "name": "get_time", "tool_call_id": "abcdefgh2", "content": "12:00"},
        ],
        "tools": TOOLS,
    },
    "reasoning_turns": {
        "messages": [
            USER,
            {
                "role": "assistant",
                "content": "",
                "reasoning_content": "I should look.\nTwice.",
                "tool_calls": [call({"city": "Köln"})],
            },
            {"role": "tool", "name": "get_weather", "tool_call_id": "abcdefgh1", "content": "{}"},
        ],
        "tools": TOOLS,
    },
    "no_thinking": {"messages": [USER], "kwargs": {"enable_thinking": False}},
    "thinking": {"messages": [USER], "kwargs": {"enable_thinking": True, "reasoning_effort": "high"}},
    "bad_order": {
        "messages": [{"role": "assistant", "content": "I start."}, {"role": "assistant", "content": "Again."}]
    },
}
SPECIAL = {"bos_token": "<|bos|>", "eos_token": "<|eos|>", "unk_token": "<unk>", "pad_token": "<|pad|>"}


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


class Raised(Exception):
    pass


def raise_exception(message):
    raise Raised(str(message))


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    now = datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc)
    env.globals["strftime_now"] = now.strftime
    return env


def render(template, conversation):
    variables = {
        "messages": conversation["messages"],
        "tools": conversation.get("tools"),
        "documents": None,
        "add_generation_prompt": conversation.get("add_generation_prompt", True),
        **SPECIAL,
        **conversation.get("kwargs", {}),
    }
    try:
        return {"text": template.render(**variables)}
    except Raised as e:
        return {"raised": str(e)}
    except Exception as e:  # pylint: disable=broad-exception-caught
        # What the template itself does wrong with this input.
        return {"error": f"{type(e).__name__}: {e}"}


def digest(name, result):
    if "text" not in result:
        return result
    text = html.unescape(result["text"]) if name == MARKUP_TEMPLATE else result["text"]
    return {"sha256": hashlib.sha256(text.encode()).hexdigest()}


def main():
    folder, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    goldens = {}
    for path in sorted(folder.glob("*.jinja")):
        template = environment().from_string(path.read_text(encoding="utf-8"))
        goldens[path.name] = {label: digest(path.name, render(template, c)) for label, c in CONVERSATIONS.items()}
    document = {"now": NOW, "special": SPECIAL, "conversations": CONVERSATIONS, "templates": goldens}
    out.write_text(json.dumps(document, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
