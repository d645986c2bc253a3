"""What the engine promises, on a real model: the same text with and without guesses, alone and in company; several
answers to one prompt; prefixes that are shared or kept apart."""

import concurrent.futures
import re
import urllib.request

import pytest
from server import Server
from support import MODEL, STORY, chat, run

SPECULATION = [
    ("--speculative-mode", "ngram"),
    ("--speculative-mode", "ngram", "--spec-draft-length", "3"),
    ("--speculative-mode", "small_draft", "--additional-models", MODEL),
]
REPETITIVE = "The cat sat on the mat. The dog sat on the mat. The cat sat on the mat. The dog sat on the"


@pytest.fixture(scope="module")
def plain(home, tmp_path_factory):
    with Server(home, MODEL, log=tmp_path_factory.mktemp("plain") / "log") as server:
        yield server


def complete(server, prompt=STORY, **params):
    status, answer = server.request("/v1/completions", {"prompt": prompt, "max_tokens": 40, **params})
    assert status == 200, answer
    return answer


def texts(answer):
    return [c["text"] for c in answer["choices"]]


def metric(server, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=60) as answer:
        found = re.findall(rf"^{name}(?:{{[^}}]*}})? ([0-9.e+]+)$", answer.read().decode(), re.MULTILINE)
    return sum(map(float, found))


@pytest.mark.parametrize("flags", SPECULATION, ids=lambda f: " ".join(map(str, f[1:2] + f[3:4])))
def test_guesses_change_no_text(home, plain, tmp_path, flags):
    asked = [{"temperature": 0}, {"temperature": 1, "seed": 7}, {"temperature": 0.7, "top_p": 0.9, "seed": 3, "n": 3}]
    asked += [{"temperature": 0, "frequency_penalty": 0.8}, {"temperature": 0.5, "seed": 1, "min_tokens": 30}]
    with Server(home, MODEL, *flags, log=tmp_path / "log") as server:
        for prompt in (STORY, REPETITIVE):
            for params in asked:
                assert texts(complete(server, prompt, **params)) == texts(complete(plain, prompt, **params)), params
        with concurrent.futures.ThreadPoolExecutor(8) as pool:  # how many are guessed depends on the company
            together = list(pool.map(lambda seed: texts(complete(server, seed=seed)), range(8)))
    assert together == [texts(complete(plain, seed=seed)) for seed in range(8)]


def test_guesses_in_the_terminal(home, story):
    done = chat(home, MODEL, "--speculative-mode", "ngram", tokens=24)
    assert done.out == story, done


def test_what_cannot_guess_is_refused(home):
    for flags, said in {
        ("--speculative-mode", "eagle"): "use small_draft or ngram",
        ("--speculative-mode", "wild"): "expected disable, ngram or small_draft",
        ("--speculative-mode", "small_draft"): "takes one, the draft model",
        ("--additional-models", MODEL): "--speculative-mode disable takes none",
        ("--speculative-mode", "ngram", "--spec-draft-length", "17"): "--spec-draft-length",
    }.items():
        done = run(home, "chat", MODEL, "--prompt", "x", *flags)
        assert done.code != 0 and said in done.err and done.err.count("\n") <= 2, done


def test_answers_to_one_prompt_are_those_of_their_seeds(plain):
    together = texts(complete(plain, n=4, seed=10, temperature=1))
    alone = [texts(complete(plain, seed=10 + i, temperature=1))[0] for i in range(4)]
    assert together == alone
    assert len(set(together)) > 1


def test_best_of_gives_the_likeliest(plain):
    def mean(choice):
        values = choice["logprobs"]["token_logprobs"]
        return sum(values) / len(values)

    everything = complete(plain, n=5, seed=4, temperature=1, logprobs=0)["choices"]
    best = complete(plain, n=2, best_of=5, seed=4, temperature=1)
    expected = sorted(everything, key=mean, reverse=True)[:2]
    assert texts(best) == [c["text"] for c in expected]
    assert best["usage"]["completion_tokens"] >= sum(len(c["logprobs"]["tokens"]) for c in everything)


def test_cached_prompt_tokens_are_told_and_kept_apart(plain):
    prompt = " ".join(["Once upon a time there was a small dog called Tim who liked to run."] * 4)

    def cached(**params):
        usage = complete(plain, prompt, max_tokens=2, **params)["usage"]
        return usage["prompt_tokens_details"]["cached_tokens"]

    assert cached(cache_salt="alice") == 0
    assert cached(cache_salt="bob") == 0
    found = cached(cache_salt="alice")
    assert found >= 16 and found % 16 == 0
    assert cached(cache_salt="alice", n=3) == found, "counted once per prompt"
    assert metric(plain, "mlc_prefix_cache_hits_total") >= 2 * found


def test_the_size_of_the_cache_is_told(home, tmp_path):
    options = ("--gpu-memory-utilization", "0.1", "--overrides", "max_num_sequence=2;context_window_size=128")
    with Server(home, MODEL, *options, log=tmp_path / "log") as server:
        complete(server)
        log = server.log
    told = re.search(
        r"KV cache: (\d+) pages of 16 tokens = (\d+) tokens, \d+ MiB at (\d+) bytes a token. 2 sequences of 128 tokens "
        r"would take \d+ MiB; allowed are (\d+) MiB, 10% of the (\d+) MiB",
        log,
    )
    assert told, log
    assert int(told[1]) * 16 == int(told[2]) == 256
    assert abs(int(told[4]) - int(told[5]) / 10) <= 1


@pytest.mark.parametrize("mode", ["hybrid", "chunked"])
def test_prefill_modes_and_limits_of_the_prefix_cache(home, plain, tmp_path, mode):
    overrides = "prefix_cache_max_num_recycling_seqs=0;spec_draft_length=0;max_total_seq_length=512"
    with Server(home, MODEL, "--prefill-mode", mode, "--overrides", overrides, log=tmp_path / "log") as server:
        for _ in range(2):
            answer = complete(server, STORY * 4, temperature=0, priority=-1)
            assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
        assert texts(answer) == texts(complete(plain, STORY * 4, temperature=0))


def test_wrong_overrides(home):
    for text, said in {
        "prefix_cache_max_num_recycling_seqs=-2": "expected an integer, at least -1",
        "gpu_memory_utilization=1.5": "expected a number from 0.01 to 1",
        "prefill_mode=both": "expected hybrid or chunked",
        "max_num_sequence=0": "expected a positive integer",
        "spec_tree_width=2": "guesses are one line of tokens",
        "spec_tree=2": 'the key "spec_tree" is unknown',
    }.items():
        done = run(home, "serve", MODEL, "--port", "0", "--overrides", text)
        assert done.code == 1 and said in done.err, done
