"""What transformers 4.34's InstructBlipProcessor makes of texts, ids and pictures.

    python test/reference/processor_hf.py                       writes test/fixtures/processor/processor.json.gz
    python test/reference/processor_hf.py equal FOLDER FOLDER   whether two processor folders give equal results

Folders: LLaMA's, T5's and OPT's tokenizer with the hub's settings, and variants of the settings. Their small files are in the fixture, the large ones are those
of test/fixtures/vocab. `grid`: for each folder, each batch of texts and each combination of options (itertools.product, in the order of the lists), 4 bytes of
SHA-256 over the four tensors, or zeros where there are none because the rows differ in length, or 0xff where it is a ValueError. `decoded`: 4 bytes for each list
of ids and each choice of options. `pixels`: whole SHA-256 of pixel_values as float32.
"""
import base64
import gzip
import hashlib
import itertools
import json
import logging
import random
import sys
import tempfile
from pathlib import Path

import numpy as np
import PIL.ImageOps
import tokenizers
import transformers
from transformers import InstructBlipProcessor
from transformers.image_utils import load_image
from transformers.models.gpt2.tokenization_gpt2 import bytes_to_unicode

SEED = 31
FIXTURES = Path(__file__).parent.parent / "fixtures"
IMAGES = FIXTURES / "images"
UNSET = "unset"
BATCHES = ["What is unusual about this image?", "yes", "", ["a cat", "a dog"], ["Describe the picture.", "yes", "", "café <image></s> [SEP] 字 \U0001f600 don't  stop ."]]
OPTIONS = {
    "padding": [UNSET, False, True, "longest", "max_length", "do_not_pad"],
    "truncation": [UNSET, False, True, "longest_first", "only_first", "do_not_truncate"],
    "max_length": [UNSET, 2, 5, 12],
    "pad_to_multiple_of": [UNSET, 4],
    "add_special_tokens": [UNSET, False],
}
DECODE = {"skip_special_tokens": [UNSET, True], "clean_up_tokenization_spaces": [UNSET, True, False]}
LISTS = 250
IMAGE_CASES = [
    {}, {"do_resize": False}, {"size": {"height": 37, "width": 100}}, {"size": {"height": 300, "width": 5}}, {"resample": 3}, {"do_rescale": False}, {"do_normalize": False},
    {"do_rescale": False, "do_normalize": False}, {"do_resize": False, "do_rescale": False, "do_normalize": False}, {"rescale_factor": 1 / 127.5}, {"rescale_factor": -2},
    {"image_mean": 0.5, "image_std": 0.25}, {"image_mean": [0.1, -0.2, 3], "image_std": [1, 2, 0.3]}, {"do_rescale": False, "image_mean": [100, 110, 120], "image_std": 57.5},
    {"do_convert_rgb": True, "do_resize": True, "do_rescale": True, "do_normalize": True},
]
IMAGE_FILES = ["baseline.jpg", "90x224.png", "224x90.png", "rgba.png", "exif-6.jpg"]

PREPROCESSOR = {
    "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_processor_type": "BlipImageProcessor",
    "image_std": [0.26862954, 0.26130258, 0.27577711], "processor_class": "InstructBlipProcessor", "resample": 3, "rescale_factor": 0.00392156862745098, "size": {"height": 224, "width": 224},
}
QFORMER = {"tokenizer_class": "BertTokenizer", "bos_token": "[DEC]", "truncation_side": "left", "model_max_length": 512, "do_lower_case": True}


def added(content, special=True):
    return {"__type": "AddedToken", "content": content, "lstrip": False, "rstrip": False, "normalized": False, "special": special}


LLAMA = {
    "preprocessor_config.json": PREPROCESSOR,
    "tokenizer_config.json": {
        "tokenizer_class": "LlamaTokenizer", "bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": "[PAD]", "model_max_length": 2048, "truncation_side": "left",
        "clean_up_tokenization_spaces": False, "add_bos_token": True, "add_eos_token": False,
    },
    "added_tokens.json": {"[PAD]": 32000, "<image>": 32001},
    "special_tokens_map.json": {"additional_special_tokens": [added("<image>")]},
    "qformer_tokenizer/tokenizer_config.json": QFORMER,
}
T5 = {
    "preprocessor_config.json": PREPROCESSOR,
    "tokenizer_config.json": {"tokenizer_class": "T5Tokenizer", "model_max_length": 512, "truncation_side": "left", "extra_ids": 100},
    "added_tokens.json": {"<image>": 32100},
    "special_tokens_map.json": {"additional_special_tokens": [*(f"<extra_id_{i}>" for i in range(100)), added("<image>")]},
    "qformer_tokenizer/tokenizer_config.json": QFORMER,
}
OPT = {
    "preprocessor_config.json": PREPROCESSOR,
    "tokenizer_config.json": {
        "tokenizer_class": "GPT2Tokenizer", "bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>", "add_bos_token": True, "truncation_side": "left",
    },
    "added_tokens.json": {"<image>": 50260},
    "special_tokens_map.json": {"additional_special_tokens": [added("<image>")]},
    "qformer_tokenizer/tokenizer_config.json": QFORMER,
}


def variant(files, **changes):
    """`changes`: fields of tokenizer_config.json, and of that of the Q-Former under `qformer`; None takes one away."""
    changed = lambda settings, fields: {name: value for name, value in {**settings, **fields}.items() if value is not None}
    qformer = changes.pop("qformer", {})
    return {
        **files,
        "tokenizer_config.json": changed(files["tokenizer_config.json"], changes),
        "qformer_tokenizer/tokenizer_config.json": changed(files["qformer_tokenizer/tokenizer_config.json"], qformer),
    }


FOLDERS = {
    "llama": ("llama", LLAMA),
    "t5": ("t5", T5),
    "opt": ("opt", OPT),
    "llama, other sides": ("llama", variant(LLAMA, padding_side="right", truncation_side=None, model_max_length=8, qformer={"padding_side": "left", "truncation_side": "right", "model_max_length": 4})),
    "t5, no lengths": ("t5", variant(T5, model_max_length=None, clean_up_tokenization_spaces=False, padding_side="left", qformer={"model_max_length": None, "clean_up_tokenization_spaces": False})),
    "opt, no padding token": ("opt", variant(OPT, pad_token=None)),
}


def vocabulary(kind):
    if kind == "llama":
        return {"tokenizer.model": (FIXTURES / "vocab/llama-tokenizer.model").read_bytes()}
    if kind == "t5":
        return {"tokenizer.json": gzip.decompress((FIXTURES / "vocab/t5-tokenizer.json.gz").read_bytes())}
    merges = gzip.decompress((FIXTURES / "vocab/gpt2-merges.txt.gz").read_bytes())
    pairs = merges.decode().rstrip("\n").split("\n")[1:]
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *bytes_to_unicode().values(), *(pair.replace(" ", "") for pair in pairs)]
    return {"vocab.json": json.dumps({token: id for id, token in enumerate(dict.fromkeys(tokens))}).encode(), "merges.txt": merges}


def make_folder(path, kind, files):
    bert = {"qformer_tokenizer/vocab.txt": (FIXTURES / "vocab/bert-vocab.txt").read_bytes()}
    (path / "qformer_tokenizer").mkdir(parents=True)
    for name, data in {**vocabulary(kind), **bert, **{name: json.dumps(value).encode() for name, value in files.items()}}.items():
        (path / name).write_bytes(data)


ADDED_PARTS = ["[PAD]", "<image>", "</s>", "<s>", "<unk>", " ", "  ", "a", "the cat", "\n", "é", "字", "<cap>", " <cap> ", "[SEP]", ".", "x", "<0x0A>", "▁", "▁</s>"]


def added_folders():
    """Ways to say what LLaMA's added tokens are: the JSON around tokenizer.model, and added_tokens of a tokenizer.json that transformers saved, or None without one."""
    legacy = {name: value for name, value in LLAMA.items() if name != "special_tokens_map.json"}
    with tempfile.TemporaryDirectory() as folder:
        make_folder(Path(folder) / "a", "llama", LLAMA)
        saved = InstructBlipProcessor.from_pretrained(folder + "/a").tokenizer
        saved.save_pretrained(folder + "/b")
        tokenizer = json.loads((Path(folder) / "b/tokenizer.json").read_text())
        config = {**json.loads((Path(folder) / "b/tokenizer_config.json").read_text())}
    config["tokenizer_class"] = "LlamaTokenizer"
    modern = {**legacy, "tokenizer_config.json": config}
    modern.pop("added_tokens.json")
    flags = lambda normalized: [{**token, "normalized": normalized} for token in tokenizer["added_tokens"]]
    few = [token for token in tokenizer["added_tokens"] if token["id"] < 32000]
    more = {**LLAMA, "added_tokens.json": {"[PAD]": 32000, "<image>": 32001, "<cap>": 32002}}
    cases = {
        "no tokenizer.json": (LLAMA, None), "added_tokens.json alone": (legacy, None), "three added": (more, None), "as saved": (modern, tokenizer["added_tokens"]),
        "none normalized": (legacy, flags(False)), "all normalized": (modern, flags(True)), "none normalized, but by the config": (modern, flags(False)),
        "the others by the config": (modern, few), "the others by added_tokens.json": (LLAMA, few),
    }
    for name, (files, added_tokens) in cases.items():
        yield name, files, added_tokens, tokenizer


def added_results():
    rng = random.Random(SEED)
    texts = ["".join(rng.choice(ADDED_PARTS) for _ in range(rng.randrange(1, 7))) for _ in range(500)]
    folders = []
    for name, files, added_tokens, tokenizer in added_folders():
        with tempfile.TemporaryDirectory() as folder:
            make_folder(Path(folder) / "a", "llama", files)
            if added_tokens is not None:
                (Path(folder) / "a/tokenizer.json").write_text(json.dumps({**tokenizer, "added_tokens": added_tokens}))
            found = InstructBlipProcessor.from_pretrained(folder + "/a").tokenizer
        ids = [found(text).input_ids for text in texts]
        digests = b"".join(digest(np.array(each, dtype=np.int32).tobytes() + found.decode(each, skip_special_tokens=True).encode()) for each in ids)
        folders.append({"name": name, "files": files, "addedTokens": added_tokens, "digests": base64.b64encode(digests).decode()})
    return {"texts": texts, "folders": folders}


def digest(data):
    return hashlib.sha256(data).digest()[:4]


def choices(lists):
    for values in itertools.product(*lists.values()):
        yield {name: value for name, value in zip(lists, values) if value != UNSET or isinstance(value, bool)}


def process(processor, text, options):
    try:
        found = processor(text=text, **options)
    except ValueError:
        return b"\xff\xff\xff\xff"
    data = b""
    for name in ("input_ids", "attention_mask", "qformer_input_ids", "qformer_attention_mask"):
        rows = [found[name]] if isinstance(text, str) else found[name]
        if len({len(row) for row in rows}) > 1:
            return b"\0\0\0\0"
        data += np.array(rows, dtype=np.int32).tobytes()
    return digest(data)


def grid(processor):
    return b"".join(process(processor, text, options) for text in BATCHES for options in choices(OPTIONS))


def id_lists(tokenizer, rng):
    """Of likely ids: special tokens, bytes, marks that cleaning up looks for; and of any."""
    marks = [".", "?", "!", ",", "'", "n't", "'m", "'s", "'ve", "'re", "▁", "▁.", "▁'", "▁I", "▁don", "Ġ", "Ġ.", "Ġ'", "Ġn", "n", "t", "##s", "##ing", "don", "the", "▁the", "Ġthe"]
    likely = [id for id in tokenizer.convert_tokens_to_ids(marks) if id is not None] + [*tokenizer.all_special_ids, *range(3, 12), *range(200, 240)]
    return [[rng.choice(likely) if rng.random() < 0.6 else rng.randrange(len(tokenizer)) for _ in range(rng.randrange(1, 10))] for _ in range(LISTS)]


def decode(tokenizer, lists):
    texts = [tokenizer.decode(ids, **options) for ids in lists for options in choices(DECODE)]
    return b"".join(digest(text.encode()) for text in texts), texts[:18]


def text_results(name, kind, files):
    with tempfile.TemporaryDirectory() as folder:
        make_folder(Path(folder), kind, files)
        processor = InstructBlipProcessor.from_pretrained(folder)
    result = {"kind": kind, "files": files, "grid": base64.b64encode(grid(processor)).decode()}
    rng = random.Random(SEED)
    for which in ("tokenizer", "qformer_tokenizer"):
        tokenizer = getattr(processor, which)
        lists = id_lists(tokenizer, rng)
        digests, texts = decode(tokenizer, lists)
        sides = [tokenizer.padding_side, tokenizer.truncation_side, tokenizer.model_max_length if tokenizer.model_max_length < 1e20 else None, tokenizer.pad_token_id]
        result[which] = {"ids": lists, "digests": base64.b64encode(digests).decode(), "texts": texts, "size": len(tokenizer), "sides": sides}
    return {"name": name, **result}


def sha(processor, images, **options):
    """Channels are said to be last: 4.34 takes a picture one or three pixels high for one that has them first."""
    if options.get("do_rescale") is False and options.get("do_normalize") is not False:
        # 4.34 rounds mean and std to bytes here (and divides by 0); later versions compute in float32, as this does.
        options |= {"do_rescale": True, "rescale_factor": 1}
    try:
        pixels = processor(images, return_tensors="np", input_data_format="channels_last", **options)["pixel_values"]
    except ValueError:
        return None
    return {"dims": list(pixels.shape), "sha256": hashlib.sha256(pixels.astype("<f4").tobytes()).hexdigest()}


def loaded(name):
    """As load_image, which converts to RGB, but for that. Pillow 9.4 turns TIFFs by itself."""
    image = PIL.Image.open(IMAGES / name)
    image = image if name.endswith(".tif") else PIL.ImageOps.exif_transpose(image)
    return image


def image_results():
    processor = transformers.BlipImageProcessor(**{name: value for name, value in PREPROCESSOR.items() if name not in ("processor_class", "image_processor_type")})
    pictures = [load_image(str(IMAGES / name)) for name in IMAGE_FILES]
    cases = [{"file": name, "options": options, **sha(processor, picture, **options)} for name, picture in zip(IMAGE_FILES, pictures) for options in IMAGE_CASES]
    names = sorted(path.name for path in IMAGES.iterdir() if path.suffix != ".json")
    return {"cases": cases, "batchFiles": IMAGE_FILES, "batch": sha(processor, pictures), "unconverted": {name: sha(processor, loaded(name), do_convert_rgb=False) for name in names}}


def equal(first, second):
    one, other = (InstructBlipProcessor.from_pretrained(folder) for folder in (first, second))
    picture = load_image(str(IMAGES / IMAGE_FILES[0]))
    same = {"texts": grid(one) == grid(other), "pixels": sha(one.image_processor, picture) == sha(other.image_processor, picture)}
    for which in ("tokenizer", "qformer_tokenizer"):
        lists = id_lists(getattr(one, which), random.Random(SEED))
        same[which] = decode(getattr(one, which), lists) == decode(getattr(other, which), lists)
    print(same)
    return all(same.values())


def main():
    logging.disable(logging.WARNING)
    if sys.argv[1:2] == ["equal"]:
        sys.exit(0 if equal(*sys.argv[2:4]) else 1)
    versions = {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__, "Pillow": PIL.__version__}
    content = {
        "seed": SEED, "versions": versions, "batches": BATCHES, "options": OPTIONS, "decode": DECODE,
        "folders": [text_results(name, *folder) for name, folder in FOLDERS.items()], "images": image_results(), "added": added_results(),
    }
    path = FIXTURES / "processor/processor.json.gz"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(), mtime=0))
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
