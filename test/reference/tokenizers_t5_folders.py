"""Folders with a Unigram tokenizer as transformers 4.34 loads them.

    python test/reference/tokenizers_t5_folders.py        writes test/fixtures/tokenizers/t5-folders.json.gz

Each folder: its files (base64), and for every text the ids of the loaded tokenizer and what it decodes them to. The SentencePiece models are trained here, on the sentences of
tokenizers_pool.py, with few normalization rules: SentencePiece's own tables are large. Special tokens stand without spaces around them, extra ids alone: what 4.34 writes of lstrip,
rstrip and single_word into some of these folders is not kept.
"""
import base64
import io
import json
import tempfile
from pathlib import Path

import sentencepiece
import tokenizers
import transformers
from sentencepiece import SentencePieceTrainer
from tokenizers import AddedToken
from tokenizers_hf import write
from tokenizers_pool import SENTENCES
from transformers import AutoTokenizer, T5Tokenizer, T5TokenizerFast

# NBSP and tab to a space, U+200B to nothing, a ligature, upper case, a digraph: first in the short, then in the long form.
RULES = "A0\t20\n9\t20\n200B\t\nFB01\t66 69\nC9\t45 301\n63 68\t78\n31 32\t33\n"
TEXTS = [
    "", " ", "What is unusual about this image?", "  two   spaces ", "tab\tand\u00a0nbsp", "naïve café ☕☕ x", "ﬁ ch CH 12 É E\u0301", "a\u200bb", "</s>", "a<unk>b", "<pad><extra_id_0>", "<extra_id_1>",
    "<extra_id_2>", "<image>a", "say foo now", "foo", "sym<sep>bol", "<s>a", "▁▁a▁b", "don't . I 'm", "<0x41>", "日本語 テスト", "\u200b", "don ' t", "Ὀδυσσεὺς καὶ", "[PAD]",
]


def train(folder, **options):
    model = io.BytesIO()
    rules = folder / "rules.tsv"
    if not options.pop("identity", False):
        rules.write_text(RULES)
        options["normalization_rule_tsv"] = str(rules)
    else:
        options["normalization_rule_name"] = "identity"
    options = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1, "model_type": "unigram", "vocab_size": 250, **options}
    sentences = [line for line in SENTENCES.replace("\n", "|").split("|") if max(map(ord, line)) < 0x100]
    SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_writer=model, hard_vocab_limit=False, num_threads=1, minloglevel=2, **options
    )
    return model.getvalue()


def config(**changes):
    return {"tokenizer_class": "T5Tokenizer", "extra_ids": 3, "model_max_length": 512, **changes}


def spiece(folder, settings=None, special=None, **options):
    (folder / "spiece.model").write_bytes(train(folder, **options))
    if settings is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    if special is not None:
        (folder / "special_tokens_map.json").write_text(json.dumps(special))


def saved(tokenizer_class, change=None, edit=None, keep=("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "spiece.model")):
    """A folder that `tokenizer_class` saved after `change`; `edit` gets its tokenizer.json."""

    def make(folder):
        spiece(folder, config())
        tokenizer = tokenizer_class.from_pretrained(folder)
        if change:
            change(tokenizer)
        for path in folder.iterdir():
            path.unlink()
        tokenizer.save_pretrained(folder)
        for path in folder.iterdir():
            if path.name not in keep:
                path.unlink()
        if edit:
            path = folder / "tokenizer.json"
            made = json.loads(path.read_text())
            edit(made)
            path.write_text(json.dumps(made))

    return make


def generic(folder):
    saved(T5TokenizerFast)(folder)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tokenizer_class": "PreTrainedTokenizerFast"}))


def both_templates(made):
    made["post_processor"]["single"].insert(0, {"SpecialToken": {"id": "<pad>", "type_id": 0}})
    made["post_processor"]["special_tokens"]["<pad>"] = {"id": "<pad>", "ids": [0], "tokens": ["<pad>"]}


def without_prefix(made):
    made["pre_tokenizer"]["add_prefix_space"] = made["decoder"]["add_prefix_space"] = False


ALL_BUT_SPIECE = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
FOLDERS = {
    "spiece": lambda folder: spiece(folder, config()),
    "spiece-alone": lambda folder: spiece(folder),
    "spiece-no-extra-ids": lambda folder: spiece(folder, config(extra_ids=0)),
    "spiece-other-ids": lambda folder: spiece(folder, config(), unk_id=0, pad_id=1, eos_id=2),
    "spiece-bos": lambda folder: spiece(folder, config(), bos_id=3),
    "spiece-identity": lambda folder: spiece(folder, config(), identity=True),
    "spiece-keeps-spaces": lambda folder: spiece(folder, config(), remove_extra_whitespaces=False, add_dummy_prefix=False),
    "spiece-symbols": lambda folder: spiece(folder, config(), user_defined_symbols=["<sep>", "foo"], control_symbols=["<ctl>"]),
    "spiece-bytes": lambda folder: spiece(folder, config(), byte_fallback=True, vocab_size=420),
    "spiece-special-map": lambda folder: spiece(folder, config(), {"additional_special_tokens": [f"<extra_id_{i}>" for i in range(3)], "pad_token": "[PAD]"}),
    "no-clean-up": lambda folder: spiece(folder, config(clean_up_tokenization_spaces=False)),
    "saved-fast": saved(T5TokenizerFast),
    "saved-fast-json": saved(T5TokenizerFast, keep=ALL_BUT_SPIECE),
    "saved-json-alone": saved(T5TokenizerFast, keep=("tokenizer.json",)),
    "saved-slow": saved(T5Tokenizer),
    "image-token": saved(T5TokenizerFast, lambda tokenizer: tokenizer.add_tokens([AddedToken("<image>", special=True, normalized=False)], special_tokens=True), keep=ALL_BUT_SPIECE),
    "image-token-slow": saved(T5Tokenizer, lambda tokenizer: tokenizer.add_tokens([AddedToken("<image>", special=True, normalized=False)], special_tokens=True)),
    "user-token": saved(T5TokenizerFast, lambda tokenizer: tokenizer.add_tokens(["foo"]), keep=ALL_BUT_SPIECE),
    "generic-class": generic,
    "both-affixes": saved(T5TokenizerFast, edit=both_templates, keep=ALL_BUT_SPIECE),
    "no-template": saved(T5TokenizerFast, edit=lambda made: made.update(post_processor=None), keep=ALL_BUT_SPIECE),
    "no-normalizer": saved(T5TokenizerFast, edit=lambda made: made.update(normalizer=None), keep=ALL_BUT_SPIECE),
    "map-alone": saved(T5TokenizerFast, edit=lambda made: made.update(normalizer=made["normalizer"]["normalizers"][0]), keep=ALL_BUT_SPIECE),
    "no-prefix": saved(T5TokenizerFast, edit=without_prefix, keep=ALL_BUT_SPIECE),
}


def load(name, folder):
    if (folder / "tokenizer_config.json").exists():
        return AutoTokenizer.from_pretrained(folder)
    return T5TokenizerFast.from_pretrained(folder)


def describe(name, make):
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        make(folder)
        (folder / "rules.tsv").unlink(missing_ok=True)
        tokenizer = load(name, folder)
        ids = [tokenizer(text).input_ids for text in TEXTS]
        return {
            "name": name, "class": type(tokenizer).__name__, "files": {file.name: base64.b64encode(file.read_bytes()).decode() for file in sorted(folder.iterdir())},
            "size": len(tokenizer), "special": sorted(tokenizer.convert_tokens_to_ids(list(tokenizer.all_special_tokens))), "ids": ids,
            "texts": [tokenizer.decode(each, skip_special_tokens=True).strip() for each in ids],
        }


def main():
    versions = {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__, "sentencepiece": sentencepiece.__version__}
    write("t5-folders.json.gz", {"versions": versions, "texts": TEXTS, "folders": [describe(*each) for each in FOLDERS.items()]})


if __name__ == "__main__":
    main()
