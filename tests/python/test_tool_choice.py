"""Calls that must come, by the official clients: the demo model knows no tools, the grammar alone makes the calls."""

import json

import anthropic
import openai
import pytest
import schemas

CHAT = [{"role": "user", "content": "Tell me the weather in Rome, please."}]
LIMIT = 200  # tokens; the schemas below keep answers far shorter
SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 8, "pattern": "^[A-Z][a-z]+$"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 9},
        "exact": {"type": "boolean"},
    },
    "required": ["city", "unit", "days"],
    "additionalProperties": False,
}
TIME = {"type": "object", "properties": {"zone": {"enum": ["UTC", "CET"]}}, "required": ["zone"]}


def function(name, parameters):
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


TOOLS = [function("get_weather", SCHEMA), function("get_time", TIME)]
NAMED = {"type": "function", "function": {"name": "get_time"}}


def check(name, arguments):
    value = json.loads(arguments) if isinstance(arguments, str) else arguments
    if name == "get_time":
        assert value in ({"zone": "UTC"}, {"zone": "CET"})
        return
    assert name == "get_weather"
    assert {"city", "unit", "days"} <= set(value) <= set(SCHEMA["properties"])
    assert value["city"].isalpha() and 2 <= len(value["city"]) <= 8
    assert value["unit"] in ("celsius", "fahrenheit") and 1 <= value["days"] <= 9
    assert isinstance(value.get("exact", True), bool)


def ask(client, model, **options):
    options = {"tools": TOOLS, "max_tokens": LIMIT, "messages": CHAT, **options}
    return client.chat.completions.create(model=model, **options)


@pytest.mark.parametrize("seed", range(6))
def test_required_calls_fit_their_schemas(client, model, seed):
    # The model may call on and on until the limit; the last call is then cut off.
    choice = ask(client, model, tool_choice="required", seed=seed, temperature=1.5).choices[0]
    calls = choice.message.tool_calls
    assert calls and not choice.message.content
    assert choice.finish_reason in ("tool_calls", "length")
    for call in calls[: len(calls) - (choice.finish_reason == "length")]:
        check(call.function.name, call.function.arguments)
    assert len({c.id for c in calls}) == len(calls)


@pytest.mark.parametrize("seed", range(4))
def test_one_call_at_most(client, model, seed):
    choice = ask(client, model, tool_choice="required", parallel_tool_calls=False, seed=seed).choices[0]
    (call,) = choice.message.tool_calls
    check(call.function.name, call.function.arguments)
    assert choice.finish_reason == "tool_calls"


def test_a_named_tool_is_called_once_and_ends_with_stop(client, model):
    choice = ask(client, model, tool_choice=NAMED).choices[0]
    (call,) = choice.message.tool_calls
    assert call.function.name == "get_time" and choice.finish_reason == "stop"
    check("get_time", call.function.arguments)


def test_allowed_tools_are_the_only_ones(client, model):
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [NAMED]}}
    for seed in range(3):
        choice = ask(client, model, tool_choice=allowed, parallel_tool_calls=False, seed=seed, temperature=2).choices[0]
        assert [c.function.name for c in choice.message.tool_calls] == ["get_time"]


def test_the_older_function_call(client, model):
    functions = [{"name": "get_weather", "parameters": SCHEMA}]
    choice = client.chat.completions.create(
        model=model, messages=CHAT, functions=functions, function_call={"name": "get_weather"}, max_tokens=LIMIT
    ).choices[0]
    check(choice.message.function_call.name, choice.message.function_call.arguments)


def test_a_stream_of_arguments_is_the_whole_call(client, model):
    # Long, because what is ready by the time that the connection's turn comes is sent as one piece.
    text = {"type": "object", "properties": {"text": {"type": "string", "minLength": 200, "maxLength": 220}}}
    tools = [function("write", {**text, "required": ["text"], "additionalProperties": False})]
    options = {"tools": tools, "tool_choice": "required", "parallel_tool_calls": False, "temperature": 0}
    options["max_tokens"] = 400
    (whole,) = ask(client, model, **options).choices[0].message.tool_calls
    name, arguments, pieces, reasons = "", "", 0, []
    for chunk in ask(client, model, stream=True, **options):
        for choice in chunk.choices:
            reasons.append(choice.finish_reason)
            for call in choice.delta.tool_calls or []:
                assert call.index == 0
                name += call.function.name or ""
                arguments += call.function.arguments or ""
                pieces += bool(call.function.arguments)
    assert (name, arguments) == (whole.function.name, whole.function.arguments)
    assert pieces > 1 and [r for r in reasons if r] == ["tool_calls"]


def test_jump_forward_changes_nothing(client, model):
    # With log-probabilities every token is computed on its own.
    options = {"tool_choice": "required", "parallel_tool_calls": False, "temperature": 0}
    jumped = ask(client, model, **options).choices[0].message.tool_calls[0].function
    stepped = ask(client, model, logprobs=True, **options).choices[0].message.tool_calls[0].function
    assert (jumped.name, jumped.arguments) == (stepped.name, stepped.arguments)


def test_several_answers(client, model):
    answer = ask(client, model, tool_choice="required", parallel_tool_calls=False, n=3, temperature=1.2)
    for choice in answer.choices:
        check(choice.message.tool_calls[0].function.name, choice.message.tool_calls[0].function.arguments)


def test_what_cannot_be_honoured_is_named(client, model):
    bad = function("f", {"type": "object", "properties": {"a": {"not": {"type": "string"}}}})
    with pytest.raises(openai.BadRequestError) as e:
        ask(client, model, tools=[TOOLS[1], bad], tool_choice="required")
    assert e.value.param == "tools" and "'f'" in str(e.value) and "'not' at #/properties/a" in str(e.value)
    assert ask(client, model, tools=[bad], tool_choice="auto", max_tokens=4).choices


@schemas.needs_schemas
def test_answers_match_the_description(http):
    body = {"messages": CHAT, "tools": TOOLS, "tool_choice": "required", "max_tokens": LIMIT}
    schemas.check(http.post("/v1/chat/completions", json=body).json(), "CreateChatCompletionResponse")


def test_responses(client, model):
    tools = [{"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": True}]
    options = {"model": model, "input": "Rome?", "tools": tools, "max_output_tokens": LIMIT, "temperature": 0}
    options["parallel_tool_calls"] = False
    for choice in ("required", {"type": "function", "name": "get_weather"}):
        response = client.responses.create(tool_choice=choice, **options)
        (call,) = [item for item in response.output if item.type == "function_call"]
        check(call.name, call.arguments)
        assert response.status == "completed"
        with client.responses.stream(tool_choice=choice, **options) as stream:
            deltas = "".join(e.delta for e in stream if e.type == "response.function_call_arguments.delta")
        assert deltas == call.arguments


def test_anthropics_any_and_tool(server, model):
    claude = anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0, timeout=300)
    tools = [{"name": "get_weather", "input_schema": SCHEMA}, {"name": "get_time", "input_schema": TIME}]
    options = {"model": model, "max_tokens": LIMIT, "messages": CHAT, "tools": tools}
    for choice in ({"type": "any", "disable_parallel_tool_use": True}, {"type": "tool", "name": "get_time"}):
        message = claude.messages.create(tool_choice=choice, **options)
        (block,) = message.content
        assert block.type == "tool_use" and message.stop_reason == "tool_use"
        check(block.name, block.input)
        with claude.messages.stream(tool_choice=choice, **options) as stream:
            (block,) = stream.get_final_message().content
        check(block.name, block.input)
