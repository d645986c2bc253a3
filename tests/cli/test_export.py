"""export: GGUF files as an independent reader sees them."""

import json
import struct

import pytest
from support import MODEL, copy_model, edit_json, ok, read_safetensors, refused, run

F32, F16, Q4_0, Q8_0 = 0, 1, 2, 8
BLOCK_BYTES = {F32: 32 * 4, F16: 32 * 2, Q4_0: 18, Q8_0: 34}


class Gguf:
    """Header, metadata and tensors {name: (dimensions as in the file, type, offset)} of a GGUF file."""

    def __init__(self, path):
        self.raw, self.at = path.read_bytes(), 0
        assert self.raw[:4] == b"GGUF"
        self.at = 4
        assert self.take("I") == 3
        tensors, keys = self.take("Q"), self.take("Q")
        self.meta = {}
        for _ in range(keys):
            key = self.string()
            self.meta[key] = self.value(self.take("I"))
        self.tensors = {}
        for _ in range(tensors):
            name = self.string()
            shape = [self.take("Q") for _ in range(self.take("I"))]
            self.tensors[name] = (shape, self.take("I"), self.take("Q"))
        self.data = (self.at + 31) // 32 * 32

    def take(self, code):
        (value,) = struct.unpack_from("<" + code, self.raw, self.at)
        self.at += struct.calcsize("<" + code)
        return value

    def string(self):
        size = self.take("Q")
        self.at += size
        return self.raw[self.at - size : self.at].decode()

    def value(self, kind):
        if kind == 8:
            return self.string()
        if kind == 9:
            element, count = self.take("I"), self.take("Q")
            return [self.value(element) for _ in range(count)]
        return self.take({4: "I", 5: "i", 6: "f", 7: "?"}[kind])

    def size(self, name):
        shape, kind, _ = self.tensors[name]
        elements = 1
        for d in shape:
            elements *= d
        return elements * BLOCK_BYTES[kind] // 32

    def floats(self, name, first=0, count=None):
        """Elements of a tensor, dequantized; first and count are multiples of 32."""
        _, kind, offset = self.tensors[name]
        count = self.size(name) * 32 // BLOCK_BYTES[kind] if count is None else count
        begin = self.data + offset + first // 32 * BLOCK_BYTES[kind]
        raw = self.raw[begin : begin + count // 32 * BLOCK_BYTES[kind]]
        if kind == F32:
            return list(struct.unpack(f"<{count}f", raw))
        if kind == F16:
            return list(struct.unpack(f"<{count}e", raw))
        out = []
        for i in range(0, len(raw), BLOCK_BYTES[kind]):
            (d,) = struct.unpack_from("<e", raw, i)
            if kind == Q8_0:
                out += [d * q for q in struct.unpack_from("<32b", raw, i + 2)]
            else:
                codes = raw[i + 2 : i + 18]
                out += [d * ((c & 15) - 8) for c in codes] + [d * ((c >> 4) - 8) for c in codes]
        return out


def halves(tensors, name):
    dtype, shape, data = tensors[name]
    assert dtype == "F16"
    values = struct.unpack(f"<{len(data) // 2}e", data)
    return [list(values[i : i + shape[-1]]) for i in range(0, len(values), shape[-1])]


def flat(rows):
    return [v for row in rows for v in row]


def rotated(rows, head_dim):
    """Halves of a head become neighbours."""
    out = []
    for h in range(0, len(rows), head_dim):
        for i in range(head_dim // 2):
            out += [rows[h + i], rows[h + head_dim // 2 + i]]
    return out


@pytest.fixture(scope="module")
def exported(home, tmp_path_factory):
    out = tmp_path_factory.mktemp("gguf")
    for kind in ("f16", "q8_0", "q4_0"):
        ok(home, "export", MODEL, "--type", kind, "-o", out / f"{kind}.gguf")
    return {kind: Gguf(out / f"{kind}.gguf") for kind in ("f16", "q8_0", "q4_0")}


def test_header_and_shapes(exported):
    config = json.loads((MODEL / "config.json").read_text())
    layers, hidden = config["num_hidden_layers"], config["hidden_size"]
    for kind, number in (("f16", F16), ("q8_0", Q8_0), ("q4_0", Q4_0)):
        g = exported[kind]
        assert g.meta["general.architecture"] == "llama" and g.meta["llama.block_count"] == layers
        assert g.meta["llama.embedding_length"] == hidden
        assert g.meta["llama.attention.head_count_kv"] == config["num_key_value_heads"]
        assert g.meta["llama.rope.dimension_count"] == config["head_dim"]
        assert len(g.tensors) == 2 + 9 * layers  # tied: no output.weight
        assert g.tensors["token_embd.weight"][:2] == ([hidden, config["vocab_size"]], number)
        assert g.tensors["blk.0.ffn_down.weight"][:2] == ([config["intermediate_size"], hidden], number)
        assert g.tensors["output_norm.weight"][:2] == ([hidden], F32)
        end = 0
        for name, (_, _, offset) in g.tensors.items():
            assert offset == (end + 31) // 32 * 32, name
            end = offset + g.size(name)
        assert g.data + (end + 31) // 32 * 32 == len(g.raw)


def test_vocabulary(exported):
    tokenizer = json.loads((MODEL / "tokenizer.json").read_text())
    meta = exported["f16"].meta
    assert meta["tokenizer.ggml.model"] == "gpt2" and len(meta["tokenizer.ggml.tokens"]) == 4096
    for text, number in list(tokenizer["model"]["vocab"].items())[::100]:
        assert meta["tokenizer.ggml.tokens"][number] == text
    assert meta["tokenizer.ggml.token_type"][0] == 3 and meta["tokenizer.ggml.tokens"][0] == "<|bos|>"
    merge = tokenizer["model"]["merges"][5]
    assert meta["tokenizer.ggml.merges"][5] == (merge if isinstance(merge, str) else " ".join(merge))


def test_values(exported):
    tensors = read_safetensors(MODEL / "model.safetensors")
    p = "model.layers.1."
    q, up = halves(tensors, p + "self_attn.q_proj.weight"), halves(tensors, p + "mlp.up_proj.weight")
    f16 = exported["f16"]
    assert f16.floats("blk.1.attn_q.weight") == flat(rotated(q, 32))
    assert f16.floats("blk.1.attn_k.weight") == flat(rotated(halves(tensors, p + "self_attn.k_proj.weight"), 32))
    assert f16.floats("blk.1.attn_v.weight") == flat(halves(tensors, p + "self_attn.v_proj.weight"))
    assert f16.floats("blk.1.ffn_up.weight") == flat(up)
    assert f16.floats("token_embd.weight", 0, 19200) == flat(halves(tensors, "model.embed_tokens.weight")[:100])
    assert f16.floats("blk.1.attn_norm.weight") == flat(halves(tensors, p + "input_layernorm.weight"))
    for kind, steps in (("q8_0", 127), ("q4_0", 8)):
        for name, wanted in (("blk.1.ffn_up.weight", flat(up)), ("blk.1.attn_q.weight", flat(rotated(q, 32)))):
            got = exported[kind].floats(name)
            assert len(got) == len(wanted)
            for b in range(0, len(wanted), 32):
                block = wanted[b : b + 32]
                # Half a step, for 4 bits a whole one where the positive end is cut off; the scale is a rounded f16.
                limit = max(map(abs, block)) / steps * (0.57 if kind == "q8_0" else 1.01) + 1e-6
                assert all(abs(x - y) <= limit for x, y in zip(got[b : b + 32], block)), (name, b)


def mix(z):
    m = (1 << 64) - 1
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & m
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & m
    return z ^ (z >> 31)


def synthetic(name, index, bound, seed=1):
    """src/weights/synthetic.h, in double precision."""
    m = (1 << 64) - 1
    h = 0xCBF29CE484222325
    for b in name.encode():
        h = (h ^ b) * 0x100000001B3 & m
    key = mix(h ^ (seed * 0x9E3779B97F4A7C15 & m))
    bits = mix((key + (index + 1) * 0x9E3779B97F4A7C15) & m)
    return bound * (2 * (bits >> 40) + 1 - (1 << 24)) / (1 << 24)


def test_synthetic(home, tmp_path):
    out = tmp_path / "s.gguf"
    ok(home, "export", "--preset", "smollm-135m", "--synthetic", "--type", "f16", "-o", out)
    g = Gguf(out)
    hidden, qkv = 576, "model.layers.2.self_attn.qkv_proj.weight"
    assert g.tensors["blk.29.attn_v.weight"][0] == [hidden, 192]
    assert g.meta["tokenizer.ggml.model"] == "none" and g.meta["llama.vocab_size"] == 49152
    # The rows of v lie behind those of q and k in the model's own tensor.
    for row in (0, 191):
        got = g.floats("blk.2.attn_v.weight", row * hidden, 32)
        first = (576 + 192 + row) * hidden
        assert got == pytest.approx(
            [synthetic(qkv, first + i, (3 / hidden) ** 0.5) for i in range(32)], rel=1e-3, abs=1e-6
        )


def test_other_directories(home, mlc_dir, exported, tmp_path):
    """An MLC directory gives what the original gives; a tokenizer that is no byte-level BPE is left out."""
    ok(home, "export", mlc_dir, "--type", "q8_0", "-o", tmp_path / "m.gguf")
    again = Gguf(tmp_path / "m.gguf")
    assert again.floats("blk.3.ffn_down.weight") == exported["q8_0"].floats("blk.3.ffn_down.weight")
    model = copy_model(tmp_path / "model")
    edit_json(model / "tokenizer.json", decoder={"type": "Fuse"})
    done = ok(home, "export", model, "--type", "q4_0", "-o", tmp_path / "n.gguf")
    assert "token numbers only" in done.err
    assert Gguf(tmp_path / "n.gguf").meta["tokenizer.ggml.model"] == "none"


def test_refusals(home, tmp_path):
    refused(home, "export", tmp_path / "nothing", "--type", "f16", "-o", tmp_path / "x", says="nothing")
    done = run(home, "export", MODEL, "--type", "f16", "-o", tmp_path / "no" / "x.gguf")
    assert done.code == 1 and str(tmp_path / "no") in done.err.splitlines()[-1], done
