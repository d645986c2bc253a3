"""MLCEngine: a model in this process, with the methods of OpenAI's client."""

from __future__ import annotations

import json
import os
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Dict, Generic, List, Literal, Optional, Type, TypeVar, Union, overload

from . import _lib, _requests
from ._native import NativeEngine, NativeRequest
from .config import EngineConfig
from .tensor import Tensor
from .types import (
    ChatCompletionResponse,
    ChatCompletionStreamResponse,
    CompletionResponse,
    EmbeddingResponse,
    EngineMetrics,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

T = TypeVar("T")
Mode = Literal["local", "interactive", "server"]


def set_log_level(level: str) -> None:
    """trace, debug, info, warn (the default), error or off. The log goes to standard error."""
    _lib.check(_lib.library().mlc_set_log_level(level.encode()))


def make_parser(cls: Any, request_id: Optional[str]) -> Callable[[str], Any]:
    """From JSON text to an object of the class, which carries the caller's id if there is one."""

    def parse(text: str) -> Any:
        made = cls.from_json(json.loads(text))
        if request_id is not None:
            made.id = request_id
        return made

    return parse


def engine_options(device: str, model_lib: Optional[str], mode: Mode, config: Optional[EngineConfig]) -> Dict[str, Any]:
    """What an engine is created with: the fields of the configuration that are set, then the arguments."""
    given = {"device": device, "model_lib": model_lib, "mode": mode}
    options = {name: value for name, value in given.items() if value is not None}
    options.update((config or EngineConfig()).options())
    return options


def trace_to_file() -> None:
    """Lets the library write a Chrome trace at the end of the process, unless $MLC_TRACE names a file already."""
    os.environ.setdefault("MLC_TRACE", f"mlc_llm_trace_{os.getpid()}.json")


class Stream(Generic[T]):
    """Chunks of an answer as they are made. Leaving it (close, `with`, Ctrl-C, or dropping it) aborts the request."""

    def __init__(self, request: NativeRequest, parse: Callable[[str], T]) -> None:
        self._request = request
        self._parse = parse

    def __iter__(self) -> "Stream[T]":
        return self

    def __next__(self) -> T:
        try:
            return self._parse(self._request.wait_json())
        except BaseException:
            self._request.free()
            raise

    def close(self) -> None:
        """Ends the answer."""
        self._request.free()

    def __enter__(self) -> "Stream[T]":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


class _Part:
    """What the namespaces of an engine (`engine.chat.completions`, …) share."""

    def __init__(self, native: NativeEngine) -> None:
        self._native = native

    def _one(self, kind: str, body: bytes, request_id: Optional[str], parse: Callable[[str], T]) -> T:
        request = self._native.start(kind, body, request_id)
        try:
            return parse(request.wait_json())
        finally:
            request.free()


class ChatCompletions(_Part):
    """`engine.chat.completions`"""

    @overload
    def create(
        self,
        *,
        messages: List[_requests.Message],
        stream: Literal[True],
        request_id: Optional[str] = None,
        extra_body: Optional[Dict[str, Any]] = None,
        **options: Unpack[_requests.ChatOptions],
    ) -> Stream[ChatCompletionStreamResponse]: ...

    @overload
    def create(
        self,
        *,
        messages: List[_requests.Message],
        stream: Literal[False] = False,
        request_id: Optional[str] = None,
        extra_body: Optional[Dict[str, Any]] = None,
        **options: Unpack[_requests.ChatOptions],
    ) -> ChatCompletionResponse: ...

    def create(
        self,
        *,
        messages: List[_requests.Message],
        stream: bool = False,
        request_id: Optional[str] = None,
        extra_body: Optional[Dict[str, Any]] = None,
        **options: Unpack[_requests.ChatOptions],
    ) -> Union[ChatCompletionResponse, Stream[ChatCompletionStreamResponse]]:
        """Answers a conversation.

        options: model, frequency_penalty, presence_penalty, logprobs, top_logprobs, logit_bias, max_tokens, n, seed,
        stop, stream_options, temperature, top_p, tools, tool_choice, user, response_format. `extra_body` holds further
        fields of the request, such as {"top_k": 40}; `request_id` names it for abort().
        """
        body = _requests.body(_requests.CHAT_NAMES, options, extra_body, messages=messages, stream=stream)
        if stream:
            request = self._native.start("chat.completions", body, request_id)
            return Stream(request, make_parser(ChatCompletionStreamResponse, request_id))
        whole: ChatCompletionResponse = self._one(
            "chat.completions", body, request_id, make_parser(ChatCompletionResponse, request_id)
        )
        return whole


class Chat:  # pylint: disable=too-few-public-methods
    """`engine.chat`"""

    def __init__(self, native: NativeEngine) -> None:
        self.completions = ChatCompletions(native)


class Completions(_Part):
    """`engine.completions`"""

    @overload
    def create(
        self,
        *,
        prompt: _requests.Prompt,
        stream: Literal[True],
        request_id: Optional[str] = None,
        extra_body: Optional[Dict[str, Any]] = None,
        **options: Unpack[_requests.CompletionOptions],
    ) -> Stream[CompletionResponse]: ...

    @overload
    def create(
        self,
        *,
        prompt: _requests.Prompt,
        stream: Literal[False] = False,
        request_id: Optional[str] = None,
        extra_body: Optional[Dict[str, Any]] = None,
        **options: Unpack[_requests.CompletionOptions],
    ) -> CompletionResponse: ...

    def create(
        self,
        *,
        prompt: _requests.Prompt,
        stream: bool = False,
        request_id: Optional[str] = None,
        extra_body: Optional[Dict[str, Any]] = None,
        **options: Unpack[_requests.CompletionOptions],
    ) -> Union[CompletionResponse, Stream[CompletionResponse]]:
        """Continues a text, token ids, or several of either.

        options: model, best_of, echo, frequency_penalty, presence_penalty, logprobs, logit_bias, max_tokens, n, seed,
        stop, stream_options, suffix, temperature, top_p, user, response_format; extra_body and request_id as for chats.
        """
        body = _requests.body(_requests.COMPLETION_NAMES, options, extra_body, prompt=prompt, stream=stream)
        parse = make_parser(CompletionResponse, request_id)
        if stream:
            return Stream(self._native.start("completions", body, request_id), parse)
        whole: CompletionResponse = self._one("completions", body, request_id, parse)
        return whole


class Embeddings(_Part):  # pylint: disable=too-few-public-methods
    """`engine.embeddings`"""

    # The name is OpenAI's. pylint: disable=redefined-builtin
    def create(self, *, input: _requests.Prompt, **options: Unpack[_requests.EmbeddingOptions]) -> EmbeddingResponse:
        """A vector for each text. options: model, dimensions, encoding_format, pooling ("last" or "mean"), user."""
        body = _requests.body(_requests.EMBEDDING_NAMES, options, input=input)
        whole: EmbeddingResponse = self._one("embeddings", body, None, make_parser(EmbeddingResponse, None))
        return whole


class MLCEngine:
    """A model in this process.

    >>> engine = MLCEngine("models/demo", mode="interactive")      # doctest: +SKIP
    >>> answer = engine.chat.completions.create(
    ...     messages=[{"role": "user", "content": "Hello"}], max_tokens=16
    ... )                                                           # doctest: +SKIP
    >>> print(answer.choices[0].message.content)                   # doctest: +SKIP
    >>> engine.terminate()                                         # doctest: +SKIP

    model: a Hugging Face directory or an MLC model directory; what is not cached is converted and compiled. device:
    "auto" or "cpu". mode: how many sequences run at once ("local" 8, "interactive" 1, "server" up to 64); the fields of
    engine_config win over what follows from it. enable_tracing: a Chrome trace is written when the process ends, to the
    file that $MLC_TRACE names, else to mlc_llm_trace_PID.json.

    Any thread may use it, several at once. `with` terminates it at the end.
    """

    def __init__(
        self,
        model: str,
        device: str = "auto",
        *,
        model_lib: Optional[str] = None,
        mode: Mode = "local",
        engine_config: Optional[EngineConfig] = None,
        enable_tracing: bool = False,
    ) -> None:
        if enable_tracing:
            trace_to_file()
        self._native = NativeEngine(os.fspath(model), engine_options(device, model_lib, mode, engine_config))
        self.chat = Chat(self._native)
        self.completions = Completions(self._native)
        self.embeddings = Embeddings(self._native)

    def logits(
        self,
        *,
        prompt: Optional[Union[str, List[int]]] = None,
        messages: Optional[List[_requests.Message]] = None,
        all_tokens: bool = False,
    ) -> Tensor:
        """The logits after the prompt, [1, vocabulary]; with all_tokens after each token, [tokens, vocabulary]."""
        return self._tensor("logits", prompt, messages, all_tokens)

    def hidden_states(
        self,
        *,
        prompt: Optional[Union[str, List[int]]] = None,
        messages: Optional[List[_requests.Message]] = None,
        all_tokens: bool = False,
    ) -> Tensor:
        """The final hidden state of the prompt's last token, [1, hidden size], or of all: [tokens, hidden size]."""
        return self._tensor("hidden_states", prompt, messages, all_tokens)

    def _tensor(self, kind: str, prompt: Any, messages: Any, all_tokens: bool) -> Tensor:
        if (prompt is None) == (messages is None):
            raise TypeError(f"{kind}() takes either prompt or messages")
        rows = "all" if all_tokens else "last"
        body = _requests.body(frozenset(), {}, None, prompt=prompt, messages=messages, rows=rows)
        request = self._native.start(kind, body, None)
        try:
            request.wait_json()
            return Tensor(request.release())
        finally:
            request.free()

    def tokenize(self, text: str, *, add_special_tokens: bool = True) -> List[int]:
        """The token ids of a text."""
        found = self._native.call("tokenize", {"prompt": text, "add_special_tokens": add_special_tokens})
        ids: List[int] = found["tokens"]
        return ids

    def detokenize(self, tokens: List[int]) -> str:
        """The text of token ids."""
        text: str = self._native.call("detokenize", {"tokens": tokens})["prompt"]
        return text

    def info(self) -> Dict[str, Any]:
        """model, path, context_window_size, vocab_size, hidden_size"""
        return self._native.info()

    def abort(self, request_id: str) -> None:
        """Aborts the request that was given this id, or whose answer has it. Its reader gets a RequestAbortedError."""
        self._native.abort(request_id)

    def metrics(self) -> EngineMetrics:
        """Counts and speeds since the start or the last reset."""
        return EngineMetrics(self._native.metrics())

    def reset(self) -> None:
        """Aborts all requests and sets the metrics to zero."""
        self._native.reset()

    def terminate(self) -> None:
        """Aborts what runs and ends all threads of the engine. Calling it again does nothing."""
        self._native.destroy()

    def __enter__(self) -> "MLCEngine":
        return self

    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.terminate()
