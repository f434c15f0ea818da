"""Scores as transformers 4.34 processes them: its own classes, in the order of its own `_get_logits_processor` and `_get_logits_warper`.

    python test/reference/logits_processors.py        writes test/fixtures/generation/logits-processors.json.gz

Each case: options (our names), prefix length, context, logits in, scores out. float32 throughout; -inf is written as null.
minP does not exist in 4.34; its formula is that of MinPLogitsWarper (transformers 4.41), written out here with torch.
"""
import gzip
import json
import random
from pathlib import Path
from types import SimpleNamespace

import torch
from transformers import GenerationConfig, LogitsProcessorList
from transformers.generation.logits_process import LogitsWarper
from transformers.generation.utils import GenerationMixin

VOCABULARY = 40
OUT = Path(__file__).parent.parent / "fixtures" / "generation" / "logits-processors.json.gz"

random.seed(7)
torch.manual_seed(7)


class MinP(LogitsWarper):
    """transformers 4.41, MinPLogitsWarper.__call__"""

    def __init__(self, min_p, min_tokens_to_keep):
        self.min_p, self.min_tokens_to_keep = min_p, min_tokens_to_keep

    def __call__(self, input_ids, scores):
        probs = torch.softmax(scores, dim=-1)
        top_probs, _ = probs.max(dim=-1, keepdim=True)
        tokens_to_remove = probs < self.min_p * top_probs
        sorted_indices = torch.argsort(scores, descending=True, dim=-1)
        sorted_indices_to_remove = torch.gather(tokens_to_remove, dim=-1, index=sorted_indices)
        sorted_indices_to_remove[..., : self.min_tokens_to_keep] = False
        indices_to_remove = sorted_indices_to_remove.scatter(1, sorted_indices, sorted_indices_to_remove)
        return scores.masked_fill(indices_to_remove, -float("inf"))


HF_NAME = {
    "repetitionPenalty": "repetition_penalty", "noRepeatNgramSize": "no_repeat_ngram_size", "badWordsIds": "bad_words_ids",
    "minLength": "min_length", "minNewTokens": "min_new_tokens", "forcedBosTokenId": "forced_bos_token_id",
    "forcedEosTokenId": "forced_eos_token_id", "removeInvalidValues": "remove_invalid_values",
    "exponentialDecayLengthPenalty": "exponential_decay_length_penalty", "suppressTokens": "suppress_tokens",
    "beginSuppressTokens": "begin_suppress_tokens", "renormalizeLogits": "renormalize_logits", "temperature": "temperature",
    "topK": "top_k", "topP": "top_p", "typicalP": "typical_p", "epsilonCutoff": "epsilon_cutoff", "etaCutoff": "eta_cutoff",
    "maxLength": "max_length", "eosTokenId": "eos_token_id",
}


def hf_config(options):
    settings = {HF_NAME[name]: value for name, value in options.items() if name in HF_NAME}
    settings.setdefault("top_k", 0)
    if "sequenceBias" in options:
        settings["sequence_bias"] = {tuple(ids): float(bias) for ids, bias in options["sequenceBias"]}
    return GenerationConfig(**settings)


def processed(options, context, logits):
    config = hf_config(options)
    owner = SimpleNamespace(config=SimpleNamespace(is_encoder_decoder=False))
    owner._merge_criteria_processor_list = lambda default, custom: default
    ids = torch.tensor([context])
    steps = GenerationMixin._get_logits_processor(owner, config, 1, None, None, LogitsProcessorList())
    scores = steps(ids, torch.tensor([logits]))
    if options.get("doSample"):
        warpers = GenerationMixin._get_logits_warper(owner, config)
        if "minP" in options:
            before = [type(w).__name__ for w in warpers]
            place = sum(name in ("TemperatureLogitsWarper", "TopKLogitsWarper", "TopPLogitsWarper") for name in before)
            warpers.insert(place, MinP(options["minP"], 1))
        scores = warpers(ids, scores)
    return scores[0].tolist()


def random_logits(scale=4.0):
    return (torch.randn(VOCABULARY) * scale).tolist()


def random_context(length):
    # Few distinct ids, so that n-grams and sequences repeat; the first is the prefix (BOS 0) of `generate` on embeddings.
    return [0] + [random.randrange(3, 9) for _ in range(length - 1)]


SINGLE = [
    {"repetitionPenalty": 1.5}, {"repetitionPenalty": 1.1}, {"repetitionPenalty": 0.7},
    {"noRepeatNgramSize": 1}, {"noRepeatNgramSize": 2}, {"noRepeatNgramSize": 3}, {"noRepeatNgramSize": 5},
    {"badWordsIds": [[4], [5, 6], [3, 4, 7], [1]]}, {"sequenceBias": [[[4], 1.5], [[5, 6], -2.25], [[3, 4, 6], 7.0], [[6], 0.3]]},
    {"minLength": 6}, {"minNewTokens": 5}, {"forcedBosTokenId": 7}, {"maxLength": 6, "forcedEosTokenId": [1]},
    {"maxLength": 6, "forcedEosTokenId": [1, 2]}, {"exponentialDecayLengthPenalty": [3, 1.6]},
    {"exponentialDecayLengthPenalty": [0, 1.05]}, {"suppressTokens": [3, 4, 39]}, {"beginSuppressTokens": [5, 6]},
    {"forcedBosTokenId": 7, "beginSuppressTokens": [5, 6]}, {"renormalizeLogits": True},
]
# Pairs whose order shows in the result.
PAIRS = [
    {"sequenceBias": [[[4], 1.5], [[5], -6.0], [[6], 6.0]], "repetitionPenalty": 1.7}, {"forcedBosTokenId": 7, "suppressTokens": [7]},
    {"minLength": 6, "maxLength": 6, "forcedEosTokenId": [1]}, {"repetitionPenalty": 1.7, "forcedBosTokenId": 0},
    {"forcedBosTokenId": 1, "exponentialDecayLengthPenalty": [0, 2.0], "renormalizeLogits": True},
]
SAMPLING_PAIRS = [
    {"temperature": 2.5, "topP": 0.8}, {"topK": 4, "topP": 0.7}, {"topP": 0.7, "minP": 0.15}, {"minP": 0.1, "typicalP": 0.6},
    {"typicalP": 0.7, "epsilonCutoff": 0.08}, {"epsilonCutoff": 0.04, "etaCutoff": 0.3}, {"topK": 6, "typicalP": 0.6},
    {"repetitionPenalty": 3.0, "temperature": 0.5, "topK": 30}, {"temperature": 3.0, "etaCutoff": 0.02}, {"topP": 0.6, "etaCutoff": 0.2},
]
SAMPLING = [
    {"temperature": 0.7}, {"temperature": 1.9}, {"topK": 1}, {"topK": 5}, {"topK": 100}, {"topP": 0.9}, {"topP": 0.5}, {"topP": 0.05},
    {"topP": 0.0}, {"minP": 0.05}, {"minP": 0.5}, {"minP": 1.0}, {"typicalP": 0.2}, {"typicalP": 0.8}, {"epsilonCutoff": 0.01},
    {"epsilonCutoff": 0.9}, {"etaCutoff": 0.003}, {"etaCutoff": 0.5},
    {"temperature": 0.8, "topK": 20, "topP": 0.9}, {"temperature": 1.3, "topK": 12, "topP": 0.8, "minP": 0.1, "typicalP": 0.9},
    {"topK": 10, "epsilonCutoff": 0.02, "etaCutoff": 0.02, "renormalizeLogits": True},
    {"repetitionPenalty": 1.5, "noRepeatNgramSize": 2, "temperature": 0.9, "topP": 0.9},
    {"sequenceBias": [[[4], 1.5]], "repetitionPenalty": 1.3, "badWordsIds": [[8]], "minLength": 4, "suppressTokens": [9],
     "exponentialDecayLengthPenalty": [2, 1.2], "renormalizeLogits": True, "temperature": 0.6, "topK": 8},
]


def all_cases():
    for options in SINGLE + PAIRS + [{**each, "doSample": True} for each in SAMPLING + SAMPLING_PAIRS]:
        options = {"eosTokenId": [1, 2] if random.random() < 0.5 else [1], "maxLength": 64, **options}
        for length in (1, 2, 3, 5, 6, 9, 14):
            yield options, random_context(length), random_logits()
    # Ties: only where their order cannot matter.
    for options in ({"topK": 4, "doSample": True}, {"epsilonCutoff": 0.03, "doSample": True}, {"minP": 0.6, "doSample": True}):
        for _ in range(6):
            yield {"eosTokenId": [1], "maxLength": 64, **options}, random_context(4), [float(random.randrange(-3, 4)) for _ in range(VOCABULARY)]


def encode(value):
    return None if value == -float("inf") else value


cases = [
    {"options": options, "context": context, "logits": logits, "scores": [encode(v) for v in processed(options, context, logits)]}
    for options, context, logits in all_cases()
]
OUT.parent.mkdir(parents=True, exist_ok=True)
with gzip.GzipFile(OUT, "wb", mtime=0) as file:
    file.write(json.dumps(cases).encode())
print(f"{len(cases)} cases, {OUT.stat().st_size} bytes")
