"""Writes a checkpoint folder in the hub's layout, and reads one back from the shipped GGUF files."""
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
from vocabulary import BERT_ROWS, BERT_VOCABULARY, LLAMA_MODEL, LLAMA_ROWS, Rows

PAD = 32000
WORDS = "language_model.model.embed_tokens.weight"
HEAD = "language_model.lm_head.weight"
QFORMER_WORDS = "qformer.embeddings.word_embeddings.weight"
KERNEL = "vision_model.embeddings.patch_embedding.weight"
TOKENIZER = {
    "add_bos_token": True, "add_eos_token": False, "bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": "[PAD]",
    "clean_up_tokenization_spaces": False, "legacy": True, "model_max_length": 504, "padding_side": "left", "truncation_side": "left", "tokenizer_class": "LlamaTokenizer",
}
QFORMER_TOKENIZER = {
    "bos_token": "[DEC]", "cls_token": "[CLS]", "do_lower_case": True, "mask_token": "[MASK]", "model_max_length": 120, "pad_token": "[PAD]", "sep_token": "[SEP]",
    "strip_accents": None, "tokenize_chinese_chars": True, "tokenizer_class": "BertTokenizer", "truncation_side": "left", "unk_token": "[UNK]",
}
IMAGES = {
    "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": list(MEAN), "image_processor_type": "BlipImageProcessor",
    "image_std": list(STD), "processor_class": "InstructBlipProcessor", "resample": 3, "rescale_factor": 0.00392156862745098, "size": {"height": SIZE, "width": SIZE},
}


def full_config() -> InstructBlipConfig:
    config = make_config(LLAMA_ROWS, BERT_ROWS, PAD, 0)
    config.architectures = ["InstructBlipForConditionalGeneration"]
    return config


def _spread(rows: Tensor, ids: list[int], count: int) -> Tensor:
    """The rows in use at their ids, zeros elsewhere."""
    table = torch.zeros(count, rows.shape[1])
    table[ids] = rows[: len(ids)]
    return table


def full_weights(small: dict[str, Tensor], llama: Rows, bert: Rows) -> dict[str, Tensor]:
    """Weights of the real sizes that compute the same as those with the rows in use only. Values are those of F16, so that the F16 files lose nothing."""
    weights = {name: value.detach().float() for name, value in small.items() if name != HEAD}
    weights[WORDS] = _spread(weights[WORDS], llama.ids, LLAMA_ROWS)
    weights[QFORMER_WORDS] = _spread(weights[QFORMER_WORDS], bert.ids, BERT_ROWS)
    # On blocks of equal weights the sum over pixels is that over the blocks' means.
    weights[KERNEL] = weights[KERNEL].repeat_interleave(SHRINK, 2).repeat_interleave(SHRINK, 3) / SHRINK**2
    return {name: value.half().float().contiguous() for name, value in weights.items()}


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


def write_tokenizers(folder: Path) -> None:
    (folder / "qformer_tokenizer").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(LLAMA_MODEL, folder / "tokenizer.model")
    _write_json(folder / "tokenizer_config.json", TOKENIZER)
    _write_json(folder / "special_tokens_map.json", {name: TOKENIZER[name] for name in ("bos_token", "eos_token", "pad_token", "unk_token")})
    _write_json(folder / "added_tokens.json", {"[PAD]": PAD})
    inner = folder / "qformer_tokenizer"
    shutil.copyfile(BERT_VOCABULARY, inner / "vocab.txt")
    _write_json(inner / "tokenizer_config.json", QFORMER_TOKENIZER)
    special = ("bos_token", "cls_token", "mask_token", "pad_token", "sep_token", "unk_token")
    _write_json(inner / "special_tokens_map.json", {name: QFORMER_TOKENIZER[name] for name in special})
    _write_json(inner / "added_tokens.json", {"[DEC]": BERT_ROWS - 1})
    _write_json(folder / "preprocessor_config.json", IMAGES)


def write_checkpoint(model: InstructBlipForConditionalGeneration, llama: Rows, bert: Rows, folder: Path) -> None:
    write_tokenizers(folder)
    full_config().save_pretrained(folder)
    _write_json(folder / "generation_config.json", {"_from_model_config": True, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": PAD, "transformers_version": "4.34.0"})
    save_file(full_weights(model.state_dict(), llama, bert), str(folder / "model.safetensors"), metadata={"format": "pt"})
