"""Writes a checkpoint folder in the hub's layout: small weights with the rows in use become a model of full size."""
from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import InstructBlipConfig, InstructBlipForConditionalGeneration

from data import MEAN, SHRINK, SIZE, STD
from small_model import make_config
from vocabulary import BERT_ROWS, BERT_VOCABULARY, LANGUAGES, LLAMA_MODEL, Language, Rows, Vocabularies, t5_tokenizer_json

WORDS = {"llama": "language_model.model.embed_tokens.weight", "t5": "language_model.shared.weight"}
TIED = {"language_model.lm_head.weight", "language_model.encoder.embed_tokens.weight", "language_model.decoder.embed_tokens.weight"}  # copies of these
QFORMER_WORDS = "qformer.embeddings.word_embeddings.weight"
KERNEL = "vision_model.embeddings.patch_embedding.weight"
LLAMA_TOKENIZER = {
    "add_bos_token": True, "add_eos_token": False, "bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": "[PAD]",
    "clean_up_tokenization_spaces": False, "legacy": True, "model_max_length": 504, "padding_side": "left", "truncation_side": "left", "tokenizer_class": "LlamaTokenizer",
}
T5_TOKENIZER = {
    "additional_special_tokens": [f"<extra_id_{k}>" for k in range(100)], "clean_up_tokenization_spaces": True, "eos_token": "</s>", "extra_ids": 100, "model_max_length": 512,
    "pad_token": "<pad>", "sp_model_kwargs": {}, "tokenizer_class": "T5Tokenizer", "truncation_side": "left", "unk_token": "<unk>",
}
QFORMER_TOKENIZER = {
    "bos_token": "[DEC]", "cls_token": "[CLS]", "do_lower_case": True, "mask_token": "[MASK]", "model_max_length": 120, "pad_token": "[PAD]", "sep_token": "[SEP]",
    "strip_accents": None, "tokenize_chinese_chars": True, "tokenizer_class": "BertTokenizer", "truncation_side": "left", "unk_token": "[UNK]",
}
IMAGES = {
    "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": list(MEAN), "image_processor_type": "BlipImageProcessor",
    "image_std": list(STD), "processor_class": "InstructBlipProcessor", "resample": 3, "rescale_factor": 0.00392156862745098, "size": {"height": SIZE, "width": SIZE},
}


def full_config(language: Language) -> InstructBlipConfig:
    config = make_config(language, language.rows, BERT_ROWS, language.pad, 0)
    config.architectures = ["InstructBlipForConditionalGeneration"]
    return config


def _spread(rows: Tensor, ids: list[int], count: int) -> Tensor:
    """The rows in use at their ids, zeros elsewhere."""
    table = torch.zeros(count, rows.shape[1])
    table[ids] = rows[: len(ids)]
    return table


def full_weights(small: dict[str, Tensor], vocabularies: Vocabularies) -> dict[str, Tensor]:
    """Weights of the real sizes that compute the same as those with the rows in use only. Values are those of F16, so that F16 files lose nothing."""
    language, words = vocabularies.language, WORDS[vocabularies.language.name]
    weights = {name: value.detach().float() for name, value in small.items() if name not in TIED}
    weights[words] = _spread(weights[words], vocabularies.words.ids, language.rows)
    weights[QFORMER_WORDS] = _spread(weights[QFORMER_WORDS], vocabularies.bert.ids, BERT_ROWS)
    # On blocks of equal weights the sum over pixels is that over the blocks' means.
    weights[KERNEL] = weights[KERNEL].repeat_interleave(SHRINK, 2).repeat_interleave(SHRINK, 3) / SHRINK**2
    return {name: value.half().float().contiguous() for name, value in weights.items()}


def small_weights(full: dict[str, Tensor], bert: Rows) -> dict[str, Tensor]:
    """The way back, for all but the language model and the projection to it."""
    weights = {name: value for name, value in full.items() if name.startswith(("vision_model.", "qformer.", "query_tokens"))}
    table = weights[QFORMER_WORDS]
    weights[QFORMER_WORDS] = torch.cat([table[bert.ids], torch.zeros(1, table.shape[1])])
    weights[KERNEL] = weights[KERNEL][:, :, ::SHRINK, ::SHRINK] * SHRINK**2
    return weights


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


def _write_llama_tokenizer(folder: Path) -> None:
    shutil.copyfile(LLAMA_MODEL, folder / "tokenizer.model")
    _write_json(folder / "tokenizer_config.json", LLAMA_TOKENIZER)
    _write_json(folder / "special_tokens_map.json", {name: LLAMA_TOKENIZER[name] for name in ("bos_token", "eos_token", "pad_token", "unk_token")})
    _write_json(folder / "added_tokens.json", {"[PAD]": LANGUAGES["llama"].pad})


def _write_t5_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text(t5_tokenizer_json())
    _write_json(folder / "tokenizer_config.json", T5_TOKENIZER)
    special = ("additional_special_tokens", "eos_token", "pad_token", "unk_token")
    _write_json(folder / "special_tokens_map.json", {name: T5_TOKENIZER[name] for name in special})


TOKENIZER_WRITERS = {"llama": _write_llama_tokenizer, "t5": _write_t5_tokenizer}


def write_tokenizers(language: Language, folder: Path) -> None:
    inner = folder / "qformer_tokenizer"
    inner.mkdir(parents=True, exist_ok=True)
    TOKENIZER_WRITERS[language.name](folder)
    shutil.copyfile(BERT_VOCABULARY, inner / "vocab.txt")
    _write_json(inner / "tokenizer_config.json", QFORMER_TOKENIZER)
    special = ("bos_token", "cls_token", "mask_token", "pad_token", "sep_token", "unk_token")
    _write_json(inner / "special_tokens_map.json", {name: QFORMER_TOKENIZER[name] for name in special})
    _write_json(inner / "added_tokens.json", {"[DEC]": BERT_ROWS - 1})
    _write_json(folder / "preprocessor_config.json", IMAGES)


def write_checkpoint(model: InstructBlipForConditionalGeneration, vocabularies: Vocabularies, folder: Path) -> None:
    language = vocabularies.language
    write_tokenizers(language, folder)
    config = full_config(language)
    config.save_pretrained(folder)
    text = config.text_config
    ids = {"bos_token_id": text.bos_token_id, "eos_token_id": text.eos_token_id, "pad_token_id": text.pad_token_id}
    if language.start is not None:
        ids["decoder_start_token_id"] = language.start
    _write_json(folder / "generation_config.json", {"_from_model_config": True, "transformers_version": "4.34.0", **ids})
    save_file(full_weights(model.state_dict(), vocabularies), str(folder / "model.safetensors"), metadata={"format": "pt"})
