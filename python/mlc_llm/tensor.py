"""Numbers in the library's memory, for NumPy and others without a copy.

logits = engine.logits(prompt="Once upon a time")
array = numpy.from_dlpack(logits)          # [1, vocabulary], the library's own memory
"""

from __future__ import annotations

import ctypes
from ctypes import c_char_p, c_int32, c_int64, c_uint8, c_uint16, c_uint64, c_void_p
from typing import Any, Optional, Tuple

from . import _lib

_CPU = 1


class _DLTensor(ctypes.Structure):
    _fields_ = [
        ("data", c_void_p),
        ("device_type", c_int32),
        ("device_id", c_int32),
        ("ndim", c_int32),
        ("code", c_uint8),
        ("bits", c_uint8),
        ("lanes", c_uint16),
        ("shape", ctypes.POINTER(c_int64)),
        ("strides", ctypes.POINTER(c_int64)),
        ("byte_offset", c_uint64),
    ]


_Deleter = ctypes.CFUNCTYPE(None, c_void_p)


class _DLManagedTensor(ctypes.Structure):
    _fields_ = [("dl_tensor", _DLTensor), ("manager_ctx", c_void_p), ("deleter", _Deleter)]


class _DLManagedTensorVersioned(ctypes.Structure):
    _fields_ = [
        ("version", ctypes.c_uint32 * 2),
        ("manager_ctx", c_void_p),
        ("deleter", _Deleter),
        ("flags", c_uint64),
        ("dl_tensor", _DLTensor),
    ]


# The capsule functions of Python itself. Capsules go to destructors as plain addresses: they are being freed there.
_capsule_new = ctypes.pythonapi.PyCapsule_New
_capsule_new.restype = ctypes.py_object
_capsule_new.argtypes = [c_void_p, c_char_p, c_void_p]
_capsule_is = ctypes.pythonapi.PyCapsule_IsValid
_capsule_is.restype = ctypes.c_int
_capsule_is.argtypes = [c_void_p, c_char_p]
_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype = c_void_p
_capsule_pointer.argtypes = [c_void_p, c_char_p]

_PLAIN, _VERSIONED = b"dltensor", b"dltensor_versioned"  # a capsule that was taken is renamed "used_…"


def _free_unused(capsule: int) -> None:
    """The destructor of capsules: what nobody took is freed here."""
    kinds: Tuple[Tuple[bytes, Any], ...] = ((_PLAIN, _DLManagedTensor), (_VERSIONED, _DLManagedTensorVersioned))
    for name, struct in kinds:
        if _capsule_is(capsule, name):
            address = _capsule_pointer(capsule, name)
            struct.from_address(address).deleter(address)


_free_unused_c = ctypes.CFUNCTYPE(None, c_void_p)(_free_unused)


class Tensor:
    """f32 numbers of one request, `shape` (rows, columns), row by row. Stays valid after the engine is gone."""

    def __init__(self, request: c_void_p) -> None:
        """Takes over a finished request of the kind "logits" or "hidden_states"."""
        self._request: Optional[c_void_p] = request
        managed = c_void_p()
        _lib.check(_lib.library().mlc_request_tensor(request, ctypes.byref(managed)))
        view = _DLManagedTensor.from_address(managed.value or 0)
        self.shape: Tuple[int, int] = (view.dl_tensor.shape[0], view.dl_tensor.shape[1])
        self.data_ptr: int = view.dl_tensor.data
        view.deleter(managed)

    dtype = "float32"

    def __del__(self) -> None:
        request, self._request = getattr(self, "_request", None), None
        if request:
            _lib.library().mlc_request_free(request)

    def __dlpack_device__(self) -> Tuple[int, int]:
        return (_CPU, 0)

    def __dlpack__(
        self,
        *,
        stream: Optional[Any] = None,
        max_version: Optional[Tuple[int, int]] = None,
        dl_device: Optional[Tuple[int, int]] = None,
        copy: Optional[bool] = None,
    ) -> Any:
        """A capsule of the array API's exchange protocol; `numpy.from_dlpack(tensor)` asks for it."""
        if stream is not None:
            raise BufferError("the CPU has no streams")
        if dl_device not in (None, (_CPU, 0)) or copy:
            raise BufferError("this tensor can be given as it is in the CPU's memory only")
        lib = _lib.library()
        managed = c_void_p()
        versioned = max_version is not None and max_version[0] >= 1
        take = lib.mlc_request_tensor_versioned if versioned else lib.mlc_request_tensor
        _lib.check(take(self._request, ctypes.byref(managed)))
        return _capsule_new(managed, _VERSIONED if versioned else _PLAIN, ctypes.cast(_free_unused_c, c_void_p))

    def __repr__(self) -> str:
        return f"Tensor(shape={self.shape}, dtype={self.dtype})"
