#!/usr/bin/env python3
"""Writes sentencepiece_goldens.json: the ids that SentencePiece itself gives for the 47 texts of a vocabulary test
file, for models that have no goldens of their own.

    cd tests/goldens
    python3 make_sentencepiece_goldens.py ../../../shared/data/tokenizers sentencepiece_goldens.json
"""

import json
import pathlib
import sys

import sentencepiece

MODELS = [
    "mistral/tokenizer.model.v1",
    "mistral/mistral_instruct_tokenizer_240216.model.v2",
    "mistral/mistral_instruct_tokenizer_240323.model.v3",
    "mistral/mistral_instruct_tokenizer_241114.model.v7",
]


def main():
    folder, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    inputs = (folder / "goldens/ggml-vocab-llama-spm.gguf.inp").read_text(encoding="utf-8")
    texts = inputs.split("\n__ggml_vocab_test__\n")
    goldens = {}
    for name in MODELS:
        model = sentencepiece.SentencePieceProcessor(model_file=str(folder / name))
        goldens[name] = [model.encode(text) for text in texts]
    out.write_text(json.dumps(goldens, separators=(",", ":")).replace("]],", "]],\n") + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
