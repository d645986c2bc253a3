"""Finds libmlc_llm.so and the mlc_llm program, and declares the functions of mlc_llm/c_api.h.

Looked for in this order: $MLC_LLM_LIB and $MLC_LLM_BIN (paths of the files), this package (an installed wheel),
build/release of the checkout that this package lies in (PYTHONPATH=…/python, pip install -e).
"""

from __future__ import annotations

import ctypes
import os
import pathlib
import sys
import threading
from ctypes import POINTER, c_char_p, c_int32, c_int64, c_uint32, c_uint64, c_void_p
from typing import Dict, Iterator

from . import errors

ABI_VERSION = 1
OK, END, TIMEOUT = 0, 1, 2

PACKAGE = pathlib.Path(__file__).resolve().parent
if sys.platform == "win32":
    LIBRARY_NAME, PROGRAM_NAME = "mlc_llm.dll", "mlc_llm.exe"
elif sys.platform == "darwin":
    LIBRARY_NAME, PROGRAM_NAME = "libmlc_llm.dylib", "mlc_llm"
else:
    LIBRARY_NAME, PROGRAM_NAME = "libmlc_llm.so", "mlc_llm"

ReadyCallback = ctypes.CFUNCTYPE(None, c_void_p, c_uint64)


class OnReady(ctypes.Structure):
    """struct mlc_on_ready; the callback is a function of the library, so no Python runs on the engine's thread."""

    _fields_ = [("call", c_void_p), ("context", c_void_p), ("tag", c_uint64)]


def _candidates(variable: str, packaged: str, built: str) -> Iterator[pathlib.Path]:
    named = os.environ.get(variable)
    if named:
        yield pathlib.Path(named)
        return  # what is named is used, or missed by name
    yield PACKAGE / packaged
    yield PACKAGE.parent.parent / "build" / "release" / built


def _find(what: str, variable: str, packaged: str, built: str) -> pathlib.Path:
    tried = list(_candidates(variable, packaged, built))
    for path in tried:
        if path.is_file():
            return path
    places = ", ".join(str(p) for p in tried)
    raise errors.ModelNotFoundError(
        f"{what} is not there (looked for {places}); install the wheel, run `make build`, or set ${variable}"
    )


def find_library() -> pathlib.Path:
    """The path of the shared library."""
    return _find("the library of MLC LLM", "MLC_LLM_LIB", f"lib/{LIBRARY_NAME}", f"lib/{LIBRARY_NAME}")


def find_program() -> pathlib.Path:
    """The path of the mlc_llm program."""
    return _find("the mlc_llm program", "MLC_LLM_BIN", f"bin/{PROGRAM_NAME}", f"bin/{PROGRAM_NAME}")


def _declare(lib: ctypes.CDLL) -> None:
    text_out = POINTER(c_void_p)  # char**: freed by us, so no automatic conversion to bytes
    declarations = {
        "mlc_abi_version": (c_uint32, []),
        "mlc_version": (c_char_p, []),
        "mlc_last_error": (c_char_p, []),
        "mlc_string_free": (None, [c_void_p]),
        "mlc_set_log_level": (c_int32, [c_char_p]),
        "mlc_engine_create": (c_int32, [c_char_p, c_char_p, POINTER(c_void_p)]),
        "mlc_engine_destroy": (None, [c_void_p]),
        "mlc_engine_info": (c_int32, [c_void_p, text_out]),
        "mlc_engine_metrics": (c_int32, [c_void_p, text_out]),
        "mlc_engine_reset": (c_int32, [c_void_p]),
        "mlc_engine_abort": (c_int32, [c_void_p, c_char_p]),
        "mlc_engine_call": (c_int32, [c_void_p, c_char_p, c_char_p, text_out]),
        "mlc_request_start": (
            c_int32,
            [c_void_p, c_char_p, c_char_p, c_char_p, POINTER(OnReady), POINTER(c_void_p)],
        ),
        "mlc_request_next": (c_int32, [c_void_p, c_int64, text_out]),
        "mlc_request_abort": (None, [c_void_p]),
        "mlc_request_free": (None, [c_void_p]),
        "mlc_request_tensor": (c_int32, [c_void_p, POINTER(c_void_p)]),
        "mlc_request_tensor_versioned": (c_int32, [c_void_p, POINTER(c_void_p)]),
        "mlc_queue_create": (c_void_p, []),
        "mlc_queue_push": (None, [c_void_p, c_uint64]),
        "mlc_queue_pop": (c_int32, [c_void_p, c_int64, POINTER(c_uint64)]),
        "mlc_queue_close": (None, [c_void_p]),
        "mlc_queue_destroy": (None, [c_void_p]),
    }
    for name, (result, arguments) in declarations.items():
        function = getattr(lib, name)
        function.restype = result
        function.argtypes = arguments


_lock = threading.Lock()
_loaded: Dict[str, ctypes.CDLL] = {}  # at most one


def library() -> ctypes.CDLL:
    """The library, loaded at the first call. ctypes releases the GIL while one of its functions runs."""
    with _lock:
        if "library" not in _loaded:
            path = find_library()
            lib = ctypes.CDLL(str(path))
            _declare(lib)
            if lib.mlc_abi_version() != ABI_VERSION:
                raise errors.InternalError(
                    f"{path} has version {lib.mlc_abi_version()} of the C interface; this package needs {ABI_VERSION}"
                )
            _loaded["library"] = lib
        return _loaded["library"]


def check(status: int) -> int:
    """Returns a status that is no failure; raises the exception of one that is."""
    if status >= 0:
        return status
    message = library().mlc_last_error().decode("utf-8", "replace")
    raise errors.BY_STATUS.get(status, errors.InternalError)(message)


def take_text(pointer: c_void_p) -> str:
    """The text behind a char* that the library gave away; frees it."""
    try:
        return ctypes.string_at(pointer.value or 0).decode("utf-8")
    finally:
        library().mlc_string_free(pointer)
