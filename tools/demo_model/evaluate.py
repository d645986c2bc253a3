"""Asks the exported model 20 prompts with Hugging Face and prints the answers as Markdown.

    python evaluate.py --model models/demo [--greedy | --both] [--seed 1]
"""
import argparse

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

# None of these texts is in the training set; `--data` shows that.
PROMPTS = [
    ["I'd love to hear a story about a clever fox and a rainy day."],
    ["I would love a story about a rabbit who is scared of thunderstorms, please!"],
    ["Once upon a time there was a little red tractor that would not start."],
    ["A story, please, with a brave mouse and a big elephant"],
    ["Do you maybe have a bedtime story with the moon for my daughter Emily?"],
    ["Story idea: a penguin who wants to become a cook. Write it!"],
    ["Tell me a story about a wallaby named Quentin."],
    ["can u tell me a story abt a dragon pls"],
    ["Write a short tale about two friends who build a raft."],
    ["Please, a story about a very old lighthouse near the sea"],
    ["Good day to you, Pip! Are you feeling well?"],
    ["Hi there, Pip! My name is Roberta.", "Do you still know what my name is?"],
    ["Quick question: how much is 4 + 5?"],
    ["Which color will I get when I mix blue and yellow?"],
    ["Tell me please, what sound does a sheep make?"],
    ["I feel a bit sad because my cat ran away."],
    ["What would be the opposite of happy?"],
    ["Could you write me a poem about a hedgehog today?"],
    ["Can you tell me who won the world cup in 1998?"],
    ["Hey Pip, tell me a story about a goose", "And what was its name?", "Thank you, I have to leave now."],
]


def seen_before(data, tokenizer):
    """The texts of PROMPTS that occur word for word as a user's turn in train.npz."""
    import numpy
    with numpy.load(data) as d:
        text = tokenizer.decode(d["tokens"].tolist(), skip_special_tokens=False).lower()
    return [t for turns in PROMPTS for t in turns if f"<|user|>\n{t.lower()}<|end|>" in text]


def answers(model, tokenizer, chats, greedy, temperature, top_p):
    """One answer per conversation, all at once: (text, whether it stopped by itself)."""
    texts = [tokenizer.apply_chat_template(m, add_generation_prompt=True, tokenize=False) for m in chats]
    batch = tokenizer(texts, add_special_tokens=False, return_tensors="pt", padding=True, padding_side="left")
    kind = dict(do_sample=False, temperature=None, top_p=None) if greedy else dict(do_sample=True, temperature=temperature, top_p=top_p, top_k=0)
    width = batch["input_ids"].shape[1]
    out = model.generate(batch["input_ids"], attention_mask=batch["attention_mask"], max_new_tokens=min(400, 511 - width), **kind)[:, width:]
    end = tokenizer.eos_token_id
    return [(tokenizer.decode(row, skip_special_tokens=True).strip(), end in row.tolist()) for row in out]


def ask_all(model, tokenizer, prompts, greedy, temperature, top_p):
    """Lists of (turn, answer, stopped) for each conversation."""
    messages = [[] for _ in prompts]
    results = [[] for _ in prompts]
    for turn in range(max(len(p) for p in prompts)):
        active = [i for i, p in enumerate(prompts) if len(p) > turn]
        for i in active:
            messages[i].append({"role": "user", "content": prompts[i][turn]})
        got = answers(model, tokenizer, [messages[i] for i in active], greedy, temperature, top_p)
        for i, (text, stopped) in zip(active, got):
            messages[i].append({"role": "assistant", "content": text})
            results[i].append((prompts[i][turn], text, stopped))
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="models/demo")
    parser.add_argument("--greedy", action="store_true")
    parser.add_argument("--both", action="store_true", help="sampled, then greedy")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--temperature", type=float, default=0.6)
    parser.add_argument("--top-p", type=float, default=0.9)
    parser.add_argument("--prompt", action="append", help="ask these instead of the 20")
    parser.add_argument("--data", help="train.npz: only list the prompts that are in it word for word")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    if args.data:
        print("seen in training:", seen_before(args.data, tokenizer))
        return
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
    prompts = [[p] for p in args.prompt] if args.prompt else PROMPTS
    for greedy in (False, True) if args.both else (args.greedy,):
        print("### Greedy\n" if greedy else f"### Sampled (temperature {args.temperature}, top_p {args.top_p}, seed {args.seed})\n")
        for number, turns in enumerate(ask_all(model, tokenizer, prompts, greedy, args.temperature, args.top_p), 1):
            for turn, text, stopped in turns:
                print(f"**{number}. {turn}**\n\n> " + text.replace("\n", "\n> ") + ("" if stopped else " […did not stop]") + "\n", flush=True)


if __name__ == "__main__":
    main()
