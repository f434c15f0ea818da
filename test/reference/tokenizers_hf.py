"""Ids as transformers 4.34 gives them for the two tokenizers of InstructBLIP's Vicuna checkpoints.

    python test/reference/tokenizers_hf.py        writes test/fixtures/tokenizers/strings.json.gz and code-points.json.gz

The folders are laid out as on the hub (LLaMA's tokenizer.model and BERT's vocab.txt of test/fixtures/vocab, the JSON files around them, and the tokenizer.json that
transformers makes of both). Two sets of ids for each string: "hf", what the processor gives, and "plain", with no added tokens at all, so that text in the shape of a special
token stays text. Of most strings only a digest is kept: the first 4 bytes of SHA-256 over the ids (int32, little endian) of hf, -1, plain; and over the decoded, stripped text.
"""
import base64
import gzip
import hashlib
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import tokenizers
import transformers
from tokenizers import Tokenizer
from tokenizers_pool import make_pool, make_strings
from transformers import AutoTokenizer

SEED, COUNT, WHOLE = 11, 6000, 1200
FIXTURES = Path(__file__).parent.parent / "fixtures"
BLOCK = 4096

LLAMA = {
    "tokenizer_config.json": {
        "tokenizer_class": "LlamaTokenizer", "bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": None, "truncation_side": "left",
        "model_max_length": 2048, "clean_up_tokenization_spaces": False,
    },
    "special_tokens_map.json": {"bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": "[PAD]"},
    "added_tokens.json": {"[PAD]": 32000},
}
BERT_SPECIAL = {
    "bos_token": "[DEC]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]", "mask_token": "[MASK]",
}
BERT = {
    "tokenizer_config.json": {
        "tokenizer_class": "BertTokenizer", "do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True, "truncation_side": "left",
        "model_max_length": 512, **BERT_SPECIAL,
    },
    "special_tokens_map.json": BERT_SPECIAL,
    "added_tokens.json": {"[DEC]": 30522},
}


def load(vocabulary, name, files):
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(FIXTURES / "vocab" / vocabulary, Path(folder) / name)
        for file, content in files.items():
            (Path(folder) / file).write_text(json.dumps(content))
        made = json.loads(AutoTokenizer.from_pretrained(folder).backend_tokenizer.to_str())
        for token in made["added_tokens"]:
            token |= {"normalized": False, "special": True}  # as add_special_tokens made them when the checkpoints were saved
        (Path(folder) / "tokenizer.json").write_text(json.dumps(made))
        return AutoTokenizer.from_pretrained(folder)


def without_added_tokens(tokenizer):
    model = json.loads(tokenizer.backend_tokenizer.to_str())
    return Tokenizer.from_str(json.dumps(model | {"added_tokens": [], "post_processor": None}))


def digest(data):
    return hashlib.sha256(data).digest()[:4]


def digest_ids(ids):
    return digest(np.array(ids, "<i4").tobytes())


def ids_of(tokenizer, texts):
    """(hf, plain) of each text; plain within the same beginning and end as hf."""
    plain = without_added_tokens(tokenizer)
    empty = tokenizer("").input_ids
    for text in texts:
        yield tokenizer(text).input_ids, [empty[0], *plain.encode(text, add_special_tokens=False).ids, *empty[1:]]


def write(name, content):
    path = FIXTURES / "tokenizers" / name
    path.parent.mkdir(exist_ok=True)
    data = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    path.write_bytes(gzip.compress(data, 9, mtime=0))
    print(path.name, path.stat().st_size)


def strings(llama, bert, versions):
    pool = make_pool(SEED)
    parts = make_strings(pool, COUNT, SEED)
    texts = ["".join(pool[i] for i in each) for each in parts]
    result = {"seed": SEED, "versions": versions, "pool": pool, "strings": parts}
    for name, tokenizer in (("llama", llama), ("bert", bert)):
        both = list(ids_of(tokenizer, texts))
        digests = b"".join(digest_ids([*hf, -1, *plain]) for hf, plain in both)
        # Whole where it helps to see: pieces alone.
        result[name] = {"digests": base64.b64encode(digests).decode(), "whole": [[hf, plain] for hf, plain in both[:WHOLE:4]]}
        if name == "llama":
            decoded = [tokenizer.decode(plain, skip_special_tokens=True).strip() for _, plain in both]
            result[name]["decoded"] = base64.b64encode(b"".join(digest(text.encode()) for text in decoded)).decode()
    write("strings.json.gz", result)


def code_points(bert, versions):
    """Of every block of code points: what BERT makes of 'a' + character + 'b', as a digest over its pre-tokenized words."""
    backend = bert.backend_tokenizer
    blocks = []
    for start in range(0, 0x110000, BLOCK):
        lines = []
        for point in range(start, start + BLOCK):
            if 0xD800 <= point < 0xE000:
                continue
            normal = backend.normalizer.normalize_str(f"a{chr(point)}b")
            words = [word for word, _ in backend.pre_tokenizer.pre_tokenize_str(normal)]
            lines.append("\x1f".join(words))
        blocks.append(digest("\x1e".join(lines).encode()).hex())
    write("code-points.json.gz", {"versions": versions, "block": BLOCK, "digests": blocks})


def main():
    versions = {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__}
    llama = load("llama-tokenizer.model", "tokenizer.model", LLAMA)
    bert = load("bert-vocab.txt", "vocab.txt", BERT)
    strings(llama, bert, versions)
    code_points(bert, versions)


if __name__ == "__main__":
    main()
