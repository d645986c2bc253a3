"""AsyncMLCEngine: MLCEngine for asyncio.

One thread of the engine object waits for whatever request has something new and hands it to the event loop that asked;
another one starts requests, because a long prompt takes a while to encode. Both end with terminate().
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import ctypes
import itertools
import os
import threading
import weakref
from collections import deque
from types import TracebackType
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Deque,
    Dict,
    Generic,
    List,
    Literal,
    Optional,
    Tuple,
    Type,
    TypeVar,
    Union,
    overload,
)

from . import _lib, _requests, errors
from ._native import NativeEngine, NativeRequest
from .config import EngineConfig
from .engine import Mode, engine_options, make_parser, trace_to_file
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
Event = Union[str, BaseException]  # a text, or how it ended: StopAsyncIteration or an error


class _Waiting:
    """One request as its event loop sees it. Everything but `request` belongs to the loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.request: Optional[NativeRequest] = None
        self._events: Deque[Event] = deque()
        self._wanted: Optional["asyncio.Future[None]"] = None

    def deliver(self, events: List[Event]) -> None:
        """On the loop."""
        self._events.extend(events)
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_result(None)

    async def next(self) -> str:
        """The next text; raises how it ended."""
        while not self._events:
            self._wanted = self.loop.create_future()
            await self._wanted
        event = self._events.popleft()
        if isinstance(event, str):
            return event
        self._events.append(event)  # whoever asks again gets the same
        raise event

    def take_new(self) -> List[Event]:
        """On the pump's thread: what the library has for this request."""
        events: List[Event] = []
        try:
            while self.request is not None:
                text = self.request.next_json(0)
                if text is None:
                    break
                events.append(text)
        except StopIteration:
            events.append(StopAsyncIteration())
        except errors.MLCError as e:
            events.append(e)
        return events


class _Pump:
    """Moves what requests have to say from the library to event loops."""

    def __init__(self, native: NativeEngine) -> None:
        self._native = native
        self._lib = _lib.library()
        self._queue = self._lib.mlc_queue_create()
        self._push = ctypes.cast(self._lib.mlc_queue_push, ctypes.c_void_p).value
        self._tags = itertools.count(1)
        self._lock = threading.Lock()
        self._waiting: Dict[int, _Waiting] = {}
        self._stopped = False
        self._starter = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="mlc-start")
        self._thread = threading.Thread(target=self._main, name="mlc-async", daemon=True)
        self._thread.start()

    def _main(self) -> None:
        tag = ctypes.c_uint64()
        while True:
            status = self._lib.mlc_queue_pop(self._queue, -1, ctypes.byref(tag))
            if status != _lib.OK:
                return
            by_loop: Dict[asyncio.AbstractEventLoop, List[Tuple[_Waiting, List[Event]]]] = {}
            while status == _lib.OK:  # all that is ready: one call per loop
                with self._lock:
                    waiting = self._waiting.get(tag.value)
                if waiting is not None:
                    events = waiting.take_new()
                    if events:
                        by_loop.setdefault(waiting.loop, []).append((waiting, events))
                status = self._lib.mlc_queue_pop(self._queue, 0, ctypes.byref(tag))
            for loop, batch in by_loop.items():
                _call_soon(loop, batch)

    def _start(self, tag: int, waiting: _Waiting, kind: str, body: bytes, request_id: Optional[str]) -> None:
        ready = _lib.OnReady(self._push, self._queue, tag)
        request = self._native.start(kind, body, request_id, ready)
        with self._lock:
            kept = self._waiting.get(tag) is waiting
            waiting.request = request
        if not kept:
            request.free()  # cancelled meanwhile
            return
        self._lib.mlc_queue_push(self._queue, tag)  # what became ready before there was a request to ask

    async def start(self, kind: str, body: bytes, request_id: Optional[str]) -> Tuple[int, _Waiting]:
        """A running request and its tag, which goes to finish()."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(loop)
        tag = next(self._tags)
        with self._lock:
            if self._stopped:
                raise errors.EngineTerminatedError("the engine was terminated")
            self._waiting[tag] = waiting
        try:
            await loop.run_in_executor(self._starter, self._start, tag, waiting, kind, body, request_id)
        except BaseException:
            self.finish(tag)
            raise
        return tag, waiting

    def finish(self, tag: int) -> None:
        """Aborts it if it still runs, and forgets it. Any thread."""
        with self._lock:
            waiting = self._waiting.pop(tag, None)
            request = None if waiting is None else waiting.request
        if request is not None:
            request.free()

    def stop(self) -> None:
        """Ends the threads and the engine."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
            left = list(self._waiting.items())
        self._starter.shutdown(wait=True)
        for tag, waiting in left:
            self.finish(tag)
            _call_soon(waiting.loop, [(waiting, [errors.RequestAbortedError("The engine was terminated.")])])
        self._lib.mlc_queue_close(self._queue)
        self._thread.join()
        self._native.destroy()
        self._lib.mlc_queue_destroy(self._queue)


def _call_soon(loop: asyncio.AbstractEventLoop, batch: List[Tuple[_Waiting, List[Event]]]) -> None:
    def deliver() -> None:
        for waiting, events in batch:
            waiting.deliver(events)

    try:
        loop.call_soon_threadsafe(deliver)
    except RuntimeError:
        pass  # the loop was closed: nobody waits there any more


class AsyncStream(Generic[T]):
    """Chunks of an answer as they are made. Leaving it (aclose, `async with`, cancelling the task, or dropping it)
    aborts the request."""

    def __init__(self, pump: _Pump, tag: int, waiting: _Waiting, parse: Callable[[str], T]) -> None:
        self._waiting = waiting
        self._parse = parse
        self._finish = weakref.finalize(self, pump.finish, tag)

    def __aiter__(self) -> "AsyncStream[T]":
        return self

    async def __anext__(self) -> T:
        if not self._finish.alive:
            raise StopAsyncIteration
        try:
            return self._parse(await self._waiting.next())
        except BaseException:
            self._finish()
            raise

    async def aclose(self) -> None:
        """Ends the answer."""
        self._finish()

    async def __aenter__(self) -> "AsyncStream[T]":
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.aclose()


class _Part:
    def __init__(self, pump: _Pump) -> None:
        self._pump = pump

    async def _one(self, kind: str, body: bytes, request_id: Optional[str], parse: Callable[[str], T]) -> T:
        tag, waiting = await self._pump.start(kind, body, request_id)
        try:
            return parse(await waiting.next())
        finally:
            self._pump.finish(tag)

    async def _stream(
        self, kind: str, body: bytes, request_id: Optional[str], parse: Callable[[str], T]
    ) -> AsyncStream[T]:
        tag, waiting = await self._pump.start(kind, body, request_id)
        return AsyncStream(self._pump, tag, waiting, parse)


class AsyncChatCompletions(_Part):
    """`engine.chat.completions`"""

    @overload
    async def create(
        self,
        *,
        messages: List[_requests.Message],
        stream: Literal[True],
        request_id: Optional[str] = None,
        extra_body: Optional[Dict[str, Any]] = None,
        **options: Unpack[_requests.ChatOptions],
    ) -> AsyncStream[ChatCompletionStreamResponse]: ...

    @overload
    async def create(
        self,
        *,
        messages: List[_requests.Message],
        stream: Literal[False] = False,
        request_id: Optional[str] = None,
        extra_body: Optional[Dict[str, Any]] = None,
        **options: Unpack[_requests.ChatOptions],
    ) -> ChatCompletionResponse: ...

    async def create(
        self,
        *,
        messages: List[_requests.Message],
        stream: bool = False,
        request_id: Optional[str] = None,
        extra_body: Optional[Dict[str, Any]] = None,
        **options: Unpack[_requests.ChatOptions],
    ) -> Union[ChatCompletionResponse, AsyncStream[ChatCompletionStreamResponse]]:
        """As MLCEngine's; cancelling the task aborts the request."""
        body = _requests.body(_requests.CHAT_NAMES, options, extra_body, messages=messages, stream=stream)
        if stream:
            parse: Callable[[str], ChatCompletionStreamResponse] = make_parser(ChatCompletionStreamResponse, request_id)
            return await self._stream("chat.completions", body, request_id, parse)
        whole: ChatCompletionResponse = await self._one(
            "chat.completions", body, request_id, make_parser(ChatCompletionResponse, request_id)
        )
        return whole


class AsyncChat:  # pylint: disable=too-few-public-methods
    """`engine.chat`"""

    def __init__(self, pump: _Pump) -> None:
        self.completions = AsyncChatCompletions(pump)


class AsyncCompletions(_Part):
    """`engine.completions`"""

    @overload
    async def create(
        self,
        *,
        prompt: _requests.Prompt,
        stream: Literal[True],
        request_id: Optional[str] = None,
        extra_body: Optional[Dict[str, Any]] = None,
        **options: Unpack[_requests.CompletionOptions],
    ) -> AsyncStream[CompletionResponse]: ...

    @overload
    async def create(
        self,
        *,
        prompt: _requests.Prompt,
        stream: Literal[False] = False,
        request_id: Optional[str] = None,
        extra_body: Optional[Dict[str, Any]] = None,
        **options: Unpack[_requests.CompletionOptions],
    ) -> CompletionResponse: ...

    async def create(
        self,
        *,
        prompt: _requests.Prompt,
        stream: bool = False,
        request_id: Optional[str] = None,
        extra_body: Optional[Dict[str, Any]] = None,
        **options: Unpack[_requests.CompletionOptions],
    ) -> Union[CompletionResponse, AsyncStream[CompletionResponse]]:
        """As MLCEngine's; cancelling the task aborts the request."""
        body = _requests.body(_requests.COMPLETION_NAMES, options, extra_body, prompt=prompt, stream=stream)
        parse: Callable[[str], CompletionResponse] = make_parser(CompletionResponse, request_id)
        if stream:
            return await self._stream("completions", body, request_id, parse)
        return await self._one("completions", body, request_id, parse)


class AsyncEmbeddings(_Part):  # pylint: disable=too-few-public-methods
    """`engine.embeddings`"""

    # The name is OpenAI's. pylint: disable=redefined-builtin
    async def create(
        self, *, input: _requests.Prompt, **options: Unpack[_requests.EmbeddingOptions]
    ) -> EmbeddingResponse:
        """As MLCEngine's."""
        body = _requests.body(_requests.EMBEDDING_NAMES, options, input=input)
        whole: EmbeddingResponse = await self._one("embeddings", body, None, make_parser(EmbeddingResponse, None))
        return whole


class AsyncMLCEngine:
    """A model in this process, for asyncio. The arguments are MLCEngine's.

    >>> async def main():
    ...     async with AsyncMLCEngine("models/demo", mode="server") as engine:
    ...         stream = await engine.chat.completions.create(
    ...             messages=[{"role": "user", "content": "Hello"}], max_tokens=16, stream=True
    ...         )
    ...         async for chunk in stream:
    ...             print(chunk.choices[0].delta.content, end="")
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
        pump = _Pump(self._native)
        self._stop = weakref.finalize(self, pump.stop)
        self.chat = AsyncChat(pump)
        self.completions = AsyncCompletions(pump)
        self.embeddings = AsyncEmbeddings(pump)

    async def abort(self, request_id: str) -> None:
        """Aborts the request that was given this id, or whose answer has it. Its reader gets a RequestAbortedError."""
        self._native.abort(request_id)

    async def metrics(self) -> EngineMetrics:
        """Counts and speeds since the start or the last reset."""
        return EngineMetrics(self._native.metrics())

    async def reset(self) -> None:
        """Aborts all requests and sets the metrics to zero."""
        await asyncio.get_running_loop().run_in_executor(None, self._native.reset)

    def terminate(self) -> None:
        """Aborts what runs and ends all threads of the engine. Calling it again does nothing."""
        self._stop()

    async def __aenter__(self) -> "AsyncMLCEngine":
        return self

    async def __aexit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.terminate()
