"""Conversations with tools through the official clients: chat completions, responses, and Anthropic's messages."""

import json

import anthropic
import pytest
from script import FUNCTIONS, TOOLS, call, prompt_of, run_tool, says, says_some_city

QUESTION = {"role": "user", "content": "Is it warm in Paris?"}
PARIS = call("get_weather", city="Paris")
BOTH = (call("get_weather", city="Rome"), call("get_time", city="Rome"))


def chat(client, model, messages, **options):
    return client.chat.completions.create(
        model=model, messages=messages, tools=TOOLS, temperature=0, **{"max_tokens": 200, **options}
    )


def as_calls(message):
    return [(c.type, c.function.name, json.loads(c.function.arguments)) for c in message.tool_calls]


def test_a_chat_of_four_turns_with_calls_and_results(client, model, http):
    messages = [QUESTION]
    first = chat(client, model, messages, extra_body=says(PARIS)).choices[0]
    assert first.finish_reason == "tool_calls" and not first.message.content
    assert as_calls(first.message) == [("function", "get_weather", {"city": "Paris"})]

    messages.append(first.message.model_dump(exclude_none=True))
    for c in first.message.tool_calls:
        result = run_tool(c.function.name, json.loads(c.function.arguments))
        messages.append({"role": "tool", "tool_call_id": c.id, "content": result})
    prompt = prompt_of(http, messages)
    assert "18 degrees in Paris" in prompt and '"city": "Paris"' in prompt
    second = chat(client, model, messages, max_tokens=24).choices[0]
    assert second.finish_reason in ("stop", "length") and not second.message.tool_calls
    assert second.message.content.strip()

    messages += [
        {"role": "assistant", "content": second.message.content[:40]},
        {"role": "user", "content": "And Rome?"},
    ]
    third = chat(client, model, messages, extra_body=says(*BOTH)).choices[0].message
    assert as_calls(third) == [("function", c["name"], c["arguments"]) for c in BOTH]
    assert len({c.id for c in third.tool_calls}) == 2

    alone = chat(client, model, messages, parallel_tool_calls=False, extra_body=says(*BOTH)).choices[0].message
    assert as_calls(alone) == as_calls(third)[:1]


@pytest.mark.parametrize("extra", [says(*BOTH), says_some_city("get_weather")], ids=["two", "in pieces"])
def test_a_streamed_call_is_that_of_the_whole_answer(client, model, extra):
    options = {"extra_body": extra}
    whole = chat(client, model, [QUESTION], **options).choices[0]
    calls, reasons, pieces = {}, [], 0
    for chunk in chat(client, model, [QUESTION], stream=True, **options):
        for choice in chunk.choices:
            reasons.append(choice.finish_reason)
            for delta in choice.delta.tool_calls or []:
                pieces += 1
                if delta.id:
                    assert delta.type == "function"
                    calls[delta.index] = [delta.id, delta.function.name, ""]
                calls[delta.index][2] += delta.function.arguments or ""
    assert reasons[-1] == "tool_calls"
    assert len(calls) == 2 if "guided_choice" in extra else pieces > 3
    streamed = [(name, json.loads(arguments)) for _, name, arguments in calls.values()]
    assert streamed == [(name, arguments) for _, name, arguments in as_calls(whole.message)]


def test_no_tools_no_calls(client, model):
    answer = chat(client, model, [QUESTION], tool_choice="none", extra_body=says(PARIS)).choices[0]
    assert answer.finish_reason == "stop" and not answer.message.tool_calls
    assert json.loads(answer.message.content) == PARIS


# ---- Responses


def response(client, model, items, **options):
    tools = [{"type": "function", "strict": False, **f} for f in FUNCTIONS]
    return client.responses.create(
        model=model, input=items, tools=tools, temperature=0, **{"max_output_tokens": 200, **options}
    )


def function_calls(answer):
    return [(o.name, json.loads(o.arguments)) for o in answer.output if o.type == "function_call"]


def test_responses_with_calls_and_results(client, model):
    items = [QUESTION]
    first = response(client, model, items, extra_body=says(PARIS))
    assert function_calls(first) == [("get_weather", {"city": "Paris"})] and first.output_text == ""
    for o in first.output:
        items.append(o.model_dump(exclude_none=True))
        result = run_tool(o.name, json.loads(o.arguments))
        items.append({"type": "function_call_output", "call_id": o.call_id, "output": result})
    second = response(client, model, items, max_output_tokens=24)
    assert second.output_text.strip() and not function_calls(second)
    assert second.usage.input_tokens > first.usage.input_tokens

    kinds, arguments = [], ""
    for event in response(client, model, [QUESTION], stream=True, extra_body=says(PARIS)):
        kinds.append(event.type)
        if event.type == "response.function_call_arguments.delta":
            arguments += event.delta
        elif event.type == "response.function_call_arguments.done":
            assert event.arguments == arguments
    assert json.loads(arguments) == {"city": "Paris"}
    assert kinds.count("response.output_item.added") == kinds.count("response.output_item.done") == 1
    assert kinds[-1] == "response.completed"


# ---- Anthropic


@pytest.fixture
def claude(url):
    return anthropic.Anthropic(base_url=url, api_key="none", max_retries=0, timeout=300)


def test_messages_with_tool_use_and_results(claude, model):
    tools = [{"name": f["name"], "description": f["description"], "input_schema": f["parameters"]} for f in FUNCTIONS]
    options = {"model": model, "max_tokens": 200, "tools": tools}
    scripted = {**options, "extra_body": {"temperature": 0, **says(PARIS)}}
    first = claude.messages.create(messages=[QUESTION], **scripted)
    assert first.stop_reason == "tool_use"
    use = first.content[-1]
    assert (use.type, use.name, use.input) == ("tool_use", "get_weather", {"city": "Paris"})
    result = {"type": "tool_result", "tool_use_id": use.id, "content": run_tool(use.name, use.input)}
    turns = [
        QUESTION,
        {"role": "assistant", "content": [b.model_dump(exclude_none=True) for b in first.content]},
        {"role": "user", "content": [result]},
    ]
    second = claude.messages.create(messages=turns, extra_body={"temperature": 0}, **{**options, "max_tokens": 24})
    assert second.stop_reason in ("end_turn", "max_tokens") and second.content[0].text.strip()
    assert second.usage.input_tokens + second.usage.cache_read_input_tokens > first.usage.input_tokens

    with claude.messages.stream(messages=[QUESTION], **scripted) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_message()
    assert "input_json" in kinds
    assert [(b.name, b.input) for b in final.content] == [(use.name, use.input)]
