"""What transformers 4.34 makes of `text_config`s of T5 and OPT: of single fields in every odd form, and of random mixtures (seed 21).

    python test/reference/text_configs.py             writes test/fixtures/text-configs.json.gz

Each case: the JSON; the config's values, or null where transformers refuses it. `act` is the activation by its values at a few points, so that names of
one function are one.
"""
import gzip
import json
import random
from pathlib import Path

import torch
from transformers import InstructBlipConfig, OPTForCausalLM, T5ForConditionalGeneration
from transformers.activations import ACT2FN
from transformers.generation import GenerationConfig

OUT = Path(__file__).parent.parent / "fixtures" / "text-configs.json.gz"
random.seed(21)
POINTS = torch.tensor([-3.0, -1.0, -0.3, 0.5, 2.0])
SMALL = {
    "t5": {"vocab_size": 40, "d_model": 12, "d_kv": 5, "d_ff": 9, "num_layers": 2, "num_heads": 3, "decoder_start_token_id": 0},
    "opt": {"vocab_size": 40, "hidden_size": 12, "ffn_dim": 9, "num_hidden_layers": 2, "num_attention_heads": 3, "max_position_embeddings": 20},
}
ACTIVATIONS = ["relu", "gelu", "gelu_new", "gelu_fast", "gelu_python", "gelu_pytorch_tanh", "gelu_accurate", "silu", "swish"]
FIELDS = {
    "t5": {
        "num_decoder_layers": [None, 1, 3],
        "feed_forward_proj": ["relu", "gelu", "gated-gelu", "gated-silu", "gated-relu", "gated-gelu_new", "silu"],
        "dense_act_fn": ACTIVATIONS,
        "is_gated_act": [True, False],
        "tie_word_embeddings": [True, False],
        "decoder_start_token_id": [None, 0, 5],
        "bos_token_id": [None, 0, 7],
        "eos_token_id": [None, 1, 3, [1, 4]],
        "pad_token_id": [None, 0, 6],
        "relative_attention_num_buckets": [8, 16, 33],
        "relative_attention_max_distance": [40, 128],
        "layer_norm_epsilon": [1e-5, 0.1],
        "hidden_size": [16],
        "num_attention_heads": [4],
        "num_hidden_layers": [3],
        "n_positions": [77],
    },
    "opt": {
        "do_layer_norm_before": [True, False],
        "_remove_final_layer_norm": [True, False],
        "word_embed_proj_dim": [None, 12],
        "activation_function": ACTIVATIONS,
        "enable_bias": [True, False],
        "layer_norm_elementwise_affine": [True, False],
        "tie_word_embeddings": [True, False],
        "bos_token_id": [None, 0, 7],
        "eos_token_id": [None, 2, 3, [2, 4]],
        "pad_token_id": [None, 1, 6],
    },
}
BROKEN = [
    {"model_type": "t5", "feed_forward_proj": "gelu-gated", "decoder_start_token_id": 0},
    {"model_type": "t5", "feed_forward_proj": "gated-gelu-new", "decoder_start_token_id": 0},
    {"model_type": "t5"},
    {"model_type": "t5", "decoder_start_token_id": None, "bos_token_id": None},
    {**SMALL["opt"], "model_type": "opt", "num_attention_heads": 5},
]


def cases():
    yield {}
    yield {"model_type": "opt"}
    yield {"model_type": "t5", "decoder_start_token_id": 0}
    yield {"model_type": "t5", "decoder_start_token_id": 0, "feed_forward_proj": "gated-gelu", "dense_act_fn": "gelu", "is_gated_act": True}
    yield from BROKEN
    for kind, fields in FIELDS.items():
        for field, values in fields.items():
            for value in values:
                yield {"model_type": kind, **SMALL[kind], field: value}
        for _ in range(60):
            chosen = random.sample(sorted(fields), random.randint(2, 7))
            yield {"model_type": kind, **SMALL[kind], **{field: random.choice(fields[field]) for field in chosen}}


def shapes(model) -> dict[str, list[int]]:
    """By name; tied parameters once, under their first name."""
    return {name: list(parameter.shape) for name, parameter in model.named_parameters()}


def values(text: dict) -> dict:
    config = InstructBlipConfig(text_config=text).text_config
    generation = GenerationConfig.from_model_config(config)
    t5 = config.model_type == "t5"
    model = (T5ForConditionalGeneration if t5 else OPTForCausalLM)(config) if len(text) > 5 else None
    start = None
    if t5:
        start = generation.decoder_start_token_id if generation.decoder_start_token_id is not None else generation.bos_token_id
        if start is None:
            raise ValueError("generate would")
    activation = ACT2FN[config.dense_act_fn if t5 else config.activation_function]
    return {
        "type": config.model_type,
        "vocabSize": config.vocab_size,
        "hiddenSize": config.hidden_size,
        "layers": config.num_hidden_layers,
        "heads": config.num_attention_heads,
        "tied": config.tie_word_embeddings,
        "bos": generation.bos_token_id,
        "eos": generation.eos_token_id,
        "pad": generation.pad_token_id,
        "start": start,
        "act": [round(value, 4) + 0.0 for value in activation(POINTS).tolist()],
        **({"decoderLayers": config.num_decoder_layers, "gated": config.is_gated_act, "epsilon": config.layer_norm_epsilon,
            "buckets": config.relative_attention_num_buckets, "maxDistance": config.relative_attention_max_distance,
            "feedForward": config.d_ff, "headDim": config.d_kv} if t5 else
           {"positions": config.max_position_embeddings, "feedForward": config.ffn_dim, "normBefore": config.do_layer_norm_before}),
        "shapes": shapes(model) if model else None,
    }


def result(text: dict) -> dict | None:
    try:
        return values(text)
    except (ValueError, KeyError):
        return None


rows = [{"text": text, "values": result(text)} for text in cases()]
OUT.write_bytes(gzip.compress(json.dumps({"versions": {"transformers": "4.34.0"}, "seed": 21, "cases": rows}).encode(), 9, mtime=0))
print(len(rows), "cases,", sum(row["values"] is None for row in rows), "refused")
