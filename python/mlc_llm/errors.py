"""What can go wrong, as exceptions. Each carries the message of the C++ side."""

from __future__ import annotations

from typing import Dict, Type


class MLCError(Exception):
    """The base of all errors of this package."""


class InvalidRequestError(MLCError, ValueError):
    """An argument, an option or a field of a request is wrong; the message names it and says what was expected."""


class ModelNotFoundError(MLCError, FileNotFoundError):
    """There is no such model directory, or file in it."""


class CorruptDataError(MLCError):
    """Data fails its own description: a truncated file, a wrong checksum."""


class UnsupportedError(MLCError, NotImplementedError):
    """Well-formed, but nothing here handles it."""


class IOFailedError(MLCError, OSError):
    """The operating system refused: a full disk, a permission."""


class UnavailableError(MLCError):
    """Not possible now: no memory for the cache, or the engine is shutting down."""


class InternalError(MLCError, RuntimeError):
    """A fault of the engine."""


class RequestAbortedError(MLCError):
    """The request was aborted, or its engine was terminated."""


class EngineTerminatedError(MLCError, RuntimeError):
    """The engine was used after terminate()."""


BY_STATUS: Dict[int, Type[MLCError]] = {
    -1: InvalidRequestError,
    -2: ModelNotFoundError,
    -3: CorruptDataError,
    -4: UnsupportedError,
    -5: IOFailedError,
    -6: UnavailableError,
    -7: InternalError,
    -8: RequestAbortedError,
}
