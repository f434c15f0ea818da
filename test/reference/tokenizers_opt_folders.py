"""Small folders of byte-level BPE checkpoints, odd in what their JSON files say, and what AutoTokenizer of transformers 4.34 makes of each."""
import json
import tempfile
from pathlib import Path

from transformers import AutoTokenizer
from transformers.models.gpt2.tokenization_gpt2 import bytes_to_unicode

TEXTS = ["", "What is the cat?", " and the  rest", "</s>a<pad> the<image> foo foobar<s>", "<|endoftext|>x<unk>", "caf\u00e9 \u5b57\r\n\U0001f600 .", "<cap> the<cap>x", "\u0120the foo"]
MERGES = "Ġ t|Ġ a|h e|i n|r e|o n|Ġt he|Ġ w|Ġw h|a t|Ġwh at|i s|Ġ is|o f|n d|Ġa nd|Ġ Ġ|Ã ©|f o|fo o|Ġ foo|. .".split("|")
SPECIAL = {"bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>"}
HUB = {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True, **SPECIAL}
CONFIG = {"config.json": {"model_type": "instructblip"}}


def vocabulary(characters, merges):
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *characters, *(merge.replace(" ", "") for merge in merges)]
    return {token: id for id, token in enumerate(dict.fromkeys(tokens))}


def merges_text(merges, end="\n"):
    return "#version: 0.2\n" + "\n".join(merges) + end


ALL = vocabulary(sorted(bytes_to_unicode().values()), MERGES)
BASE = {"vocab.json": ALL, "merges.txt": merges_text(MERGES)}


def token(content, special=False, **flags):
    return {"content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": special, **flags}


def fast(added=(), post=None, prefix=False, model=(), pre=None):
    """A tokenizer.json."""
    byte_level = {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": True}
    bpe = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False,
           "vocab": ALL, "merges": MERGES, **dict(model)}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [{"id": id, **each} for id, each in added], "normalizer": None,
            "pre_tokenizer": pre(byte_level) if pre else byte_level, "post_processor": post, "decoder": byte_level, "model": bpe}


def template(before=(), behind=()):
    piece = lambda text: {"SpecialToken": {"id": text, "type_id": 0}}
    single = [*map(piece, before), {"Sequence": {"id": "A", "type_id": 0}}, *map(piece, behind)]
    special = {text: {"id": text, "ids": [ALL[text]], "tokens": [text]} for text in (*before, *behind)}
    return {"type": "TemplateProcessing", "single": single, "pair": [*single, {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": special}


def variants():
    hub_added = [(1, token("<pad>", True)), (2, token("</s>", True))]
    few = [character for character in sorted(bytes_to_unicode().values()) if character not in "ÃcåĊ"]
    few_merges = [merge for merge in MERGES if "Ã" not in merge]
    byte_level = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
    with_config = lambda **settings: {**BASE, "tokenizer_config.json": {**HUB, **settings}}
    yield "hub", with_config()
    yield "hub, special_tokens_map.json decides", {**with_config(), "special_tokens_map.json": {**SPECIAL, "bos_token": "<s>"}}
    yield "no add_bos_token", with_config(add_bos_token=False)
    yield "no settings", {**BASE, **CONFIG}
    yield "bos_token null, pad_token missing", {**BASE, "tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer", "bos_token": None, "unk_token": "<unk>", "eos_token": "<eos>"}}
    yield "serialized tokens", with_config(bos_token={"__type": "AddedToken", **token("<s>", normalized=True)}, eos_token={"__type": "AddedToken", **token("<eos>", normalized=True)})
    yield "prefix space", with_config(add_prefix_space=True)
    yield "no cleaning up", with_config(clean_up_tokenization_spaces=False)
    yield "added_tokens.json", {**with_config(), "added_tokens.json": {"<image>": len(ALL), "foo": len(ALL) + 1, "<cap>": len(ALL) + 2, "Ġthe foo": len(ALL) + 3}}
    yield "added_tokens.json with other ids", {**with_config(), "added_tokens.json": {"<cap>": 400, "<image>": 390}}
    yield "additional special tokens", {**with_config(additional_special_tokens=[{"__type": "AddedToken", **token(text, True)} for text in ("<cap>", "foo")]), "added_tokens.json": {"<image>": len(ALL)}}
    decoder = {1: token("<pad>", True), 2: token("</s>", True), len(ALL): token("<image>", True), len(ALL) + 1: token("<cap>", normalized=True)}
    yield "added_tokens_decoder", {**with_config(added_tokens_decoder=decoder), "added_tokens.json": {"foo": len(ALL)}, "special_tokens_map.json": {"bos_token": "<s>"}}
    yield "merges twice", {**with_config(), "merges.txt": merges_text([*MERGES, "Ġ t", "h e"])}
    yield "no last line feed", {**with_config(), "merges.txt": merges_text(MERGES, "")}
    yield "CRLF", {**with_config(), "merges.txt": merges_text(MERGES).replace("\n", "\r\n")}
    yield "bytes without a token", {**with_config(), "vocab.json": vocabulary(few, few_merges), "merges.txt": merges_text(few_merges)}
    yield "fast, template", {"tokenizer.json": fast(hub_added, template(["</s>"])), "tokenizer_config.json": {**HUB, "add_bos_token": False}}
    yield "fast, template behind", {"tokenizer.json": fast(hub_added, template(["<s>"], ["</s>"])), "tokenizer_config.json": HUB}
    yield "fast, no post_processor", {"tokenizer.json": fast(hub_added), "tokenizer_config.json": HUB}
    yield "fast beside vocab.json", {**BASE, "tokenizer.json": fast(hub_added, {**byte_level}), "tokenizer_config.json": HUB}
    yield "fast, prefix in tokenizer.json only", {"tokenizer.json": fast(hub_added, prefix=True), "tokenizer_config.json": HUB}
    yield "fast, prefix in the config only", {"tokenizer.json": fast(hub_added), "tokenizer_config.json": {**HUB, "add_prefix_space": True}}
    sequence = lambda step: {"type": "Sequence", "pretokenizers": [step]}
    yield "fast, prefix in a sequence", {"tokenizer.json": fast(hub_added, prefix=True, pre=sequence), "tokenizer_config.json": HUB}
    yield "general class", {"tokenizer.json": fast(hub_added, prefix=True), "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "</s>"}}
    roberta = {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": True, "add_prefix_space": False}
    yield "fast, RobertaProcessing", {"tokenizer.json": fast(hub_added, roberta), "tokenizer_config.json": HUB}
    steps = {"type": "Sequence", "processors": [byte_level, template(["</s>"])]}
    yield "fast, sequence of post_processors", {"tokenizer.json": fast(hub_added, steps), "tokenizer_config.json": HUB}
    added = [*hub_added, (len(ALL), token("<image>", True)), (len(ALL) + 1, token("<cap>", normalized=True)), (len(ALL) + 2, token("foo"))]
    yield "fast, added tokens", {"tokenizer.json": fast(added, template(["</s>"])), "tokenizer_config.json": HUB}
    yield "fast, special tokens that it does not know", {"tokenizer.json": fast(hub_added, template(["</s>"])), "tokenizer_config.json": {**HUB, "pad_token": "<cap>", "unk_token": "foo"}}
    yield "fast, merges twice", {"tokenizer.json": fast(hub_added, model={"merges": [*MERGES, "Ġ t", "h e"]}), "tokenizer_config.json": HUB}
    yield "fast, unk_token without need", {"tokenizer.json": fast(hub_added, model={"unk_token": "<unk>", "fuse_unk": True}), "tokenizer_config.json": HUB}


def without_special(tokenizer):
    """Ids of a text where the shape of special tokens is nothing special."""
    from tokenizers import Tokenizer

    model = json.loads(tokenizer.backend_tokenizer.to_str())
    added = [each for each in model["added_tokens"] if not each["special"]]
    for each in added:
        model["model"]["vocab"].setdefault(each["content"], each["id"])
    plain = Tokenizer.from_str(json.dumps(model | {"added_tokens": added, "post_processor": None}))
    return lambda text: plain.encode(text).ids


def outcome(files):
    with tempfile.TemporaryDirectory() as name:
        for file, content in files.items():
            data = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
            (Path(name) / file).write_bytes(data.encode())
        tokenizer = AutoTokenizer.from_pretrained(name)
    plain, ids = without_special(tokenizer), list(range(len(tokenizer)))
    return {
        "size": len(tokenizer),
        "ids": [tokenizer(text).input_ids for text in TEXTS],
        "plain": [plain(text) for text in TEXTS],
        # Each alone: what a token is in text, if anything.
        "tokens": [tokenizer.decode([id], skip_special_tokens=True, clean_up_tokenization_spaces=False) for id in ids],
        "named": {name: tokenizer.convert_tokens_to_ids(getattr(tokenizer, name)) for name in ("bos_token", "eos_token", "unk_token", "pad_token") if getattr(tokenizer, name)},
        "cleanUp": tokenizer.clean_up_tokenization_spaces,
    }


def folders():
    made = []
    for name, files in variants():
        made.append({"name": name, "files": files, **outcome(files)})
    return {"texts": TEXTS, "folders": made}
