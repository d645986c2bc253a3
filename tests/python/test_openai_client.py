"""The official openai package against the server: list, chat, stream, complete."""

import concurrent.futures

import openai
import pytest

QUESTION = [{"role": "user", "content": "Tell me a short story about a fox."}]


def chat_text(client, model, messages, **options):
    answer = client.chat.completions.create(model=model, messages=messages, **options)
    return answer.choices[0].message.content


def stream_text(client, model, messages, **options):
    text = ""
    for chunk in client.chat.completions.create(model=model, messages=messages, stream=True, **options):
        for choice in chunk.choices:
            text += choice.delta.content or ""
    return text


def test_lists_models(client, model):
    models = client.models.list().data
    assert len(models) == 1
    assert models[0].object == "model" and models[0].created > 0
    assert client.models.retrieve(model).id == model
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")


def test_chats(client, model):
    answer = client.chat.completions.create(model=model, messages=QUESTION, max_tokens=32, temperature=0)
    choice = answer.choices[0]
    assert choice.message.role == "assistant"
    assert choice.message.content.strip()
    assert choice.finish_reason in ("stop", "length")
    assert 0 < answer.usage.completion_tokens <= 32
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_streams_the_same_text(client, model):
    whole = chat_text(client, model, QUESTION, max_tokens=48, temperature=0)
    assert stream_text(client, model, QUESTION, max_tokens=48, temperature=0) == whole


def test_streams_roles_reasons_and_usage(client, model):
    chunks = list(
        client.chat.completions.create(
            model=model, messages=QUESTION, max_tokens=8, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    assert len({c.id for c in chunks}) == 1
    reasons = [c.choices[0].finish_reason for c in chunks if c.choices]
    assert reasons[-1] in ("stop", "length") and not any(reasons[:-1])
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens <= 8


def test_a_seed_repeats_an_answer(client, model):
    options = {"max_tokens": 24, "temperature": 1.0, "seed": 1234}
    assert chat_text(client, model, QUESTION, **options) == chat_text(client, model, QUESTION, **options)


def test_several_choices_are_those_of_their_seeds(client, model):
    answer = client.chat.completions.create(model=model, messages=QUESTION, n=3, seed=5, temperature=1.0, max_tokens=16)
    texts = [c.message.content for c in answer.choices]
    assert [c.index for c in answer.choices] == [0, 1, 2]
    alone = [chat_text(client, model, QUESTION, seed=5 + i, temperature=1.0, max_tokens=16) for i in range(3)]
    assert texts == alone


def test_stop_string_ends_the_text(client, model):
    whole = chat_text(client, model, QUESTION, max_tokens=48, temperature=0)
    stop = whole[len(whole) // 2 : len(whole) // 2 + 4]
    expected = whole[: whole.index(stop)]
    answer = client.chat.completions.create(model=model, messages=QUESTION, max_tokens=48, temperature=0, stop=[stop])
    assert answer.choices[0].message.content == expected
    assert answer.choices[0].finish_reason == "stop"
    assert stream_text(client, model, QUESTION, max_tokens=48, temperature=0, stop=stop) == expected


def test_chat_log_probabilities(client, model):
    answer = client.chat.completions.create(
        model=model, messages=QUESTION, max_tokens=6, temperature=0, logprobs=True, top_logprobs=3
    )
    content = answer.choices[0].logprobs.content
    assert len(content) >= 1
    for token in content:
        assert token.logprob <= 0 and len(token.top_logprobs) == 3
        best = max(t.logprob for t in token.top_logprobs)
        assert token.logprob == pytest.approx(best, abs=1e-6)  # greedy: the likeliest was taken
    joined = b"".join(bytes(t.bytes) for t in content if t.bytes is not None)
    shown = answer.choices[0].message.content
    assert joined.decode(errors="replace").strip().startswith(shown.strip()[:4])


def test_completes_text_and_ids_alike(client, model):
    echo = client.completions.create(
        model=model,
        prompt="Once upon a time",
        max_tokens=12,
        temperature=0,
        echo=True,
        logprobs=1,
        extra_body={"return_token_ids": True},
    )
    choice = echo.choices[0].model_dump()
    assert choice["text"].startswith("Once upon a time")
    ids = choice["prompt_token_ids"]
    by_ids = client.completions.create(model=model, prompt=ids, max_tokens=12, temperature=0)
    assert choice["text"] == "Once upon a time" + by_ids.choices[0].text


def test_echo_scores_each_prompt_token(client, model):
    options = {"model": model, "temperature": 0, "echo": True, "logprobs": 2}
    scored = client.completions.create(prompt="The little fox ran", max_tokens=0, **options)
    logprobs = scored.choices[0].logprobs
    assert logprobs.token_logprobs[0] is None
    assert all(p <= 0 for p in logprobs.token_logprobs[1:])
    assert scored.usage.completion_tokens == 0
    # What a greedy continuation was given, scoring must give again: decode and prefill agree.
    longer = client.completions.create(
        prompt="The little fox ran", max_tokens=8, extra_body={"return_token_ids": True}, **options
    )
    choice = longer.choices[0].model_dump()
    ids = choice["prompt_token_ids"] + choice["token_ids"]
    again = client.completions.create(prompt=ids, max_tokens=0, **options)
    first = longer.choices[0].logprobs.token_logprobs[1:]
    second = again.choices[0].logprobs.token_logprobs[1:]
    assert len(first) == len(second) == len(ids) - 1
    assert first == pytest.approx(second, abs=2e-2)


def test_several_prompts_at_once(client, model):
    prompts = ["One day", "The sun", "A small dog"]
    answer = client.completions.create(model=model, prompt=prompts, max_tokens=10, temperature=0)
    alone = [
        client.completions.create(model=model, prompt=p, max_tokens=10, temperature=0).choices[0].text for p in prompts
    ]
    assert [c.text for c in answer.choices] == alone
    assert [c.index for c in answer.choices] == [0, 1, 2]


def test_logit_bias_forbids_a_token(client, model):
    def first_id(**options):
        answer = client.completions.create(
            model=model,
            prompt="Once upon a",
            max_tokens=1,
            temperature=0,
            extra_body={"return_token_ids": True, "ignore_eos": True},
            **options,
        )
        return answer.choices[0].model_dump()["token_ids"][0]

    likeliest = first_id()
    assert first_id(logit_bias={str(likeliest): -100}) != likeliest


def test_eight_streams_together_equal_one_alone(client, model):
    subjects = ["a fox", "a boat", "the moon", "a cake", "two friends", "a lost cat", "rain", "an old tree"]
    chats = [[{"role": "user", "content": f"Tell me a story about {s}."}] for s in subjects]
    alone = [stream_text(client, model, c, max_tokens=40, temperature=0) for c in chats]
    with concurrent.futures.ThreadPoolExecutor(len(chats)) as pool:
        together = list(pool.map(lambda c: stream_text(client, model, c, max_tokens=40, temperature=0), chats))
    assert together == alone


def test_errors_have_openais_classes(client, model):
    with pytest.raises(openai.BadRequestError) as wrong:
        client.chat.completions.create(model=model, messages=QUESTION, temperature=7)
    assert wrong.value.param == "temperature" and "7" in wrong.value.message
    with pytest.raises(openai.BadRequestError) as tools:
        client.chat.completions.create(model=model, messages=QUESTION, tools=[{"type": "function", "function": {}}])
    assert tools.value.param == "tools[0].function.name"
    with pytest.raises(openai.BadRequestError) as long:
        client.completions.create(model=model, prompt=[1] * 200_000, max_tokens=1)
    assert long.value.code == "context_length_exceeded" and "200000" in long.value.message
