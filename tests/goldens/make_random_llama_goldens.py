#!/usr/bin/env python3
"""Writes tests/goldens/random_llama/*.json: logits of random Llama and Qwen2 models, by Hugging Face transformers.

Usage: python3 make_random_llama_goldens.py [OUTPUT_DIR]        (needs numpy, torch, transformers)

The weights are not stored: they come from the counter-based generator that src/weights/synthetic.h describes, written
here once more in numpy, so that this file checks that one. Each model is run twice in float32 on one prompt of 300
tokens: with the weights as they are ("float"), and with the weights that q4f16_1 stores ("q4f16_1": encoded and decoded
as src/quant/scheme.h says, norms and biases rounded to float16). Of the logits, the rows at POSITIONS are kept:
attention is causal, so that row p also is the last row of the prompt's first p + 1 tokens, which makes a batch of five
sequences.
"""

import base64
import hashlib
import json
import math
import os
import sys

import numpy as np

SEED = 20240607
PROMPT_LENGTH = 300
POSITIONS = [0, 6, 63, 150, 299]


def llama(**changes):
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "num_hidden_layers": 2,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "max_position_embeddings": 512,
        "torch_dtype": "float32",
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    config.update(changes)
    return config


# Head sizes 64 and 128, 1, 4 and 8 query heads per key-value head, tied and untied, vocabularies that are no multiples
# of 16, a hidden size that differs from heads * head_dim, an intermediate size that is no multiple of the group of 32.
MODELS = {
    "llama_d64_gqa1_untied": llama(
        hidden_size=256,
        intermediate_size=704,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=64,
        vocab_size=503,
        tie_word_embeddings=False,
    ),
    "llama_d64_gqa4_tied_llama3rope": llama(
        hidden_size=512,
        intermediate_size=1024,
        num_attention_heads=8,
        num_key_value_heads=2,
        head_dim=64,
        vocab_size=1003,
        tie_word_embeddings=True,
        rope_theta=500000.0,
        rope_scaling={
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 128,
        },
    ),
    "llama_d128_gqa8_tied": llama(
        hidden_size=384,
        intermediate_size=1000,
        num_attention_heads=8,
        num_key_value_heads=1,
        head_dim=128,
        vocab_size=777,
        tie_word_embeddings=True,
        rms_norm_eps=1e-6,
    ),
    "llama_d128_gqa4_untied_bias": llama(
        hidden_size=512,
        intermediate_size=896,
        num_attention_heads=4,
        num_key_value_heads=1,
        head_dim=128,
        vocab_size=998,
        tie_word_embeddings=False,
        attention_bias=True,
        mlp_bias=True,
    ),
    "qwen2_d64_gqa8_tied": llama(
        architectures=["Qwen2ForCausalLM"],
        model_type="qwen2",
        hidden_size=512,
        intermediate_size=1216,
        num_attention_heads=8,
        num_key_value_heads=1,
        vocab_size=509,
        tie_word_embeddings=True,
        rope_theta=1000000.0,
        rms_norm_eps=1e-6,
        use_sliding_window=False,
    ),
}


# The generator (src/weights/synthetic.h).


def mix(z):
    z = np.asarray(z, dtype=np.uint64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


STEP = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def random_bits(seed, name, count):
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    key = mix(np.array([h ^ ((seed * STEP) & MASK)], dtype=np.uint64))
    return mix(key + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(STEP))


def random_tensor(seed, name, shape):
    count = math.prod(shape)
    u = ((random_bits(seed, name, count) >> np.uint64(40)).astype(np.int64) * 2 + 1 - (1 << 24)).astype(np.float32)
    u *= np.float32(2.0**-24)
    mean, bound = 0.0, math.sqrt(3.0 / shape[-1])
    if name.endswith("norm.weight"):
        mean, bound = 1.0, 0.2
    elif name.endswith(".bias"):
        mean, bound = 0.0, 0.1
    return (np.float32(mean) + np.float32(bound) * u).reshape(shape)


# q4f16_1 (src/quant/scheme.h).


def encode_q4f16_1(w):
    n, k = w.shape
    groups = -(-k // 32)
    padded = np.zeros((n, groups * 32), dtype=np.float32)
    padded[:, :k] = w.astype(np.float16).astype(np.float32)
    grouped = np.reshape(padded, (n, groups, 32))
    scale = (np.abs(grouped).max(axis=2) / np.float32(7)).astype(np.float16)
    wide = scale.astype(np.float32)[:, :, None]
    ratio = np.divide(grouped, wide, out=np.zeros_like(grouped), where=wide != 0)
    codes = np.clip(np.floor(ratio + np.float32(7) + np.float32(0.5)), 0, 14)
    values = ((codes - np.float32(7)) * wide).reshape(n, -1)[:, :k]
    codes = codes.astype(np.uint32).reshape(n, -1)
    codes[:, k:] = 0
    words = np.zeros((n, groups * 4), dtype=np.uint32)
    for i in range(8):
        words |= codes[:, i::8] << np.uint32(4 * i)
    return words, scale, values


def dequantized(name, w):
    if w.ndim == 2:
        return encode_q4f16_1(w)[2]
    return w.astype(np.float16).astype(np.float32)


# The reference.


def build(config):
    import torch  # pylint: disable=import-outside-toplevel # the generator runs without it
    import transformers  # pylint: disable=import-outside-toplevel

    body = {k: v for k, v in config.items() if k not in ("architectures", "model_type", "torch_dtype")}
    rope = dict(body.pop("rope_scaling", None) or {"rope_type": "default"})
    rope["rope_theta"] = body.pop("rope_theta")
    kind = config["model_type"]
    cls = {"llama": "Llama", "qwen2": "Qwen2"}[kind]
    hf = getattr(transformers, cls + "Config")(rope_parameters=rope, **body)
    hf._attn_implementation = "eager"  # pylint: disable=protected-access # no other way
    model = getattr(transformers, cls + "ForCausalLM")(hf).to(torch.float32).eval()
    return model


def logits_of(config, weights, prompt):
    import torch  # pylint: disable=import-outside-toplevel

    model = build(config)
    state = {k: torch.from_numpy(v.copy()) for k, v in weights.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    allowed = {"lm_head.weight"} if config["tie_word_embeddings"] else set()
    assert set(missing) <= allowed and not unexpected, (missing, unexpected)
    model.tie_weights()
    with torch.no_grad():
        return model(torch.tensor([prompt])).logits[0].numpy()


def rows_text(rows):
    return [base64.b64encode(np.ascontiguousarray(rows[p], dtype="<f4").tobytes()).decode() for p in POSITIONS]


def make(name, config):
    shapes = {k: tuple(v.shape) for k, v in build(config).state_dict().items()}
    if config["tie_word_embeddings"]:
        shapes.pop("lm_head.weight", None)
    weights = {k: random_tensor(SEED, k, s) for k, s in sorted(shapes.items())}
    bits = random_bits(SEED, "prompt", PROMPT_LENGTH)
    prompt = [int(b % np.uint64(config["vocab_size"])) for b in bits]
    exact = logits_of(config, weights, prompt)
    stored = {k: dequantized(k, w) for k, w in weights.items()}
    quantized = logits_of(config, stored, prompt)
    floats, codes = hashlib.sha256(), hashlib.sha256()
    for k, w in weights.items():
        floats.update(k.encode() + w.astype("<f4").tobytes())
        if w.ndim == 2:
            words, scale, _ = encode_q4f16_1(w)
            codes.update(k.encode() + words.astype("<u4").tobytes() + scale.astype("<f2").tobytes())
    difference = np.linalg.norm(quantized - exact) / np.linalg.norm(exact)
    print(f"{name}: {sum(w.size for w in weights.values())} weights, q4f16_1 differs by {difference:.3f}")
    return {
        "config": config,
        "seed": SEED,
        # sha256 over name + bytes of every tensor, sorted by name; of matrices in q4f16_1: q_weight + q_scale.
        "sha256_float32": floats.hexdigest(),
        "sha256_q4f16_1": codes.hexdigest(),
        "prompt": prompt,
        "positions": POSITIONS,
        # base64 of float32, little endian, [vocab_size] each
        "logits": {"float": rows_text(exact), "q4f16_1": rows_text(quantized)},
    }


def main():
    default = os.path.join(os.path.dirname(os.path.abspath(__file__)), "random_llama")
    out = sys.argv[1] if len(sys.argv) > 1 else default
    os.makedirs(out, exist_ok=True)
    for name, config in MODELS.items():
        with open(os.path.join(out, name + ".json"), "w") as f:
            golden = make(name, config)
            f.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in golden.items()) + "\n}\n")


if __name__ == "__main__":
    main()
