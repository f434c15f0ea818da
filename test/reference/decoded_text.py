"""What transformers 4.34 makes of token ids: LlamaTokenizerFast.decode(ids, skip_special_tokens=True).strip().

    python test/reference/decoded_text.py             writes test/fixtures/generation/decoded-text.json.gz

Each case: tokens as the engine gives them (UTF-8 of the piece in hex, whether it is a byte token; '' for special ones) and the text.
"""
import gzip
import json
import random
from pathlib import Path

from sentencepiece import SentencePieceProcessor
from transformers import LlamaTokenizerFast

FIXTURES = Path(__file__).parent.parent / "fixtures"
OUT = FIXTURES / "generation" / "decoded-text.json.gz"
random.seed(11)
pieces = SentencePieceProcessor(model_file=str(FIXTURES / "vocab" / "llama-tokenizer.model"))
tokenizer = LlamaTokenizerFast(vocab_file=str(FIXTURES / "vocab" / "llama-tokenizer.model"))

TEXTS = [
    "The picture shows a man ironing clothes.", " leading and trailing  ", "\n\n a list:\n- one\n- two\n", "emoji 🙂🎉 in a row", "👩‍👩‍👧‍👦 family",
    "漢字とかな、𠜎𠜱", "မြန်မာ စာ", "tabs\tand\u00a0nbsp\u3000", "\ufeffbom", "a\u0085b \u001cc\u001f", "   ", "", "naïve café",
]


def token(id):
    if id < 3:
        return ["", False]
    return [bytes([id - 3]).hex(), True] if id < 259 else [pieces.id_to_piece(id).replace("▁", " ").encode().hex(), False]


def id_lists():
    for text in TEXTS:
        ids = tokenizer(text, add_special_tokens=False).input_ids
        yield ids
        yield ids + [2, 1]
        for _ in range(3):
            cut = random.randrange(len(ids) + 1)
            yield ids[:cut]
            # An invalid byte, a special token, or a stray space in the middle of it all.
            yield ids[:cut] + [random.choice([0xFF, 0xE2, 0x80, 0x0A, 0x20, 0xC3]) + 3] + ids[cut:]
            yield ids[:cut] + [random.choice([0, 1, 2, 29871])] + ids[cut:]
    for _ in range(200):
        alphabet = [random.randrange(3, 259) for _ in range(4)] + [random.randrange(259, 32000) for _ in range(2)] + [1, 2, 29871, 13]
        yield [random.choice(alphabet) for _ in range(random.randrange(1, 14))]


cases = [
    {"tokens": [token(id) for id in ids], "text": tokenizer.decode(ids, skip_special_tokens=True).strip()} for ids in id_lists()
]
with gzip.GzipFile(OUT, "wb", mtime=0) as file:
    file.write(json.dumps(cases).encode())
print(f"{len(cases)} cases, {OUT.stat().st_size} bytes")
