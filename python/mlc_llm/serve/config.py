"""MLC LLM's import path: `from mlc_llm.serve.config import EngineConfig`."""

from ..config import EngineConfig

__all__ = ["EngineConfig"]
