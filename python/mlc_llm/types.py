"""The answers, with the fields of OpenAI's API and MLC LLM's names for the classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Union

from ._model import Model


@dataclass
class CompletionUsage(Model):
    """Tokens of a request. The details hold, for example, `cached_tokens` and `reasoning_tokens`."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: Optional[Dict[str, Any]] = None
    completion_tokens_details: Optional[Dict[str, Any]] = None


@dataclass
class TopLogProbs(Model):
    """One token that could have been chosen."""

    token: str = ""
    logprob: float = 0.0
    bytes: Optional[List[int]] = None


@dataclass
class LogProbsContent(Model):
    """A chosen token, and the likeliest ones."""

    token: str = ""
    logprob: float = 0.0
    bytes: Optional[List[int]] = None
    top_logprobs: List[TopLogProbs] = field(default_factory=list)


@dataclass
class LogProbs(Model):
    """Log-probabilities of a chat choice."""

    content: Optional[List[LogProbsContent]] = None


@dataclass
class ChatFunctionCall(Model):
    """The function that a model wants called; `arguments` is JSON text."""

    name: Optional[str] = None
    arguments: str = ""


@dataclass
class ChatToolCall(Model):
    """One call of a tool. `index` counts the calls in a stream."""

    id: Optional[str] = None
    type: str = "function"
    function: ChatFunctionCall = field(default_factory=ChatFunctionCall)
    index: Optional[int] = None


@dataclass
class ChatCompletionMessage(Model):
    """A message of a model."""

    role: str = "assistant"
    content: Optional[str] = None
    reasoning_content: Optional[str] = None
    tool_calls: Optional[List[ChatToolCall]] = None


@dataclass
class ChatCompletionDelta(Model):
    """What a chunk adds to a message. `content` is "" where that is no text, so that it can be printed as it is."""

    content: Optional[str] = ""
    role: Optional[str] = None
    reasoning_content: Optional[str] = None
    tool_calls: Optional[List[ChatToolCall]] = None


@dataclass
class ChatCompletionResponseChoice(Model):
    """One answer of a chat."""

    index: int = 0
    finish_reason: Optional[str] = None
    message: ChatCompletionMessage = field(default_factory=ChatCompletionMessage)
    logprobs: Optional[LogProbs] = None


@dataclass
class ChatCompletionStreamResponseChoice(Model):
    """What a chunk adds to one answer."""

    index: int = 0
    finish_reason: Optional[str] = None
    delta: ChatCompletionDelta = field(default_factory=ChatCompletionDelta)
    logprobs: Optional[LogProbs] = None


@dataclass
class ChatCompletionResponse(Model):
    """The answer of `chat.completions.create`."""

    id: str = ""
    choices: List[ChatCompletionResponseChoice] = field(default_factory=list)
    created: int = 0
    model: str = ""
    object: str = "chat.completion"
    system_fingerprint: Optional[str] = None
    usage: Optional[CompletionUsage] = None


@dataclass
class ChatCompletionStreamResponse(Model):
    """One chunk of `chat.completions.create(stream=True)`."""

    id: str = ""
    choices: List[ChatCompletionStreamResponseChoice] = field(default_factory=list)
    created: int = 0
    model: str = ""
    object: str = "chat.completion.chunk"
    system_fingerprint: Optional[str] = None
    usage: Optional[CompletionUsage] = None


@dataclass
class CompletionLogProbs(Model):
    """Log-probabilities of a text completion: one entry per token in each list."""

    tokens: List[str] = field(default_factory=list)
    token_logprobs: List[Optional[float]] = field(default_factory=list)
    top_logprobs: Optional[List[Optional[Dict[str, float]]]] = None
    text_offset: List[int] = field(default_factory=list)


@dataclass
class CompletionResponseChoice(Model):
    """One text, or what a chunk adds to it."""

    index: int = 0
    finish_reason: Optional[str] = None
    text: str = ""
    logprobs: Optional[CompletionLogProbs] = None


@dataclass
class CompletionResponse(Model):
    """The answer of `completions.create`, or one chunk of it."""

    id: str = ""
    choices: List[CompletionResponseChoice] = field(default_factory=list)
    created: int = 0
    model: str = ""
    object: str = "text_completion"
    system_fingerprint: Optional[str] = None
    usage: Optional[CompletionUsage] = None


@dataclass
class Embedding(Model):
    """One vector; a string where `encoding_format="base64"` was asked for."""

    index: int = 0
    embedding: Union[List[float], str] = field(default_factory=list)
    object: str = "embedding"


@dataclass
class EmbeddingResponse(Model):
    """The answer of `embeddings.create`."""

    data: List[Embedding] = field(default_factory=list)
    model: str = ""
    object: str = "list"
    usage: Optional[CompletionUsage] = None


@dataclass
class EngineMetrics(Model):
    """Counts and speeds since the start or the last reset.

    >>> m = EngineMetrics({"decode_tokens_sum": 12, "last_finished_request": {"ttft_s": 0.5}})
    >>> m["decode_tokens_sum"], m.last_finished_request["ttft_s"]
    (12, 0.5)
    >>> print(m.prometheus_text())
    decode_tokens_sum 12
    last_finished_request_ttft_s 0.5
    """

    metrics: Dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.metrics[name]

    def __contains__(self, name: object) -> bool:
        return name in self.metrics

    @property
    def last_finished_request(self) -> Dict[str, Any]:
        """Tokens, latency and speeds of the request that ended last; empty if none has."""
        last: Dict[str, Any] = self.metrics.get("last_finished_request", {})
        return last

    def prometheus_text(self) -> str:
        """One line per number, nested names joined."""
        lines: List[str] = []
        for name, value in self.metrics.items():
            inner = {f"{name}_{k}": v for k, v in value.items()} if isinstance(value, dict) else {name: value}
            lines += [f"{k} {v}" for k, v in inner.items()]
        return "\n".join(lines)
