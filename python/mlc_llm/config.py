"""EngineConfig: how an engine runs."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Dict, List, Literal, Optional, Tuple, Union


@dataclass
class EngineConfig:  # pylint: disable=too-many-instance-attributes
    """MLC LLM's fields, and after them those of this implementation. None: by mode and model.

    >>> EngineConfig(max_num_sequence=4, prefix_cache_mode="disable").options()["max_num_sequence"]
    4
    """

    model: Optional[str] = None
    model_lib: Optional[str] = None
    additional_models: List[Union[str, Tuple[str, str]]] = field(default_factory=list)
    """The smaller model that guesses, for speculative_mode "small_draft": a path, or (path, library)."""
    mode: Optional[Literal["local", "interactive", "server"]] = None
    """How many sequences run at once: local 8, interactive 1, server up to 64."""
    tensor_parallel_shards: Optional[int] = None
    pipeline_parallel_stages: Optional[int] = None
    opt: Optional[str] = None
    """Optimization level of the compiler: O0 to O3."""
    gpu_memory_utilization: Optional[float] = None
    """The share of the available memory that the KV cache may take."""
    kv_cache_page_size: int = 16
    max_num_sequence: Optional[int] = None
    max_total_sequence_length: Optional[int] = None
    """Tokens that the KV cache holds."""
    max_single_sequence_length: Optional[int] = None
    """Tokens of one sequence, prompt and answer together."""
    prefill_chunk_size: Optional[int] = None
    kv_state_kind: Optional[Literal["kv_cache"]] = None
    speculative_mode: Literal["disable", "ngram", "small_draft"] = "disable"
    spec_draft_length: int = 0
    """Tokens guessed at a time; 0: as it pays off."""
    spec_tree_width: int = 1
    prefix_cache_mode: Literal["radix", "disable"] = "radix"
    prefix_cache_max_num_recycling_seqs: Optional[int] = None
    prefill_mode: Literal["hybrid", "chunked"] = "hybrid"
    verbose: bool = True
    """Progress of slow steps, such as compiling, goes to standard error."""

    quantization: Optional[str] = None
    """How to store the weights of a Hugging Face model: q4f16_1, q8f16_1, q0f16 …"""
    kv_cache_dtype: Optional[Literal["auto", "f32", "f16", "bf16", "int8"]] = None
    activation: Optional[Literal["int8", "f32"]] = None
    threads: Optional[int] = None
    tuning_db: Optional[str] = None
    mlock: Optional[bool] = None
    chat_template: Optional[str] = None
    """A file with a Jinja or MLC conversation template."""
    system_prompt: Optional[str] = None
    tool_call_parser: Optional[str] = None
    reasoning_parser: Optional[str] = None
    served_model_name: Optional[str] = None

    def options(self) -> Dict[str, Any]:
        """What is set, as mlc_engine_create takes it."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "model"}
        return {name: value for name, value in values.items() if value is not None and value != []}

    def asjson(self) -> str:
        """All fields as JSON."""
        return json.dumps(dataclasses.asdict(self))

    @staticmethod
    def from_json(text: str) -> "EngineConfig":
        """The opposite of asjson()."""
        return EngineConfig(**json.loads(text))
