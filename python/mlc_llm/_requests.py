"""Keyword arguments to the JSON body of a request."""

from __future__ import annotations

import json
from typing import Any, Dict, FrozenSet, List, Mapping, Optional, TypedDict, Union

from ._model import Model

Message = Union[Dict[str, Any], Model]
Prompt = Union[str, List[int], List[str], List[List[int]]]


class SharedOptions(TypedDict, total=False):
    """What chats and text completions both take. Others (top_k, min_p, repetition_penalty …) go into `extra_body`."""

    model: Optional[str]
    frequency_penalty: Optional[float]
    presence_penalty: Optional[float]
    logit_bias: Optional[Dict[int, float]]
    max_tokens: Optional[int]
    n: Optional[int]
    seed: Optional[int]
    stop: Optional[Union[str, List[str]]]
    stream_options: Optional[Dict[str, Any]]
    temperature: Optional[float]
    top_p: Optional[float]
    user: Optional[str]
    response_format: Optional[Dict[str, Any]]


class ChatOptions(SharedOptions, total=False):
    """The keyword arguments of `chat.completions.create` beside messages, stream, request_id and extra_body."""

    logprobs: Optional[bool]
    top_logprobs: Optional[int]
    max_completion_tokens: Optional[int]
    tools: Optional[List[Dict[str, Any]]]
    tool_choice: Optional[Union[str, Dict[str, Any]]]
    parallel_tool_calls: Optional[bool]
    reasoning_effort: Optional[str]


class CompletionOptions(SharedOptions, total=False):
    """The keyword arguments of `completions.create` beside prompt, stream, request_id and extra_body."""

    best_of: Optional[int]
    echo: Optional[bool]
    logprobs: Optional[int]
    suffix: Optional[str]


class EmbeddingOptions(TypedDict, total=False):
    """The keyword arguments of `embeddings.create` beside input."""

    model: Optional[str]
    dimensions: Optional[int]
    encoding_format: Optional[str]
    pooling: Optional[str]
    user: Optional[str]


_SHARED = frozenset(SharedOptions.__annotations__)
CHAT_NAMES: FrozenSet[str] = _SHARED | frozenset(ChatOptions.__annotations__)
COMPLETION_NAMES: FrozenSet[str] = _SHARED | frozenset(CompletionOptions.__annotations__)
EMBEDDING_NAMES: FrozenSet[str] = frozenset(EmbeddingOptions.__annotations__)


def _plain(value: Any) -> Any:
    if isinstance(value, Model):
        return value.model_dump(exclude_none=True)
    raise TypeError(f"a request cannot hold a {type(value).__name__}")


def body(
    known: FrozenSet[str], options: Mapping[str, Any], extra_body: Optional[Dict[str, Any]] = None, **fixed: Any
) -> bytes:
    """The body as UTF-8 JSON; arguments that are None are left out.

    >>> body(CHAT_NAMES, {"max_tokens": 4, "seed": None}, {"top_k": 2}, messages=[])
    b'{"messages": [], "max_tokens": 4, "top_k": 2}'
    >>> body(CHAT_NAMES, {"max_token": 4})
    Traceback (most recent call last):
      ...
    TypeError: create() got an unexpected keyword argument 'max_token'
    """
    for name in options:
        if name not in known:
            raise TypeError(f"create() got an unexpected keyword argument '{name}'")
    merged = {**fixed, **options}
    fields = {name: value for name, value in merged.items() if value is not None}
    fields.update(extra_body or {})
    return json.dumps(fields, default=_plain, ensure_ascii=False).encode("utf-8", "surrogatepass")
