"""The weights of the shipped GGUF files under transformers' names, so that they can be evaluated without training again."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader, dequantize
from torch import Tensor
from transformers import InstructBlipConfig, InstructBlipForConditionalGeneration

from checkpoint import full_config

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
    "token_embd": "language_model.model.embed_tokens",
    "output_norm": "language_model.model.norm",
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
BLOCKS = (("v.blk.", "vision_model.encoder.layers.", VISION), ("v.proj_blk.", "qformer.encoder.layer.", QFORMER), ("blk.", "language_model.model.layers.", LLAMA))


def hf_name(name: str) -> str:
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


def read_weights(files: list[Path], config: InstructBlipConfig) -> dict[str, Tensor]:
    weights = {}
    for file in files:
        for tensor in GGUFReader(str(file)).tensors:
            values = torch.from_numpy(np.array(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32))
            if tensor.name.startswith("blk.") and tensor.name.endswith(("attn_q.weight", "attn_k.weight")):
                values = _half_split(values, config.text_config.num_attention_heads)
            weights[hf_name(tensor.name)] = values
    return weights


def load_from_gguf(folder: Path) -> InstructBlipForConditionalGeneration:
    """The model of a folder with one mmproj-*.gguf and one other. Every weight must be there, in its shape."""
    config = full_config()
    model = InstructBlipForConditionalGeneration(config)
    weights = read_weights(sorted(folder.glob("*.gguf")), config)
    own = model.state_dict()
    weights = {name: values.reshape(own[name].shape) for name, values in weights.items()}
    weights["language_model.lm_head.weight"] = weights["language_model.model.embed_tokens.weight"]  # tied
    model.load_state_dict(weights)
    return model.eval()
