"""Engines and requests of the C library as Python objects. Everything here blocks; engine.py and async_engine.py decide
who waits."""

from __future__ import annotations

import ctypes
import json
import threading
import weakref
from ctypes import c_void_p
from typing import Any, Dict, Optional

from . import _lib, errors

POLL_MS = 100  # how long a wait may keep Ctrl-C waiting


def encode_text(text: str) -> bytes:
    """UTF-8 for a `const char*`, which a zero would cut."""
    if "\0" in text:
        raise errors.InvalidRequestError(f"{text!r} holds a zero character")
    return text.encode("utf-8")


class NativeRequest:
    """One request. `next_json` is for one thread at a time; the rest for any."""

    def __init__(self, handle: c_void_p) -> None:
        self._handle: Optional[c_void_p] = handle
        self._lock = threading.Lock()  # nobody frees it while another thread reads it

    def next_json(self, timeout_ms: int) -> Optional[str]:
        """The next text; None: nothing yet. StopIteration at the end, or the exception of what went wrong."""
        out = c_void_p()
        with self._lock:
            if self._handle is None:
                raise StopIteration
            status = _lib.check(_lib.library().mlc_request_next(self._handle, timeout_ms, ctypes.byref(out)))
        if status == _lib.END:
            raise StopIteration
        return _lib.take_text(out) if status == _lib.OK else None

    def wait_json(self) -> str:
        """The next text, however long it takes; a signal (Ctrl-C) is handled within POLL_MS."""
        while True:
            text = self.next_json(POLL_MS)
            if text is not None:
                return text

    def release(self) -> c_void_p:
        """The handle, which is the caller's to free from now on."""
        with self._lock:
            handle, self._handle = self._handle, None
        if handle is None:
            raise errors.RequestAbortedError("The request was freed.")
        return handle

    def free(self) -> None:
        """Aborts it if it still runs."""
        with self._lock:
            handle, self._handle = self._handle, None
        if handle is not None:
            _lib.library().mlc_request_free(handle)

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None:
            self.free()


def _destroy(handle: c_void_p) -> None:
    _lib.library().mlc_engine_destroy(handle)


def _create(model: bytes, options: bytes) -> c_void_p:
    """Compiling may take minutes, so a thread of its own does it, and this one stays open to Ctrl-C; then the engine is
    dropped as soon as it is there."""
    lib = _lib.library()
    lock = threading.Lock()
    done = threading.Event()
    handle = c_void_p()
    failure: Dict[str, BaseException] = {}
    state = {"wanted": True}

    def load() -> None:
        try:
            _lib.check(lib.mlc_engine_create(model, options, ctypes.byref(handle)))
        except BaseException as e:  # pylint: disable=broad-exception-caught
            failure["error"] = e
        with lock:
            if not state["wanted"] and handle:
                lib.mlc_engine_destroy(handle)
            done.set()

    thread = threading.Thread(target=load, name="mlc-load", daemon=True)
    thread.start()
    try:
        while not done.wait(POLL_MS / 1000):
            pass
    except BaseException:
        with lock:
            state["wanted"] = False
            if done.is_set() and handle:
                lib.mlc_engine_destroy(handle)
        raise
    thread.join()
    if "error" in failure:
        raise failure["error"]
    return handle


class NativeEngine:
    """One engine. Destroyed by destroy(), or when nobody has it any more, or when Python ends."""

    def __init__(self, model: str, options: Dict[str, Any]) -> None:
        handle = _create(encode_text(model), json.dumps(options).encode())
        self._handle = handle
        self._users = threading.Condition()
        self._calls = 0  # running in the library: destroy() waits for them
        self._finalizer = weakref.finalize(self, _destroy, handle)

    @property
    def alive(self) -> bool:
        """Whether destroy() was not called yet."""
        return self._finalizer.alive

    def _call(self, name: str, *arguments: Any) -> None:
        with self._users:
            if not self._finalizer.alive:
                raise errors.EngineTerminatedError("the engine was terminated")
            self._calls += 1
        try:
            _lib.check(getattr(_lib.library(), name)(self._handle, *arguments))
        finally:
            with self._users:
                self._calls -= 1
                self._users.notify_all()

    def _text(self, name: str, *arguments: Any) -> Any:
        out = c_void_p()
        self._call(name, *arguments, ctypes.byref(out))
        return json.loads(_lib.take_text(out))

    def start(
        self, kind: str, body: bytes, request_id: Optional[str], on_ready: Optional[_lib.OnReady] = None
    ) -> NativeRequest:
        """Checks the body and hands it to the engine."""
        out = c_void_p()
        given = None if request_id is None else encode_text(request_id)
        ready = None if on_ready is None else ctypes.byref(on_ready)
        self._call("mlc_request_start", kind.encode(), body, given, ready, ctypes.byref(out))
        return NativeRequest(out)

    def info(self) -> Dict[str, Any]:
        """Name, path and sizes of the model."""
        found: Dict[str, Any] = self._text("mlc_engine_info")
        return found

    def metrics(self) -> Dict[str, Any]:
        """See EngineMetrics."""
        found: Dict[str, Any] = self._text("mlc_engine_metrics")
        return found

    def call(self, name: str, body: Dict[str, Any]) -> Dict[str, Any]:
        """tokenize, detokenize, apply_template, models."""
        found: Dict[str, Any] = self._text("mlc_engine_call", name.encode(), json.dumps(body).encode())
        return found

    def reset(self) -> None:
        """Aborts all requests, waits for their end, sets the metrics to zero."""
        self._call("mlc_engine_reset")

    def abort(self, request_id: str) -> None:
        """Aborts the requests with that id."""
        self._call("mlc_engine_abort", encode_text(request_id))

    def destroy(self) -> None:
        """Ends all threads of the engine. Again: nothing."""
        with self._users:
            detached = self._finalizer.detach()
            while self._calls > 0:
                self._users.wait()
        if detached is not None:
            _destroy(self._handle)
