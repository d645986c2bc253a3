"""LangChain against the server: its OpenAI and Anthropic chat models and its embeddings."""

import pydantic
import pytest
import script
from langchain_anthropic import ChatAnthropic
from langchain_core import messages
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from script import call, prompt_of, says, says_some_city


@tool
def get_weather(city: str) -> str:
    """Weather of a city."""
    return script.get_weather(city)


@tool
def get_time(city: str) -> str:
    """Time in a city."""
    return script.get_time(city)


TOOLS = {t.name: t for t in (get_weather, get_time)}
QUESTION = messages.HumanMessage("Is it warm in Paris?")


class Animal(pydantic.BaseModel):
    """A small animal."""

    name: str = pydantic.Field(max_length=12)
    legs: int = pydantic.Field(ge=0, le=8)


@pytest.fixture
def llm(url, model):
    return ChatOpenAI(
        model=model, base_url=url + "/v1", api_key="none", max_retries=0, timeout=300, temperature=0, max_tokens=200
    )


def plain(calls):
    return [(c["type"], c["name"], c["args"]) for c in calls]


def converse(bound):
    """Four turns: a call, its result, two calls at once, their results. Returns the messages."""
    chat = [messages.SystemMessage("Be brief."), QUESTION]
    for calls in (
        [call("get_weather", city="Paris")],
        [call("get_weather", city="Rome"), call("get_time", city="Rome")],
    ):
        asked = bound.invoke(chat, extra_body=says(*calls))
        assert plain(asked.tool_calls) == [("tool_call", c["name"], c["arguments"]) for c in calls]
        chat.append(asked)
        chat += [TOOLS[c["name"]].invoke(c) for c in asked.tool_calls]  # ToolMessages
        answer = bound.invoke(chat)
        assert answer.text.strip() and not answer.tool_calls
        chat += [messages.AIMessage(answer.text[:30]), messages.HumanMessage("And Rome?")]
    return chat


def test_a_conversation_with_tools(llm, proxy, http):
    bound = llm.bind_tools(list(TOOLS.values()))
    chat = converse(bound)
    results = [m.content for m in chat if isinstance(m, messages.ToolMessage)]
    assert results == ["18 degrees in Paris", "18 degrees in Rome", "10:30 in Rome"]
    if proxy:  # what LangChain sent is what the model was shown
        sent = proxy.findings.requests[-1][1]
        prompt = prompt_of(http, sent["messages"], sent["tools"])
        assert all(result in prompt for result in results)


def test_a_conversation_with_tools_through_responses(url, model):
    llm = ChatOpenAI(
        model=model,
        base_url=url + "/v1",
        api_key="none",
        use_responses_api=True,
        max_retries=0,
        temperature=0,
        max_tokens=200,
    )
    converse(llm.bind_tools(list(TOOLS.values())))


def test_a_conversation_with_tools_through_anthropics_messages(url, model):
    llm = ChatAnthropic(model=model, base_url=url, api_key="none", max_retries=0, timeout=300, max_tokens=200)
    converse(llm.bind_tools(list(TOOLS.values())))


def test_a_stream_adds_up_to_the_answer(llm):
    whole = llm.invoke([QUESTION])
    chunks = list(llm.stream([QUESTION], stream_usage=True))
    assert len(chunks) > 3
    assert "".join(c.text for c in chunks) == whole.text
    total = sum(chunks[1:], chunks[0])
    assert total.usage_metadata["output_tokens"] == whole.usage_metadata["output_tokens"]


def test_a_streamed_call(llm):
    bound = llm.bind_tools(list(TOOLS.values()))
    scripted = {"extra_body": says_some_city("get_time")}
    chunks = list(bound.stream([QUESTION], **scripted))
    assert sum(len(c.tool_call_chunks) for c in chunks) > 3
    total = sum(chunks[1:], chunks[0])
    assert [c["name"] for c in total.tool_calls] == ["get_time"]
    assert plain(total.tool_calls) == plain(bound.invoke([QUESTION], **scripted).tool_calls)


def test_structured_output(llm):
    llm.frequency_penalty = 1.5  # white space is free in JSON, and so small a model would go on with it
    shaped = llm.with_structured_output(Animal, method="json_schema", include_raw=True)
    answer = shaped.invoke([QUESTION])
    assert answer["parsing_error"] is None, answer["raw"].text
    assert isinstance(answer["parsed"], Animal) and 0 <= answer["parsed"].legs <= 8
    parts = list(llm.with_structured_output(Animal, method="json_schema").stream([QUESTION]))
    assert parts[-1] == answer["parsed"]


def test_structured_output_by_a_call_that_must_come(llm):
    shaped = llm.with_structured_output(Animal, method="function_calling", include_raw=True)
    answer = shaped.invoke([QUESTION])
    assert answer["parsing_error"] is None, answer["raw"]
    (made,) = answer["raw"].tool_calls
    assert made["name"] == "Animal" and answer["parsed"] == Animal(**made["args"])


def test_embeddings(url, model, client):
    # The length check counts tokens with OpenAI's own vocabulary, which it would have to download.
    embed = OpenAIEmbeddings(model=model, base_url=url + "/v1", api_key="none", check_embedding_ctx_length=False)
    texts = ["a little fox", "the sea is deep"]
    vectors = embed.embed_documents(texts)
    expected = [d.embedding for d in client.embeddings.create(model=model, input=texts).data]
    for vector, right in zip(vectors, expected, strict=True):
        assert vector == pytest.approx(right, abs=1e-6)
    assert embed.embed_query(texts[0]) == pytest.approx(expected[0], abs=1e-6)
