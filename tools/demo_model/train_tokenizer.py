"""Byte-level BPE with 4096 entries, trained on the generator's own text (called by build_data.py)."""
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from chat_format import SPECIAL_TOKENS

VOCAB_SIZE = 4096


def train(texts, path):
    """Trains on an iterable of texts and writes tokenizer.json."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCAB_SIZE, special_tokens=SPECIAL_TOKENS, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    for token in SPECIAL_TOKENS:
        texts = [t.replace(token, "\n") for t in texts]
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.save(path)


def load(path):
    return Tokenizer.from_file(path)
