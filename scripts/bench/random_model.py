#!/usr/bin/env python3
"""A Hugging Face directory with random weights of a known shape, so that serving can be measured without downloads.

  scripts/bench/random_model.py qwen2.5_0.5b OUT        presets: src/model/data/presets.json (Llama and Qwen2 shapes)

The tokenizer is the demo model's, filled up to the shape's vocabulary with made-up words, so that every token that
the model can choose is a piece of text. `mlc_llm serve OUT` and `mlc_llm export OUT --type q4_0 -o OUT.gguf` (for
llama.cpp) then hold the same model.
"""

import array
import json
import pathlib
import random
import struct
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BLOCK = 1 << 20  # random values, used again and again from other places on


def tensors(c):
    """(name, shape, kind) as Hugging Face names them."""
    hidden, inner, heads = c["hidden_size"], c["intermediate_size"], c["num_attention_heads"]
    head_dim = c.get("head_dim") or hidden // heads
    q, kv = heads * head_dim, c["num_key_value_heads"] * head_dim
    bias = c["model_type"] == "qwen2"
    yield "model.embed_tokens.weight", (c["vocab_size"], hidden), "random"
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        yield p + "input_layernorm.weight", (hidden,), "ones"
        for name, rows in (("q", q), ("k", kv), ("v", kv)):
            yield p + f"self_attn.{name}_proj.weight", (rows, hidden), "random"
            if bias:
                yield p + f"self_attn.{name}_proj.bias", (rows,), "random"
        yield p + "self_attn.o_proj.weight", (hidden, q), "random"
        yield p + "post_attention_layernorm.weight", (hidden,), "ones"
        yield p + "mlp.gate_proj.weight", (inner, hidden), "random"
        yield p + "mlp.up_proj.weight", (inner, hidden), "random"
        yield p + "mlp.down_proj.weight", (hidden, inner), "random"
    yield "model.norm.weight", (hidden,), "ones"
    if not c.get("tie_word_embeddings"):
        yield "lm_head.weight", (c["vocab_size"], hidden), "random"


def size_of(shape):
    n = 1
    for d in shape:
        n *= d
    return n


def write_weights(config, path):
    rng = random.Random(1)  # nosec B311
    floats = array.array("f", (rng.gauss(0, 0.02) for _ in range(BLOCK)))
    bits = array.array("I", floats.tobytes())
    block = array.array("H", (b >> 16 for b in bits)).tobytes()  # bf16 is the upper half of f32
    header, at = {}, 0
    for name, shape, _ in tensors(config):
        end = at + 2 * size_of(shape)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for _, shape, kind in tensors(config):
            left = 2 * size_of(shape)
            while left > 0:
                if kind == "ones":
                    piece = b"\x80\x3f" * (left // 2)
                else:
                    start = 2 * rng.randrange(BLOCK // 2)
                    piece = block[start : start + left]
                out.write(piece)
                left -= len(piece)


def filled_tokenizer(vocab_size):
    t = json.loads((ROOT / "models/demo/tokenizer.json").read_text())
    vocab = t["model"]["vocab"]
    taken = {*vocab.values(), *(a["id"] for a in t["added_tokens"])}
    for i in range(vocab_size):
        if i not in taken:
            vocab[f"Ġw{i}"] = i
    return t


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    presets = json.loads((ROOT / "src/model/data/presets.json").read_text())
    if sys.argv[1] not in presets:
        sys.exit(f"error: there is no preset {sys.argv[1]}; there are {', '.join(presets)}")
    config = presets[sys.argv[1]]
    out = pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    demo = json.loads((ROOT / "models/demo/config.json").read_text())
    config |= {"torch_dtype": "bfloat16", "bos_token_id": demo["bos_token_id"], "eos_token_id": demo["eos_token_id"]}
    (out / "config.json").write_text(json.dumps(config, indent=1))
    (out / "tokenizer.json").write_text(json.dumps(filled_tokenizer(config["vocab_size"]), ensure_ascii=False))
    (out / "tokenizer_config.json").write_text((ROOT / "models/demo/tokenizer_config.json").read_text())
    write_weights(config, out / "model.safetensors")
    print(f"{out}: {(out / 'model.safetensors').stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
