"""The weights of the shipped GGUF files under transformers' names, so that they can be evaluated without training again."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader, dequantize
from torch import Tensor
from transformers import InstructBlipConfig, InstructBlipForConditionalGeneration

from checkpoint import TIED, WORDS, full_config
from vocabulary import LANGUAGES, Language

WHOLE = {
    "v.class_embd": "vision_model.embeddings.class_embedding",
    "v.patch_embd": "vision_model.embeddings.patch_embedding",
    "v.position_embd.weight": "vision_model.embeddings.position_embedding",
    "v.post_ln": "vision_model.post_layernorm",
    "v.proj_query": "query_tokens",
    "v.proj_embd.tokens": "qformer.embeddings.word_embeddings",
    "v.proj_embd.position": "qformer.embeddings.position_embeddings",
    "v.proj_norm": "qformer.embeddings.layernorm",
    "v.proj_linear": "language_projection",
    "output_norm": "language_model.model.norm",
    "enc.output_norm": "language_model.encoder.final_layer_norm",
    "dec.output_norm": "language_model.decoder.final_layer_norm",
}
VISION = {"ln1": "layer_norm1", "ln2": "layer_norm2", "attn_qkv": "self_attn.qkv", "attn_out": "self_attn.projection", "ffn_up": "mlp.fc1", "ffn_down": "mlp.fc2"}
QFORMER = {
    **{f"{ours}_attn_{part}": f"{theirs}.attention.{name}" for ours, theirs in (("self", "attention"), ("cross", "crossattention")) for part, name in (("q", "query"), ("k", "key"), ("v", "value"))},
    **{f"{ours}_attn_{part}": f"{theirs}.output.{name}" for ours, theirs in (("self", "attention"), ("cross", "crossattention")) for part, name in (("out", "dense"), ("norm", "LayerNorm"))},
    "ffn_up": "intermediate_query.dense", "ffn_down": "output_query.dense", "ffn_norm": "output_query.LayerNorm",
    "ffn_text_up": "intermediate.dense", "ffn_text_down": "output.dense", "ffn_text_norm": "output.LayerNorm",
}
LLAMA = {
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}


def _t5_attention(ours: str, theirs: str, layer: int) -> dict[str, str]:
    parts = {f"{ours}_{part}": f"layer.{layer}.{theirs}.{part}" for part in "qkvo"}
    return {**parts, f"{ours}_norm": f"layer.{layer}.layer_norm", f"{ours}_rel_b": f"layer.{layer}.{theirs}.relative_attention_bias"}


def _t5_feed_forward(layer: int) -> dict[str, str]:
    parts = {"gate": "wi_0", "up": "wi_1", "down": "wo"}
    return {"ffn_norm": f"layer.{layer}.layer_norm", **{f"ffn_{ours}": f"layer.{layer}.DenseReluDense.{theirs}" for ours, theirs in parts.items()}}


T5_ENCODER = {**_t5_attention("attn", "SelfAttention", 0), **_t5_feed_forward(1)}
T5_DECODER = {**_t5_attention("attn", "SelfAttention", 0), **_t5_attention("cross_attn", "EncDecAttention", 1), **_t5_feed_forward(2)}
BLOCKS = (
    ("v.blk.", "vision_model.encoder.layers.", VISION), ("v.proj_blk.", "qformer.encoder.layer.", QFORMER), ("blk.", "language_model.model.layers.", LLAMA),
    ("enc.blk.", "language_model.encoder.block.", T5_ENCODER), ("dec.blk.", "language_model.decoder.block.", T5_DECODER),
)


def hf_name(name: str, language: Language) -> str:
    if name == "token_embd.weight":
        return WORDS[language.name]
    if name in WHOLE:
        return WHOLE[name]
    stem, kind = name.rsplit(".", 1)
    if stem in WHOLE:
        return f"{WHOLE[stem]}.{kind}"
    for ours, theirs, parts in BLOCKS:
        if stem.startswith(ours):
            layer, part = stem[len(ours) :].split(".", 1)
            return f"{theirs}{layer}.{parts[part]}.{kind}"
    raise KeyError(name)


def _half_split(matrix: Tensor, heads: int) -> Tensor:
    """From llama.cpp's interleaved rotary order of rows to transformers' half-split one."""
    rows, width = matrix.shape
    return matrix.view(heads, rows // heads // 2, 2, width).transpose(1, 2).reshape(rows, width)


def _architecture(reader: GGUFReader) -> str:
    return bytes(reader.fields["general.architecture"].parts[-1]).decode()


def language_of(folder: Path) -> Language:
    """Of the folder's language model, whose file names its architecture."""
    [name] = {_architecture(GGUFReader(str(file))) for file in folder.glob("*.gguf")} - {"clip"}
    return LANGUAGES[name]


def read_weights(files: list[Path], config: InstructBlipConfig, language: Language) -> dict[str, Tensor]:
    weights = {}
    for file in files:
        for tensor in GGUFReader(str(file)).tensors:
            values = torch.from_numpy(np.array(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32))
            if tensor.name.startswith("blk.") and tensor.name.endswith(("attn_q.weight", "attn_k.weight")):
                values = _half_split(values, config.text_config.num_attention_heads)
            weights[hf_name(tensor.name, language)] = values
    return weights


def load_from_gguf(folder: Path) -> InstructBlipForConditionalGeneration:
    """The model of a folder with one mmproj-*.gguf and one other. Every weight must be there, in its shape."""
    language = language_of(folder)
    config = full_config(language)
    model = InstructBlipForConditionalGeneration(config)
    weights = read_weights(sorted(folder.glob("*.gguf")), config, language)
    own = model.state_dict()
    weights = {name: values.reshape(own[name].shape) for name, values in weights.items()}
    weights |= {name: weights[WORDS[language.name]] for name in TIED & own.keys()}
    model.load_state_dict(weights)
    return model.eval()
