"""MLC LLM's import paths: `from mlc_llm.serve import AsyncMLCEngine, EngineConfig, MLCEngine`."""

from ..async_engine import AsyncMLCEngine
from ..config import EngineConfig
from ..engine import MLCEngine

__all__ = ["AsyncMLCEngine", "EngineConfig", "MLCEngine"]
