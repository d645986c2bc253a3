"""Writes the training set: generated conversations plus a few percent of open texts, tokenized.

    python build_data.py --out build/demo_model --conversations 300000 [--corpora ../shared/data/corpora]

Makes OUT/tokenizer.json (if absent) and OUT/train.npz: `tokens` uint16, all documents end to end; `answers` uint8,
1 where the model shall learn to write the token, 0 where it only reads; `offsets`, where each document starts.
"""
import argparse
import glob
import multiprocessing
import os
import random
import re

import numpy

import generate_chat
import train_tokenizer
from chat_format import BOS, CONTEXT, END, render

SYSTEM_PROMPTS = [
    "You are a helpful assistant.", "You are a friendly storyteller.", "You are Pip, a little storyteller.", "Be kind and short.",
    "You are a helpful, honest assistant.", "You tell stories for children.", "Answer in simple English.", "You are a chatbot.",
    "You are a helpful and harmless AI assistant.", "Please answer the questions of the user.", "You are a kind friend.",
    "Keep your answers short.", "You are a small language model.", "You are talking to a child.", "Be polite.", "Be concise."]
BOOKS = ["aesop", "beatrix-potter", "milne", "kipling_just-so", "wilde", "wonderful-wizard", "alices-adventures", "doctor-dolittle", "pollyanna",
         "secret-garden", "black-beauty", "wind-in-the-willows"]


def weaken(rng, text):
    """What people do when they type: no capitals, no final mark, a missing apostrophe."""
    r = rng.random()
    if r < 0.3:
        text = text.lower()
    if rng.random() < 0.25:
        text = text.rstrip(".!?") or text
    if rng.random() < 0.1:
        text = text.replace("'", "")
    return text


def conversation(rng, short_share):
    messages = []
    if rng.random() < 0.22:
        messages.append(("system", rng.choice(SYSTEM_PROMPTS)))
    for user, assistant in generate_chat.make_conversation(rng, short_share):
        messages.append(("user", weaken(rng, user)))
        messages.append(("assistant", assistant))
    return render(messages)


def _chunk(task):
    seed, count, short_share = task
    rng = random.Random(seed)
    return [conversation(rng, short_share) for _ in range(count)]


def books(folder):
    """Passages of 60-300 words from the public-domain children's books."""
    passages = []
    for path in sorted(glob.glob(os.path.join(folder, "standardebooks", "*.txt"))):
        if not any(key in path for key in BOOKS):
            continue
        text = open(path, encoding="utf-8").read()
        text = text.translate(str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "—": "-", "–": "-", "\u2060": "", "\u200a": " ", "\xa0": " ", "…": "..."}))
        current = ""
        for paragraph in re.split(r"\n\s*\n", text):
            paragraph = " ".join(paragraph.split())
            if len(paragraph) < 30 or not paragraph.isascii():
                continue
            current = (current + "\n\n" + paragraph).strip()
            if len(current) > 700:
                if len(current) < 1800:
                    passages.append([(BOS, False), (current + END, True)])
                current = ""
    return passages


def coffee_dialogues(folder):
    """Taskmaster's short ordering dialogues, under a system prompt that says so."""
    out = []
    path = os.path.join(folder, "taskmaster_dialogues.txt")
    if not os.path.exists(path):
        return out
    for block in open(path, encoding="utf-8").read().replace("’", "'").split("\n\n"):
        turns = re.findall(r"^(User|Assistant): (.*)$", block, re.M)
        if not 2 <= len(turns) <= 8 or turns[0][0] != "User" or len(block) > 600 or not block.isascii():
            continue
        if any(a[0] == b[0] for a, b in zip(turns, turns[1:])):
            continue
        if turns[-1][0] == "User":
            turns = turns[:-1]
        out.append(render([("system", "You take orders in a coffee shop.")] + [(who.lower(), text) for who, text in turns]))
    return out


def encode(tokenizer, documents):
    """Documents of pieces -> list of (ids, weights)."""
    out = []
    for start in range(0, len(documents), 4000):
        batch = documents[start:start + 4000]
        flat = [text for doc in batch for text, _ in doc]
        encoded = iter(tokenizer.encode_batch(flat, add_special_tokens=False))
        for doc in batch:
            ids, weights = [], []
            for _, answer in doc:
                piece = next(encoded).ids
                ids += piece
                weights += [int(answer)] * len(piece)
            out.append((ids, weights))
    return out


def flatten(encoded):
    """All documents end to end: (tokens, answer flags, offsets)."""
    encoded = [(ids[:CONTEXT], weights[:CONTEXT]) for ids, weights in encoded]
    offsets = numpy.cumsum([0] + [len(ids) for ids, _ in encoded]).astype(numpy.int64)
    tokens = numpy.concatenate([numpy.array(ids, numpy.uint16) for ids, _ in encoded])
    answers = numpy.concatenate([numpy.array(weights, numpy.uint8) for _, weights in encoded])
    return tokens, answers, offsets


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", default="build/demo_model")
    parser.add_argument("--name", default="train.npz")
    parser.add_argument("--conversations", type=int, default=300000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--corpora", default="../shared/data/corpora", help="folder with standardebooks/ and taskmaster_dialogues.txt; left out if absent")
    parser.add_argument("--short-share", type=float, default=0.5, help="part of the conversations that are one short exchange (about 20%% of the tokens)")
    parser.add_argument("--book-share", type=float, default=0.01, help="books' part of all documents")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    rng = random.Random(args.seed)
    chunk = 2000
    tasks = [(args.seed * 1000003 + i, chunk, args.short_share) for i in range((args.conversations + chunk - 1) // chunk)]
    with multiprocessing.Pool(args.workers) as pool:
        documents = [doc for part in pool.imap(_chunk, tasks) for doc in part]
    extra = books(args.corpora)
    rng.shuffle(extra)
    extra = extra[:int(len(documents) * args.book_share)] + coffee_dialogues(args.corpora)[:len(documents) // 50]
    print(f"{len(documents)} conversations, {len(extra)} other documents", flush=True)
    path = os.path.join(args.out, "tokenizer.json")
    if not os.path.exists(path):
        sample = ["".join(text for text, _ in doc) for doc in documents[:60000] + extra[:2000]]
        train_tokenizer.train(sample, path)
    tokenizer = train_tokenizer.load(path)
    documents += extra
    rng.shuffle(documents)
    tokens, answers, offsets = flatten(encode(tokenizer, documents))
    numpy.savez(os.path.join(args.out, args.name), tokens=tokens, answers=answers, offsets=offsets)
    print(f"{len(documents)} documents, {len(tokens)} tokens, {int(answers.sum())} of them answers")


if __name__ == "__main__":
    main()
