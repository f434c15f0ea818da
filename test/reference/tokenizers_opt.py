"""What transformers 4.34 makes of OPT's tokenizer (GPT-2's byte-level BPE): ids of strings, texts of ids, and which files decide.

    python test/reference/tokenizers_opt.py        writes test/fixtures/tokenizers/opt-strings.json.gz and opt-folders.json.gz

opt-strings: GPT-2's merges (test/fixtures/vocab/gpt2-merges.txt.gz) numbered as OPT's, 24,000 strings put together from the pool by a generator that
test/unit/processor/support/opt-strings.ts repeats. Digests (4 bytes of SHA-256 each) over the ids with special tokens, without (-1 between), and without but
with add_prefix_space; over the text of the ids without special tokens, stripped, as it is and (the next digest) cleaned up; over the texts of random ids. Of every
code point: what it joins. opt-folders: small checkpoint folders, file by file, and what AutoTokenizer makes of them.
"""
import base64
import gzip
import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np
import tokenizers
import transformers
from tokenizers import Tokenizer
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers_opt_folders import folders
from tokenizers_pool import make_pool
from transformers import AutoTokenizer
from transformers.models.gpt2.tokenization_gpt2 import bytes_to_unicode

SEED, COUNT, RANDOM_IDS = 17, 24000, 4000
FIXTURES = Path(__file__).parent.parent / "fixtures"
BLOCK = 4096
VERSIONS = {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__}
ADDED = {"<image>": 50260, "picture": 50261, "<s": 50262, "<s>x": 50263}  # as stated; HF knows `picture` already and gives the ids 50260, that one's, 50261, 50262
# Not as a string: of those, without a tokenizer.json, transformers 4.34 makes tokens that swallow the spaces around them (later versions do not).
IMAGE = {"__type": "AddedToken", "content": "<image>", "lstrip": False, "rstrip": False, "normalized": False, "special": True}
SPECIAL = {"bos_token": "</s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "additional_special_tokens": [IMAGE]}
EXTRA = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "''s", " 's", "'sx", "’s", "'", "<pad>", "<image>", "picture", " picture", "pictures", "<s", "<s>x", "Ġ", "Ġthe", "Ċ", "ĠĠ",
         "٣٤", "௧௨", "x²", "1a", "a1", "1½", "Ⅷx", "\u1c89", "\ua7cb", "\u088f", "\U000105c0", "\U00031350", "\U00011f02", "\U00011f50", "\U0001e4f0", " \u0085", "\u0085x", "\ufeffx", "\x1c", "\x1fx", "\u00a0x",
         "  x", "\n x", " \nx", "\t x", "\u3000x", " ,", " .", " !", " ?", " n't", " 'm", " 've", " 're", "a .b", "\r\n\r\n", "\x85\x85", "…", "...", "-----", "ĠGu", "\ud7ff", "\ue000"]


def numbers(seed):
    """mulberry32, whole numbers of 32 bits: as in test/unit/support/random.ts."""
    state = seed
    while True:
        state = (state + 0x6D2B79F5) & 0xFFFFFFFF
        t = ((state ^ (state >> 15)) * (state | 1)) & 0xFFFFFFFF
        t ^= (t + ((t ^ (t >> 7)) * (t | 61) & 0xFFFFFFFF)) & 0xFFFFFFFF
        yield t ^ (t >> 14)


def make_strings(pool):
    """Every piece alone, then one to eight of them, every other time with spaces between."""
    random = numbers(SEED)
    strings = list(pool)
    while len(strings) < COUNT:
        glue = "" if next(random) % 2 else " "
        strings.append(glue.join(pool[next(random) % len(pool)] for _ in range(1 + next(random) % 8)))
    return strings


def write_vocabulary(folder):
    text = gzip.decompress((FIXTURES / "vocab" / "gpt2-merges.txt.gz").read_bytes()).decode()
    merges = text.splitlines()[1:]
    characters = sorted(bytes_to_unicode().values())
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *characters, *(merge.replace(" ", "") for merge in merges)]
    assert len(set(tokens)) == len(tokens) == 50260
    (folder / "merges.txt").write_text(text, "utf-8")
    (folder / "vocab.json").write_text(json.dumps({token: id for id, token in enumerate(tokens)}), "utf-8")


def load(**settings):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_vocabulary(folder)
        config = {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True, **SPECIAL, **settings}
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
        (folder / "added_tokens.json").write_text(json.dumps(ADDED))
        return AutoTokenizer.from_pretrained(folder)


def without_special(tokenizer):
    model = json.loads(tokenizer.backend_tokenizer.to_str())
    added = [token for token in model["added_tokens"] if not token["special"]]
    for token in added:
        model["model"]["vocab"].setdefault(token["content"], token["id"])  # keeps the ids without the special ones before them
    return Tokenizer.from_str(json.dumps(model | {"added_tokens": added, "post_processor": None}))


def digest(data):
    return hashlib.sha256(data).digest()[:4]


def packed(digests):
    return base64.b64encode(b"".join(digests)).decode()


def texts_of(tokenizer, ids):
    """Digests of the text that generation gives, stripped: as it is, and cleaned up."""
    for clean in (False, True):
        yield digest(tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=clean).strip().encode())


def random_ids(count, size):
    random = numbers(SEED + 1)
    for _ in range(count):
        # Bytes alone in every other list: characters cut anywhere, and what is no UTF-8 at all.
        few = 260 if next(random) % 2 else size
        yield [next(random) % few for _ in range(1 + next(random) % 16)]


def strings():
    hf, prefixed = load(), load(add_prefix_space=True)
    plain, plain_prefixed = without_special(hf), without_special(prefixed)
    pool = list(dict.fromkeys([*make_pool(SEED), *EXTRA]))
    texts = make_strings(pool)
    ids, decoded = [], []
    for text in texts:
        each = hf(text).input_ids, plain.encode(text).ids, plain_prefixed.encode(text).ids
        ids.append(digest(np.array([*each[0], -1, *each[1], -1, *each[2]], "<i4").tobytes()))
        decoded.extend(texts_of(hf, each[1]))
    return {
        "seed": SEED, "versions": VERSIONS, "added": list(ADDED), "pool": pool, "count": COUNT,
        "ids": packed(ids), "decoded": packed(decoded),
        "whole": [[hf(text).input_ids, plain.encode(text).ids, plain_prefixed.encode(text).ids] for text in texts[:400:4]],
        "randomDecoded": packed(each for ids in random_ids(RANDOM_IDS, len(hf)) for each in texts_of(hf, ids)), "randomCount": RANDOM_IDS,
        "codePoints": {"block": BLOCK, "digests": code_points()},
    }


def code_points():
    split = ByteLevel(add_prefix_space=False).pre_tokenize_str
    blocks = []
    for start in range(0, 0x110000, BLOCK):
        texts = [f"a{chr(point)}1{chr(point)}!{chr(point)}\n{chr(point)} a" for point in range(start, start + BLOCK) if not 0xD800 <= point < 0xE000]
        lines = ["\x1f".join(text[begin:end] for _, (begin, end) in split(text)) for text in texts]
        blocks.append(digest("\x1e".join(lines).encode()).hex())
    return blocks


def write(name, content):
    data = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    path = FIXTURES / "tokenizers" / name
    path.write_bytes(gzip.compress(data, 9, mtime=0))
    print(path.name, path.stat().st_size)


def main():
    write("opt-strings.json.gz", strings())
    write("opt-folders.json.gz", {"versions": VERSIONS, **folders()})


if __name__ == "__main__":
    main()
