"""Ids and texts as transformers 4.34 gives them for Flan-T5's tokenizer.

    python test/reference/tokenizers_t5.py        writes test/fixtures/tokenizers/t5-strings.json.gz, t5-code-points.json.gz, t5-decoded.json.gz and
                                                  t5-lattices.json.gz

The folder is laid out as on the hub: tokenizer.json of test/fixtures/vocab with InstructBLIP's `<image>`, and tokenizer_config.json. Two sets of ids for each string, as in
tokenizers_hf.py: "hf" and "plain". For "plain" the special pieces of the vocabulary have other names too: HF's lattice would find them in text. Only digests are kept (4 bytes of
SHA-256): over the ids of hf, -1, plain; over the decoded, stripped texts of both, with U+001F between.
"""
import base64
import gzip
import hashlib
import json
import random
import tempfile
from pathlib import Path

import tokenizers
import transformers
from tokenizers import Tokenizer
from tokenizers_hf import digest, digest_ids, write
from tokenizers_pool import make_pool, make_strings
from transformers import AutoTokenizer

SEED, COUNT, WHOLE, LISTS = 12, 24000, 1200, 20000
VOCABULARY = Path(__file__).parent.parent / "fixtures" / "vocab" / "t5-tokenizer.json.gz"
IMAGE = 32100
ROWS = 32128
CONFIG = {
    "tokenizer_class": "T5Tokenizer", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "extra_ids": 100, "model_max_length": 512,
    "additional_special_tokens": [f"<extra_id_{i}>" for i in range(100)], "truncation_side": "left", "clean_up_tokenization_spaces": True,
}
# What only T5 has: its special tokens, also in full width (normalization makes them anew), and what clean_up_tokenization looks for.
PIECES = """<pad>|<extra_id_0>|<extra_id_99>|<extra_id_9>|<extra_id_100>|＜/s＞|＜extra_id_0＞|＜unk＞|＜image＞| .| ?| !| ,| '| ' |  ' | n't| 'm| 's| 've| 're| n| '|n't| do n't| I 'm| ' ' |'m|'ve|.|' re
½\u0301|\u00a0\u0301|a\u0344|\u0345|\u2474|\ufdfa|\u3300|\u1e9b\u0323|\u00bc\u200d|ﷺ|゛|か゛|ｶﾞ|\u0600a|\u06dd1|\r|\n|a\r\nb|\u00ad|\u200d|\ufe0f|©\u200d|®\ufe0f|\u00a8|¨a|\u2028|\ufeff|\x1f|\0a|<|>|translate English to German:"""
FORMS = ["{}", "a{}b \u00bd{} {}\u0301 \u00a0{}"]
BLOCK = 4096
BLOCKS = [*range(0x0, 0x20000, BLOCK), 0x20000, 0x2F000, 0xE0000, 0x10F000]


def load():
    made = json.loads(gzip.decompress(VOCABULARY.read_bytes()))
    made["added_tokens"].append(made["added_tokens"][0] | {"id": IMAGE, "content": "<image>"})
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tokenizer.json").write_text(json.dumps(made))
        (Path(folder) / "tokenizer_config.json").write_text(json.dumps(CONFIG))
        return AutoTokenizer.from_pretrained(folder)


def without_special(tokenizer):
    model = json.loads(tokenizer.backend_tokenizer.to_str())
    special = {token["content"] for token in model["added_tokens"]}
    for entry in model["model"]["vocab"]:
        if entry[0] in special:
            entry[0] = "\x01" + entry[0]  # normalization removes U+0001
    return Tokenizer.from_str(json.dumps(model | {"added_tokens": [], "post_processor": None}))


def encode_all(tokenizer, texts):
    plain = without_special(tokenizer)
    hf = tokenizer(texts).input_ids
    return [(ids, [*found.ids, 1]) for ids, found in zip(hf, plain.encode_batch(texts, add_special_tokens=False))]


def decode(tokenizer, ids):
    return tokenizer.decode(ids, skip_special_tokens=True).strip()


def strings(tokenizer, versions):
    pool = list(dict.fromkeys([*make_pool(SEED), *PIECES.replace("\n", "|").split("|")]))
    parts = make_strings(pool, COUNT, SEED)
    both = encode_all(tokenizer, ["".join(pool[i] for i in each) for each in parts])
    ids = b"".join(digest_ids([*hf, -1, *plain]) for hf, plain in both)
    texts = b"".join(digest("\x1f".join(decode(tokenizer, each) for each in pair).encode()) for pair in both)
    write("t5-strings.json.gz", {
        "seed": SEED, "versions": versions, "pool": pool, "strings": parts, "ids": base64.b64encode(ids).decode(), "texts": base64.b64encode(texts).decode(),
        "whole": both[:WHOLE:4],
    })


def code_points(tokenizer, versions):
    """Of every block of code points: a digest over the ids of all its characters in all FORMS."""
    blocks = []
    for start in BLOCKS:
        texts = [form.replace("{}", chr(point)) for point in range(start, start + BLOCK) if not 0xD800 <= point < 0xE000 for form in FORMS]
        found = tokenizer.backend_tokenizer.encode_batch(texts) if texts else []
        blocks.append([start, digest_ids([id for each in found for id in each.ids]).hex()])
    write("t5-code-points.json.gz", {"versions": versions, "forms": FORMS, "block": BLOCK, "blocks": blocks})


def id_list(index, likely):
    """The same in the test: 1 to 12 ids out of a hash, half of them among the likely ones, which clean-up looks for."""
    data = hashlib.sha256(f"{SEED}:{index}".encode()).digest()
    words = [int.from_bytes(data[i : i + 2], "big") for i in range(2, 2 + 2 * (1 + data[0] % 12), 2)]
    return [likely[(word >> 1) % len(likely)] if word & 1 else (word >> 1) % ROWS for word in words]


def decoded(tokenizer, versions):
    texts = ["▁", "'", ".", "?", "!", ",", "▁'", "▁.", "n", "▁n", "t", "m", "▁m", "s", "ve", "▁ve", "re", "▁re", "'", "▁", "</s>", "<unk>", "<extra_id_0>", "▁don", "▁I"]
    likely = [tokenizer.backend_tokenizer.token_to_id(text) for text in texts]
    likely = [id for id in likely if id is not None]
    digests = b"".join(digest(decode(tokenizer, id_list(i, likely)).encode()) for i in range(LISTS))
    write("t5-decoded.json.gz", {"seed": SEED, "versions": versions, "likely": likely, "rows": ROWS, "count": LISTS, "digests": base64.b64encode(digests).decode()})


def lattice(rng):
    """A random small vocabulary, most of its scores shared by several pieces, so that many paths are equal; and what becomes of random strings."""
    alphabet = rng.sample(list("abcde字é😀▁ "), rng.randrange(2, 8))
    scores = {}
    for _ in range(rng.randrange(3, 40)):
        piece = "".join(rng.choice(alphabet) for _ in range(rng.randrange(1, 5))).replace(" ", "▁")
        scores[piece] = -rng.randrange(1, 9) / 2 if rng.random() < 0.9 else -rng.randrange(1, 1 << 20) / (1 << 15)
    vocab = [["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], *map(list, scores.items())]
    joins, prefix = rng.random() < 0.5, rng.random() < 0.7
    tokenizer = Tokenizer.from_str(json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "post_processor": None, "decoder": None,
        "normalizer": {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "} if joins else None,
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": prefix}, "model": {"type": "Unigram", "unk_id": 2, "vocab": vocab},
    }))
    texts = ["".join(rng.choice([*alphabet, "x", " "]) for _ in range(rng.randrange(0, 30))) for _ in range(20)]
    return {"vocab": vocab, "joins": joins, "prefix": prefix, "texts": texts, "ids": [tokenizer.encode(text).ids for text in texts]}


def main():
    versions = {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__}
    tokenizer = load()
    strings(tokenizer, versions)
    decoded(tokenizer, versions)
    code_points(tokenizer, versions)
    rng = random.Random(SEED)
    write("t5-lattices.json.gz", {"seed": SEED, "versions": versions, "lattices": [lattice(rng) for _ in range(200)]})


if __name__ == "__main__":
    main()
