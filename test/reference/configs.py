"""What transformers 4.34 makes of configurations: of the hub's, of single fields in every odd form, of random mixtures (seed 34), and of files that we write.

    python test/reference/configs.py                  writes test/fixtures/configs/configs.json.gz
    npx tsx test/reference/write-configs.ts DIR && python test/reference/configs.py --check DIR
                                                      loads files that this package wrote, and wants the same bytes back

Each case: class; the JSON it is made from, as text, for 1 is not 1.0; `to_json_string` with and without `use_diff`, or null where transformers refuses it.
"""
import gzip
import inspect
import json
import random
import sys
import warnings
from pathlib import Path

import transformers
from transformers import PretrainedConfig, logging

OUT = Path(__file__).parent.parent / "fixtures" / "configs" / "configs.json.gz"
NAMES = ["InstructBlipVisionConfig", "InstructBlipQFormerConfig", "LlamaConfig", "T5Config", "OPTConfig", "InstructBlipConfig"]
CLASSES = {name: getattr(transformers, name) for name in NAMES}
random.seed(34)
logging.set_verbosity_error()
warnings.simplefilter("ignore")

FLOATS = [0.0, 1.0, 1, 0, 0.1, 1e-5, 1e-6, 1e-7, 1e-12, 1e-4, 0.30000000000000004, 0.5, 5e-324]
WIDE_FLOATS = [*FLOATS, 1e16, 1e15, 1e22, 12345678.9, -1.5, -0.0, 2, 100.0]
IDS = [None, -1, 0, 1, 7, 32000]
# `unknown_*` are not fields of any class.
UNKNOWN = [None, True, 1, 1.0, -0.0, 0.1, 1e16, 1e-7, 1e100, 2**53, 2**70, -(2**64), float("nan"), float("inf"), float("-inf"), "", "é😀\x7f\u2028\"\\\n\t\b\f\r\x01/",
           [], {}, [[], [1, 1.0, [2.0]]], {"10": 1, "2": 2.0, "é": [], "Z": {}, "a": None, "\U0001F600": 1, "\uffff": 2, "_": 3, "": 4, "__proto__": 5},
           {"torch_dtype": "float16"}, 1.7976931348623157e308, 123456789012345680.0]
COMMON_POOL = {
    "_name_or_path": ["", "a/b", "é"], "name_or_path": ["x"], "architectures": [None, [], ["A", "B"]],
    "torch_dtype": [None, "float16", "half", "bfloat16", "float32", "float", "float64", "int8"],
    "sep_token_id": IDS, "decoder_start_token_id": IDS, "tokenizer_class": [None, "T"], "prefix": [None, "", "a: "],
    "forced_bos_token_id": IDS, "forced_eos_token_id": [*IDS, [1, 2]], "cross_attention_hidden_size": [None, 8],
    "pruned_heads": [{}, {"1": [0, 2], "0": [1], "10": []}], "early_stopping": [True, False, "never"],
    "bad_words_ids": [None, [], [[1], [2, 3]]], "exponential_decay_length_penalty": [None, [15, 1.6], [0, 2.0]],
    "suppress_tokens": [None, [], [1, 5]], "begin_suppress_tokens": [None, [3]], "finetuning_task": [None, "t"],
    "id2label": [None, {}, {"0": "a", "10": "b", "2": "c"}, {"0": "LABEL_0", "1": "LABEL_1"}, {"007": "x"}],
    "label2id": [None, {"a": 0, "B": 10, "Ä": 2}], "num_labels": [0, 1, 2, 3, 11], "task_specific_params": [None, {}, {"s": {"x": 1.0}}],
    "problem_type": [None, "regression", "single_label_classification", "multi_label_classification"],
    "transformers_version": ["4.20.0", None], "xla_device": [None, True], "_commit_hash": ["abc"],
    "quantization_config": [{"bits": 4, "quant_method": "gptq"}], "image_token_index": [32001, 0],
}
OWN_POOL = {
    "bos_token_id": IDS, "eos_token_id": [*IDS, [1, 2], []], "pad_token_id": IDS,
    "hidden_act": ["gelu", "gelu_new", "quick_gelu", "x"], "activation_function": ["relu", "gelu"], "position_embedding_type": ["absolute", "relative_key"],
    "rope_scaling": [None, {"type": "linear", "factor": 2.0}, {"factor": 1.5, "type": "dynamic"}], "rope_theta": [10000, 10000.0, 1e6, 500000.0, 1e16],
    "num_key_value_heads": [None, 4, 2, 1], "num_decoder_layers": [None, 1, 0, 3], "word_embed_proj_dim": [None, 64],
    "feed_forward_proj": ["relu", "gelu", "gated-gelu", "gated-silu", "gated-gelu_new"], "dense_act_fn": ["gelu", "relu"], "is_gated_act": [True, False],
    "image_size": [224, 336], "patch_size": [14, 16],
    "hidden_size": [64, 128, 768], "num_attention_heads": [4, 8, 32], "num_heads": [4, 3], "num_hidden_layers": [0, 1, 40], "num_layers": [0, 2], "d_model": [10, 64],
    "relative_attention_num_buckets": [4, 33], "relative_attention_max_distance": [20, 999],
    "initializer_factor": WIDE_FLOATS, "use_decoder_only_language_model": [True, False],
}
# The last size of each is ours to check, not transformers': a mixture of random sizes must fit.
FIT = {"hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2}


def pool(name: str, fallback: object) -> list:
    """Values for one field: by its name, or else by the type of its default."""
    for table in (OWN_POOL, COMMON_POOL):
        if name in table:
            return table[name]
    if isinstance(fallback, bool):
        return [True, False]
    if isinstance(fallback, float):
        wide = name in ("temperature", "top_p", "typical_p", "repetition_penalty", "length_penalty", "diversity_penalty")
        return WIDE_FLOATS if wide else FLOATS
    return [1, 2, 50, 2**31]


def fields(cls: type) -> dict[str, list]:
    own = {name: p.default for name, p in inspect.signature(cls.__init__).parameters.items() if name not in ("self", "kwargs")}
    common = {name: value for name, value in PretrainedConfig().to_dict().items() if name != "model_type"}
    extra = ["hidden_size", "num_attention_heads", "num_hidden_layers", "dense_act_fn", "is_gated_act"] if cls.__name__ == "T5Config" else []
    names = {**common, **own, **dict.fromkeys(COMMON_POOL), **dict.fromkeys(extra)}
    names = {name: value for name, value in names.items() if not name.endswith("_config") or name == "quantization_config"}
    return {**{name: pool(name, value) for name, value in names.items()}, **{f"unknown_{i}": [value] for i, value in enumerate(UNKNOWN)}}


def mixture(name: str) -> dict:
    table = fields(CLASSES[name])
    chosen = {field: random.choice(table[field]) for field in random.sample(sorted(table), random.randint(1, 14))}
    if name != "T5Config" and any(field in chosen for field in FIT):
        chosen.update({field: value for field, value in FIT.items() if field in table})
    return chosen


PARTS = {"vision_config": ["InstructBlipVisionConfig"], "qformer_config": ["InstructBlipQFormerConfig"], "text_config": ["LlamaConfig", "T5Config", "OPTConfig"]}


def whole() -> dict:
    result = mixture("InstructBlipConfig")
    for part, names in PARTS.items():
        name = random.choice(names)
        value = mixture(name)
        value.pop("pruned_heads", None)  # as text, a part's keys stay strings in transformers and sort so
        value.pop("word_embed_proj_dim", None)
        if name != "OPTConfig" or random.random() < 0.5:
            value["model_type"] = CLASSES[name].model_type
        result[part] = random.choice([value, value, value, {"model_type": CLASSES[name].model_type}])
    return result


VICUNA = {
    "architectures": ["InstructBlipForConditionalGeneration"], "image_token_index": 32001, "initializer_factor": 1.0, "initializer_range": 0.02, "model_type": "instructblip",
    "num_query_tokens": 32, "qformer_config": {"model_type": "instructblip_qformer", "vocab_size": 30523},
    "text_config": {"architectures": ["LLaMAForCausalLM"], "attention_bias": False, "bos_token_id": 0, "eos_token_id": 1, "head_dim": 128, "hidden_act": "silu", "hidden_size": 4096,
                    "initializer_range": 0.02, "intermediate_size": 11008, "max_sequence_length": 2048, "mlp_bias": False, "model_type": "llama", "num_attention_heads": 32,
                    "num_hidden_layers": 32, "num_key_value_heads": 32, "pad_token_id": 32000, "pretraining_tp": 1, "rms_norm_eps": 1e-06, "rope_scaling": None, "rope_theta": 10000.0,
                    "tie_word_embeddings": False, "torch_dtype": "float16", "vocab_size": 32064},
    "tie_word_embeddings": False, "torch_dtype": "float32", "transformers_version": "4.47.0.dev0", "use_decoder_only_language_model": True,
    "vision_config": {"model_type": "instructblip_vision_model"},
}
FLAN_T5_XXL = {
    "architectures": ["InstructBlipForConditionalGeneration"], "image_token_index": 32100, "is_encoder_decoder": True, "model_type": "instructblip", "num_query_tokens": 32,
    "qformer_config": {"model_type": "instructblip_qformer", "vocab_size": 30523},
    "text_config": {"bos_token_id": 1, "classifier_dropout": 0.0, "d_ff": 10240, "d_kv": 64, "d_model": 4096, "decoder_start_token_id": 0, "dense_act_fn": "gelu", "eos_token_id": 1,
                    "feed_forward_proj": "gated-gelu", "is_gated_act": True, "layer_norm_epsilon": 1e-06, "model_type": "t5", "num_decoder_layers": 24, "num_heads": 64, "num_layers": 24,
                    "pad_token_id": 0, "relative_attention_max_distance": 128, "relative_attention_num_buckets": 32, "tie_word_embeddings": False, "vocab_size": 32128},
    "tie_word_embeddings": False, "use_decoder_only_language_model": False, "vision_config": {"model_type": "instructblip_vision_model"},
}
# Sizes of transformers' own tests.
TINY = {"num_query_tokens": 10, "vision_config": {"image_size": 30, "patch_size": 2, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 37},
        "qformer_config": {"vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 37, "encoder_hidden_size": 5},
        "text_config": {"vocab_size": 99, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "ffn_dim": 4, "max_position_embeddings": 20, "word_embed_proj_dim": 16}}
REFUSED = {
    "LlamaConfig": [{"rope_scaling": value} for value in (
        5, [], {}, {"type": "linear"}, {"type": "yarn", "factor": 2.0}, {"type": "linear", "factor": 1.0}, {"type": "linear", "factor": "2"},
        {"type": "linear", "factor": 2.0, "x": 1}, {"rope_type": "linear", "factor": 2.0}, {"type": None, "factor": 2.0})],
    "T5Config": [{"feed_forward_proj": value} for value in ("gelu-gated", "gated-gelu-new", "a-b", "gated--", 5, None)],
    "OPTConfig": [{"problem_type": "x"}, {"id2label": []}, {"id2label": {"a": "b"}}, {"label2id": 5}, {"torch_dtype": "float17"}, {"num_labels": "2"}],
    "InstructBlipConfig": [{"text_config": {"model_type": "gpt5"}}, {"text_config": {"model_type": None}}, {"text_config": 5}, {"vision_config": 5}, {"qformer_config": "x"}],
}


def made(name: str, text: str) -> dict:
    try:
        config = CLASSES[name].from_dict(json.loads(text))
        full, diff = config.to_json_string(use_diff=False), config.to_json_string()
    except (ValueError, TypeError, AttributeError, KeyError, IndexError):
        return {"class": name, "json": text, "full": None, "diff": None}
    # What it writes it reads, and means the same by it, so our own files can be held against its text without Python. Only labels equal to the
    # default are not written, and then a missing label2id is made anew.
    for written in (full, diff) if "id2label" not in text else ():
        again = CLASSES[name].from_dict(json.loads(written))
        assert again.to_json_string() == diff and ("NaN" in full or again.to_dict() == config.to_dict()), text
    return {"class": name, "json": text, "full": full, "diff": diff}


def from_parts(text_class: str) -> str:
    """`from_vision_qformer_text_configs`, as the page does it."""
    parts = [CLASSES["InstructBlipVisionConfig"](hidden_size=64), CLASSES["InstructBlipQFormerConfig"](), CLASSES[text_class]()]
    return CLASSES["InstructBlipConfig"].from_vision_qformer_text_configs(*parts, num_query_tokens=8).to_json_string()


def texts():
    for name in NAMES:
        yield name, {}
        for kwargs in REFUSED.get(name, []):
            yield name, kwargs
        common = {**PretrainedConfig().to_dict(), **COMMON_POOL}
        for field, values in fields(CLASSES[name]).items():
            # What all classes share is asked of two; mixtures ask the others.
            if name not in ("LlamaConfig", "InstructBlipConfig") and (field in common and field not in OWN_POOL or field.startswith("unknown")):
                continue
            for value in values:
                fit = {} if name == "T5Config" else {key: FIT[key] for key in FIT if field in FIT and key in fields(CLASSES[name])}
                yield name, {**fit, field: value if field not in ("hidden_size", "num_attention_heads") or name == "T5Config" else FIT[field]}
        for _ in range(60):
            yield name, whole() if name == "InstructBlipConfig" else mixture(name)
    for kwargs in (VICUNA, FLAN_T5_XXL, TINY, {"vision_config": None, "qformer_config": None, "text_config": None}):
        yield "InstructBlipConfig", kwargs


def write() -> None:
    rows = [made(name, json.dumps(kwargs)) for name, kwargs in texts()]
    content = {"versions": {"transformers": transformers.__version__}, "seed": 34, "cases": rows, "fromParts": {name: from_parts(name) for name in PARTS["text_config"]}}
    OUT.write_bytes(gzip.compress(json.dumps(content).encode(), 9, mtime=0))
    print(len(rows), "cases,", sum(row["full"] is None for row in rows), "refused,", OUT.stat().st_size, "bytes")


def check(folder: Path) -> None:
    """Folders named <class>-<number>, each with a config.json of ours."""
    folders = sorted(folder.iterdir())
    for path in folders:
        cls = CLASSES[path.name.split("-")[0]]
        text = (path / "config.json").read_text(encoding="utf-8")
        config = cls.from_pretrained(path)
        assert config.to_json_string() == text, path
        if cls.__name__ == "InstructBlipConfig":
            vision = CLASSES["InstructBlipVisionConfig"].from_pretrained(path)
            assert vision.to_dict() == {**config.vision_config.to_dict(), "transformers_version": "4.34.0"}, path
    print(len(folders), "files of ours load and are written again with the same bytes")


if len(sys.argv) > 2 and sys.argv[1] == "--check":
    check(Path(sys.argv[2]))
else:
    write()
