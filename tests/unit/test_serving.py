"""The logic behind the API: bodies that go in, typed answers that come out, without a server between."""

import json

import pytest
from mlc_llm import _requests, errors
from mlc_llm.types import ChatCompletionResponse, ChatCompletionStreamResponse, CompletionResponse

STORY = [{"role": "user", "content": "Tell me a story about a fox"}]


def recorded(fixtures, name):
    return [json.loads(line) for line in (fixtures / "datasets" / name).read_text().splitlines()]


class TestBodies:
    def test_only_what_is_given_is_sent(self):
        body = json.loads(_requests.body(_requests.CHAT_NAMES, {"seed": 3, "stop": None}, {"top_k": 1}, messages=STORY))
        assert body == {"messages": STORY, "seed": 3, "top_k": 1}

    def test_an_answer_can_be_sent_back(self, engine):
        first = engine.chat.completions.create(messages=STORY, max_tokens=8)
        again = [*STORY, first.choices[0].message, {"role": "user", "content": "Go on"}]
        assert engine.chat.completions.create(messages=again, max_tokens=4).usage.prompt_tokens > 8

    def test_what_is_no_json(self):
        with pytest.raises(TypeError, match="object"):
            _requests.body(_requests.CHAT_NAMES, {}, None, messages=[object()])


class TestTypedAnswers:
    def test_attributes_and_dump(self, engine):
        answer = engine.chat.completions.create(
            messages=STORY, max_tokens=4, temperature=0, logprobs=True, top_logprobs=2
        )
        assert isinstance(answer, ChatCompletionResponse)
        choice = answer.choices[0]
        assert choice.message.role == "assistant" and isinstance(choice.message.content, str)
        assert len(choice.logprobs.content) == 4
        assert choice.logprobs.content[0].top_logprobs[0].token == choice.logprobs.content[0].token
        dumped = answer.model_dump()
        assert dumped["choices"][0]["message"]["content"] == choice.message.content
        assert json.loads(answer.model_dump_json()) == dumped
        assert ChatCompletionResponse.from_json(dumped) == answer
        assert "system_fingerprint" in answer.model_dump(exclude_none=True)

    def test_fields_of_newer_versions_are_kept(self):
        made = CompletionResponse.from_json({"id": "x", "choices": [{"text": "a", "index": 0, "mood": 1}], "new": [2]})
        assert made.model_extra == {"new": [2]} and made.choices[0].model_extra == {"mood": 1}
        assert made.model_dump()["new"] == [2]

    def test_stream_chunks(self, engine):
        chunks = list(
            engine.chat.completions.create(
                messages=STORY, max_tokens=6, stream=True, stream_options={"include_usage": True}
            )
        )
        assert all(isinstance(c, ChatCompletionStreamResponse) for c in chunks)
        assert chunks[0].choices[0].delta.role == "assistant"
        assert all(isinstance(c.choices[0].delta.content, str) for c in chunks if c.choices)
        assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens <= 6
        reasons = [c.choices[0].finish_reason for c in chunks if c.choices]
        assert reasons[-1] in ("stop", "length") and set(reasons[:-1]) == {None}

    def test_completion_logprobs_and_echo(self, engine):
        answer = engine.completions.create(prompt="Once upon", max_tokens=3, echo=True, logprobs=2, temperature=0)
        choice = answer.choices[0]
        assert choice.text.startswith("Once upon")
        assert len(choice.logprobs.tokens) == len(choice.logprobs.token_logprobs)
        assert choice.logprobs.token_logprobs[0] is None


class TestForms:
    def test_stop_strings(self, engine):
        text = engine.completions.create(prompt="Once upon a time", max_tokens=40, temperature=0).choices[0].text
        stop = text.split()[3]
        cut = engine.completions.create(prompt="Once upon a time", max_tokens=40, temperature=0, stop=[stop]).choices[0]
        assert cut.finish_reason == "stop"
        assert cut.text == text[: text.index(stop)]

    def test_json_schema(self, engine):
        schema = {
            "type": "object", "properties": {"name": {"enum": ["fox", "owl"]}, "age": {"type": "boolean"}},
            "required": ["name", "age"], "additionalProperties": False,
        }  # fmt: skip
        form = {"type": "json_schema", "json_schema": {"name": "animal", "schema": schema}}
        # A model this small would write spaces for ever, which JSON allows.
        size = engine.info()["vocab_size"]
        blank: dict[int, float] = {i: -100 for i in range(size) if not engine.detokenize([i]).strip()}
        answer = engine.chat.completions.create(
            messages=STORY, response_format=form, max_tokens=60, temperature=0, logit_bias=blank
        )
        made = json.loads(answer.choices[0].message.content)
        assert made["name"] in ("fox", "owl") and made["age"] in (True, False)

    def test_logit_bias(self, engine):
        token = engine.tokenize(" fox", add_special_tokens=False)[-1]
        answer = engine.completions.create(
            prompt="Once", max_tokens=3, logit_bias={token: 100}, extra_body={"return_token_ids": True}
        )
        assert answer.choices[0].model_extra["token_ids"] == [token] * 3


def test_recorded_prompts(engine, fixtures):
    """tests/fixtures/datasets/prompts.jsonl: every conversation is answered, and the same way twice."""
    for row in recorded(fixtures, "prompts.jsonl"):
        ask = {"messages": row["messages"], "max_tokens": 8, "temperature": 0}
        first, second = (engine.chat.completions.create(**ask) for _ in range(2))
        assert first.choices[0].message.content == second.choices[0].message.content, row
        assert first.usage.prompt_tokens > row["least_prompt_tokens"]


def test_recorded_faults(engine, fixtures):
    """tests/fixtures/datasets/bad_requests.jsonl: the message names the field."""
    rows = recorded(fixtures, "bad_requests.jsonl")
    assert len(rows) > 10
    for row in rows:
        with pytest.raises(errors.MLCError) as refused:
            engine.chat.completions.create(messages=row.get("messages", STORY), extra_body=row["body"])
        assert row["says"] in str(refused.value), (row, str(refused.value))
