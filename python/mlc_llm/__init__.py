"""MLC LLM: compiles language models for this machine and runs them.

from mlc_llm import MLCEngine

engine = MLCEngine("models/demo")
for chunk in engine.chat.completions.create(
    messages=[{"role": "user", "content": "Tell me a story"}], max_tokens=64, stream=True
):
    print(chunk.choices[0].delta.content, end="", flush=True)
engine.terminate()
"""

from . import errors
from .async_engine import AsyncMLCEngine
from .config import EngineConfig
from .engine import MLCEngine, set_log_level
from .tensor import Tensor

__version__ = "0.1.0"
__all__ = ["AsyncMLCEngine", "EngineConfig", "MLCEngine", "Tensor", "errors", "set_log_level"]
