"""Typed objects out of JSON: dataclasses whose fields are read by their types, with attribute access as in OpenAI's
client. Fields that a class does not know are kept in `model_extra`, so that a newer library loses nothing.

    @dataclass
    class Usage(Model):
        prompt_tokens: int = 0

    Usage.from_json({"prompt_tokens": 3}).model_dump()        # {"prompt_tokens": 3}
"""

from __future__ import annotations

import dataclasses
import json
import typing
from typing import Any, Callable, Dict, Optional, Type, TypeVar, Union

M = TypeVar("M", bound="Model")


def _reader(hint: Any) -> Optional[Callable[[Any], Any]]:
    """What turns a JSON value into the type; None: it is that already."""
    origin = typing.get_origin(hint)
    if origin is Union:
        none = type(None)
        inner = [a for a in typing.get_args(hint) if a is not none]
        return _reader(inner[0]) if len(inner) == 1 else None
    if origin is list:
        each = _reader(typing.get_args(hint)[0])
        return None if each is None else lambda values: [each(v) for v in values]
    if isinstance(hint, type) and issubclass(hint, Model):
        return hint.from_json
    return None


_known_readers: Dict[Type["Model"], Dict[str, Optional[Callable[[Any], Any]]]] = {}


def _readers(cls: Type["Model"]) -> Dict[str, Optional[Callable[[Any], Any]]]:
    if cls not in _known_readers:
        hints = typing.get_type_hints(cls)
        _known_readers[cls] = {f.name: _reader(hints[f.name]) for f in dataclasses.fields(cls)}
    return _known_readers[cls]


def _plain(value: Any, exclude_none: bool) -> Any:
    if isinstance(value, Model):
        return value.model_dump(exclude_none=exclude_none)
    if isinstance(value, list):
        return [_plain(v, exclude_none) for v in value]
    return value


@dataclasses.dataclass
class Model:
    """The base: reading, and writing back as plain Python values or JSON."""

    @classmethod
    def from_json(cls: Type[M], data: Dict[str, Any]) -> M:
        """An object from a parsed JSON object."""
        readers = _readers(cls)
        known: Dict[str, Any] = {}
        extra: Dict[str, Any] = {}
        for name, value in data.items():
            if name not in readers:
                extra[name] = value
                continue
            reader = readers[name]
            known[name] = value if reader is None or value is None else reader(value)
        made = cls(**known)
        made.model_extra = extra
        return made

    @property
    def model_extra(self) -> Dict[str, Any]:
        """Fields of the JSON object that this class does not know."""
        extra: Dict[str, Any] = self.__dict__.get("_extra", {})
        return extra

    @model_extra.setter
    def model_extra(self, extra: Dict[str, Any]) -> None:
        self.__dict__["_extra"] = extra

    def model_dump(self, *, exclude_none: bool = False) -> Dict[str, Any]:
        """The object as dicts and lists."""
        out: Dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None or not exclude_none:
                out[field.name] = _plain(value, exclude_none)
        out.update(self.model_extra)
        return out

    def model_dump_json(self, *, indent: Optional[int] = None, exclude_none: bool = False) -> str:
        """The object as JSON text."""
        return json.dumps(self.model_dump(exclude_none=exclude_none), indent=indent, ensure_ascii=False)
