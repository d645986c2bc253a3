"""Structured output through the openai package's helpers: parse, stream, and pydantic models of answers and tools."""

import enum

import openai
import pydantic
import pytest
from script import call, says

CHAT = [{"role": "user", "content": "Tell me about a small animal."}]


class Size(str, enum.Enum):
    SMALL = "small"
    LARGE = "large"


class Home(pydantic.BaseModel):
    place: str = pydantic.Field(max_length=12)
    rooms: int = pydantic.Field(ge=1, le=9)


class Animal(pydantic.BaseModel):
    name: str = pydantic.Field(max_length=12)
    size: Size
    friendly: bool
    homes: list[Home] = pydantic.Field(max_length=2)


class GetWeather(pydantic.BaseModel):
    """Weather of a city."""

    city: str


# White space between the parts of JSON is free, and so small a model would go on with it: it is made to cost more.
OPTIONS = {"messages": CHAT, "temperature": 0, "max_tokens": 250, "frequency_penalty": 1.5}


def test_a_chat_is_parsed_into_a_model(client, model):
    answer = client.chat.completions.parse(model=model, response_format=Animal, **OPTIONS).choices[0]
    assert answer.finish_reason == "stop", answer.message.content
    assert isinstance(answer.message.parsed, Animal)
    assert 1 <= min((h.rooms for h in answer.message.parsed.homes), default=1)
    assert Animal.model_validate_json(answer.message.content) == answer.message.parsed


def test_a_streamed_chat_is_parsed_as_it_grows(client, model):
    whole = client.chat.completions.parse(model=model, response_format=Animal, **OPTIONS).choices[0].message
    kinds, snapshots = [], []
    with client.chat.completions.stream(model=model, response_format=Animal, **OPTIONS) as stream:
        for event in stream:
            kinds.append(event.type)
            if event.type == "content.delta" and event.parsed:
                snapshots.append(event.parsed)
        final = stream.get_final_completion()
    assert final.choices[0].message.parsed == whole.parsed
    assert kinds.count("content.done") == 1 and len(snapshots) > 3
    assert snapshots[0].keys() <= snapshots[-1].keys() == {"name", "size", "friendly", "homes"}


def test_an_answer_cut_short_is_an_error_of_the_client(client, model):
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(model=model, response_format=Animal, **{**OPTIONS, "max_tokens": 3})


def test_arguments_of_a_call_are_parsed_into_a_model(client, model):
    tools = [openai.pydantic_function_tool(GetWeather)]
    scripted = {"tools": tools, "extra_body": says(call("GetWeather", city="Oslo"))}
    answer = client.chat.completions.parse(model=model, **OPTIONS, **scripted).choices[0].message
    assert [c.function.parsed_arguments for c in answer.tool_calls] == [GetWeather(city="Oslo")]
    with client.chat.completions.stream(model=model, **OPTIONS, **scripted) as stream:
        done = [e for e in stream if e.type == "tool_calls.function.arguments.done"]
        final = stream.get_final_completion()
    assert [e.parsed_arguments for e in done] == [GetWeather(city="Oslo")]
    assert final.choices[0].finish_reason == "tool_calls"


def test_a_response_is_parsed_into_a_model(client, model):
    options = {"model": model, "input": CHAT, "temperature": 0, "max_output_tokens": 250, "text_format": Animal}
    options["extra_body"] = {"frequency_penalty": 1.5}
    whole = client.responses.parse(**options)
    assert whole.status == "completed" and isinstance(whole.output_parsed, Animal)
    with client.responses.stream(**options) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert final.output_parsed == whole.output_parsed
    assert kinds[-1] == "response.completed" and "response.output_text.done" in kinds


def test_a_schema_that_cannot_be_honoured_names_its_keyword(client, model):
    schema = {"type": "object", "properties": {"a": {"not": {"type": "string"}}}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=model, messages=CHAT, response_format=form)
    assert refused.value.param == "response_format.json_schema.schema" and "'not'" in refused.value.message
