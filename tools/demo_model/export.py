"""Checkpoint -> Hugging Face directory, with goldens computed by Hugging Face in float32.

    python export.py --out build/demo_model --model models/demo

Writes config.json, generation_config.json, model.safetensors (float16), tokenizer.json, tokenizer_config.json
and golden_greedy.json.
"""
import argparse
import json
import os
import shutil

import torch
from safetensors.torch import save_file

from chat_format import BOS, CHAT_TEMPLATE, END, PAD, SPECIAL_TOKENS

GOLDEN_PROMPTS = ["Tell me a story about a fox", "Hello! How are you?", "Write a story about a little train that wanted to see the world."]


def write_json(folder, name, value):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
        json.dump(value, f, indent=2, ensure_ascii=False)
        f.write("\n")


def write_config(folder, s):
    write_json(folder, "config.json", {
        "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
        "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 5, "head_dim": s["head_dim"], "hidden_act": "silu",
        "hidden_size": s["hidden_size"], "initializer_range": 0.02, "intermediate_size": s["intermediate_size"],
        "max_position_embeddings": s["max_position_embeddings"], "mlp_bias": False, "model_type": "llama",
        "num_attention_heads": s["num_attention_heads"], "num_hidden_layers": s["num_hidden_layers"],
        "num_key_value_heads": s["num_key_value_heads"], "pretraining_tp": 1, "rms_norm_eps": s["rms_norm_eps"],
        "rope_scaling": None, "rope_theta": s["rope_theta"], "tie_word_embeddings": True, "torch_dtype": "float16",
        "use_cache": True, "vocab_size": s["vocab_size"]})
    write_json(folder, "generation_config.json", {
        "bos_token_id": 0, "eos_token_id": [1], "pad_token_id": 5, "do_sample": True, "temperature": 0.6, "top_p": 0.9,
        "max_new_tokens": 400})


def write_tokenizer(folder, source):
    shutil.copyfile(source, os.path.join(folder, "tokenizer.json"))
    write_json(folder, "tokenizer_config.json", {
        "add_bos_token": False, "add_eos_token": False, "bos_token": BOS, "eos_token": END, "pad_token": PAD, "unk_token": None,
        "added_tokens_decoder": {str(i): {"content": t, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
                                          "special": True} for i, t in enumerate(SPECIAL_TOKENS)},
        "additional_special_tokens": SPECIAL_TOKENS[2:5], "chat_template": CHAT_TEMPLATE, "clean_up_tokenization_spaces": False,
        "model_max_length": 512, "tokenizer_class": "PreTrainedTokenizerFast"})


def write_weights(folder, state):
    tensors = {"model." + name: value.to(torch.float16).contiguous() for name, value in state.items()}
    path = os.path.join(folder, "model.safetensors")
    save_file(tensors, path, metadata={"format": "pt"})
    os.chmod(path, 0o644)


def write_goldens(folder):
    from transformers import AutoModelForCausalLM, AutoTokenizer
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    cases = []
    for prompt in GOLDEN_PROMPTS:
        text = tokenizer.apply_chat_template([{"role": "user", "content": prompt}], add_generation_prompt=True, tokenize=False)
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        # Past the end of the answer the ids are still well defined, so that every case has 64 of them.
        current = list(ids)
        margin = []
        with torch.no_grad():
            for _ in range(64):
                logits = model(torch.tensor([current])).logits[0, -1]
                top = logits.topk(2)
                margin.append(round((top.values[0] - top.values[1]).item(), 4))
                current.append(int(top.indices[0]))
        cases.append({"prompt": prompt, "rendered": text, "prompt_ids": ids, "greedy_ids": current[len(ids):],
                      "top2_margins": margin, "greedy_text": tokenizer.decode(current[len(ids):])})
    with torch.no_grad():
        logits = model(torch.tensor([cases[0]["prompt_ids"]])).logits[0, :3]
    rows = [[float(f"{v:.6g}") for v in row.tolist()] for row in logits]
    golden = {"reference": "Hugging Face transformers, float32, from model.safetensors (float16)",
              "note": "greedy_ids ignore the end token; logits are those after the first 3 tokens of cases[0].prompt_ids",
              "cases": cases, "logits": rows}
    with open(os.path.join(folder, "golden_greedy.json"), "w", encoding="utf-8") as f:
        json.dump(golden, f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", default="build/demo_model", help="folder of the training run")
    parser.add_argument("--model", default="models/demo", help="folder to write")
    args = parser.parse_args()
    os.makedirs(args.model, exist_ok=True)
    torch.set_num_threads(1)
    saved = torch.load(os.path.join(args.out, "checkpoint.pt"))
    write_config(args.model, saved["shape"])
    write_tokenizer(args.model, os.path.join(args.out, "tokenizer.json"))
    write_weights(args.model, saved["model"])
    write_goldens(args.model)
    size = sum(os.path.getsize(os.path.join(args.model, f)) for f in os.listdir(args.model))
    print(f"step {saved['step']}, {size / 1e6:.2f} MB in {args.model}")


if __name__ == "__main__":
    main()
