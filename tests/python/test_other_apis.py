"""The Responses and Messages APIs and embeddings, by their official clients."""

import base64
import math
import struct

import anthropic
import httpx
import openai
import pytest

QUESTION = "Tell me a short story about a fox."
GREEDY = {"extra_body": {"temperature": 0}}  # the package has no argument for it any more
CHAT = [{"role": "user", "content": QUESTION}]


@pytest.fixture
def claude(url):
    return anthropic.Anthropic(base_url=url, api_key="none", max_retries=0, timeout=300)


def chat_text(client, model, **options):
    answer = client.chat.completions.create(model=model, messages=CHAT, temperature=0, **options)
    return answer.choices[0].message.content


# ---- OpenAI: responses


def test_a_response_is_the_chat_completion(client, model):
    r = client.responses.create(model=model, input=QUESTION, max_output_tokens=32, temperature=0)
    assert r.output_text == chat_text(client, model, max_tokens=32)
    assert r.status in ("completed", "incomplete") and r.object == "response" and r.id.startswith("resp_")
    assert 0 < r.usage.output_tokens <= 32
    assert r.usage.total_tokens == r.usage.input_tokens + r.usage.output_tokens


def test_a_response_with_instructions_and_turns(client, model):
    messages = [{"role": "system", "content": "Be brief."}, *CHAT, {"role": "assistant", "content": "Once."}, *CHAT]
    chat = client.chat.completions.create(model=model, messages=messages, max_tokens=16, temperature=0)
    r = client.responses.create(
        model=model, instructions="Be brief.", temperature=0, max_output_tokens=16, input=messages[1:]
    )
    assert r.output_text == chat.choices[0].message.content


def test_a_streamed_response(client, model):
    whole = client.responses.create(model=model, input=QUESTION, max_output_tokens=32, temperature=0)
    text, kinds, numbers = "", [], []
    with client.responses.stream(model=model, input=QUESTION, max_output_tokens=32, temperature=0) as stream:
        for event in stream:
            kinds.append(event.type)
            numbers.append(event.sequence_number)
            if event.type == "response.output_text.delta":
                text += event.delta
            last = event
    assert text == whole.output_text == last.response.output_text
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] in ("response.completed", "response.incomplete")
    assert numbers == sorted(numbers)


def test_what_responses_refuse(client, model):
    for options in ({"previous_response_id": "resp_1"}, {"background": True}, {"tools": [{"type": "web_search"}]}):
        with pytest.raises(openai.BadRequestError) as e:
            client.responses.create(model=model, input="x", **options)
        assert e.value.param and e.value.param.startswith(next(iter(options)))


# ---- OpenAI: embeddings


def length(v):
    return math.sqrt(sum(x * x for x in v))


def test_embeddings(client, model, http):
    words = ["a little fox", "a little fox", "the sea is deep and blue"]
    answer = client.embeddings.create(model=model, input=words, encoding_format="float")
    a, b, c = (d.embedding for d in answer.data)
    assert a == pytest.approx(b, abs=1e-6)
    assert length(a) == pytest.approx(1, abs=1e-4) and length(c) == pytest.approx(1, abs=1e-4)
    assert sum(x * y for x, y in zip(a, c)) < 0.999
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 3
    # The client's default is base64.
    assert client.embeddings.create(model=model, input=words[2]).data[0].embedding == pytest.approx(c, abs=1e-6)
    raw = http.post("/v1/embeddings", json={"input": words[2], "encoding_format": "base64"}).json()
    packed = base64.b64decode(raw["data"][0]["embedding"])
    assert struct.unpack(f"<{len(c)}f", packed) == pytest.approx(c, abs=1e-6)


def test_embeddings_of_ids_means_and_fewer_dimensions(client, model, http):
    text = "once upon a time there was a little fox who lived in the forest"
    ids = http.post("/tokenize", json={"prompt": text}).json()["tokens"]
    last, mean, by_ids, short = (
        http.post("/v1/embeddings", json=body).json()["data"][0]["embedding"]
        for body in (
            {"input": text},
            {"input": text, "pooling": "mean"},
            {"input": [ids]},
            {"input": text, "dimensions": 8},
        )
    )
    assert last == pytest.approx(by_ids, abs=1e-6)
    assert length(mean) == pytest.approx(1, abs=1e-4)
    assert sum(x * y for x, y in zip(last, mean)) < 0.999
    scale = length(last[:8])
    assert short == pytest.approx([x / scale for x in last[:8]], abs=1e-5)
    # The mean of one token is that token's.
    one, same = (
        http.post("/v1/embeddings", json={"input": ids[:1], "pooling": p}).json()["data"][0]["embedding"]
        for p in ("last", "mean")
    )
    assert one == pytest.approx(same, abs=1e-6)


def test_what_embeddings_refuse(http):
    for body in (
        {},
        {"input": []},
        {"input": ""},
        {"input": [[]]},
        {"input": "x", "encoding_format": "int8"},
        {"input": "x", "dimensions": 100000},
        {"input": "x", "pooling": "max"},
        {"input": [10**9]},
    ):
        answer = http.post("/v1/embeddings", json=body)
        assert answer.status_code == 400 and answer.json()["error"]["param"], body


# ---- Anthropic


def test_a_message_is_the_chat_completion(claude, client, model):
    m = claude.messages.create(model=model, max_tokens=32, messages=CHAT, **GREEDY)
    assert m.content[0].type == "text" and m.content[0].text == chat_text(client, model, max_tokens=32)
    assert m.stop_reason in ("end_turn", "max_tokens") and m.role == "assistant"
    assert 0 < m.usage.output_tokens <= 32


def test_a_streamed_message(claude, model):
    whole = claude.messages.create(model=model, max_tokens=32, messages=CHAT, **GREEDY)
    with claude.messages.stream(model=model, max_tokens=32, messages=CHAT, **GREEDY) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == whole.content[0].text == final.content[0].text
    assert (final.stop_reason, final.usage.output_tokens) == (whole.stop_reason, whole.usage.output_tokens)


def test_messages_with_system_blocks_and_turns(claude, client, model):
    turns = [*CHAT, {"role": "assistant", "content": "Once."}, *CHAT]
    m = claude.messages.create(
        model=model,
        max_tokens=16,
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        messages=[{**t, "content": [{"type": "text", "text": t["content"]}]} for t in turns],
        **GREEDY,
    )
    chat = client.chat.completions.create(
        model=model, messages=[{"role": "system", "content": "Be brief."}, *turns], max_tokens=16, temperature=0
    )
    assert m.content[0].text == chat.choices[0].message.content


def test_counting_tokens_of_a_message(claude, model):
    counted = claude.messages.count_tokens(model=model, messages=CHAT).input_tokens
    usage = claude.messages.create(model=model, max_tokens=1, messages=CHAT).usage
    assert counted == usage.input_tokens + (usage.cache_read_input_tokens or 0)


def test_errors_in_anthropics_words(claude, model, http):
    with pytest.raises(anthropic.BadRequestError) as e:
        claude.messages.create(model=model, max_tokens=1, messages=[{"role": "system", "content": "x"}])
    assert e.value.body["type"] == "error" and "messages[0].role" in e.value.body["error"]["message"]
    assert httpx.codes.is_client_error(http.post("/v1/messages", json={"messages": CHAT}).status_code)
