"""transformers' language models with random weights: what the baseline measures of them."""
import time

import torch
from torch.nn import Module
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PretrainedConfig,
    T5Config,
    T5ForConditionalGeneration,
)
from transformers.modeling_outputs import BaseModelOutput

from baseline_models import median, median_seconds, parameter_count, random_model

TextSettings = dict[str, object]


def language_config(text: TextSettings, layers: int) -> PretrainedConfig:
    """From the converter's own reading of `text_config`, with this number of layers (of an encoder-decoder: in both halves)."""
    if text["type"] == "t5":
        return t5_config(text, layers)
    common = {
        "vocab_size": text["vocabSize"],
        "hidden_size": text["hiddenSize"],
        "num_attention_heads": text["heads"],
        "num_hidden_layers": layers,
    }
    if text["type"] == "opt":
        return OPTConfig(ffn_dim=text["intermediateSize"], **common)
    return LlamaConfig(intermediate_size=text["intermediateSize"], **common)


def t5_config(text: TextSettings, layers: int) -> T5Config:
    config = T5Config(
        vocab_size=text["vocabSize"],
        d_model=text["hiddenSize"],
        d_kv=text["headDim"],
        d_ff=text["intermediateSize"],
        num_layers=layers,
        num_decoder_layers=layers,
        num_heads=text["heads"],
        feed_forward_proj="gated-gelu" if text["gated"] else "relu",
        tie_word_embeddings=text["tied"],
        decoder_start_token_id=text["decoderStartTokenId"],
    )
    config.dense_act_fn = text["activation"]  # T5Config sets another for `gated-gelu`
    return config


class DecoderOnly:
    def __init__(self, model: Module, prompt: int):
        self.model = model
        width = model.get_input_embeddings().embedding_dim
        self.embeddings = torch.randn(1, prompt, width, dtype=model.dtype) * 0.02

    def prefill(self):
        return self.model(inputs_embeds=self.embeddings, use_cache=True, logits_to_keep=1)

    def step(self, before, token: int):
        return self.model(input_ids=torch.tensor([[token]]), past_key_values=before.past_key_values, use_cache=True)


class EncoderDecoder:
    """Prefill: the encoder, keys and values of cross-attention, and the decoder's first step, as our own measurement has it."""

    def __init__(self, model: Module, prompt: int):
        self.model = model
        self.embeddings = torch.randn(1, prompt, model.config.d_model, dtype=model.dtype) * 0.02
        self.encoded = BaseModelOutput()

    def encode(self) -> None:
        self.encoded = self.model.get_encoder()(inputs_embeds=self.embeddings)

    def prefill(self):
        self.encode()
        start = torch.tensor([[self.model.config.decoder_start_token_id]])
        return self.model(encoder_outputs=self.encoded, decoder_input_ids=start, use_cache=True)

    def step(self, before, token: int):
        return self.model(
            encoder_outputs=self.encoded,
            decoder_input_ids=torch.tensor([[token]]),
            past_key_values=before.past_key_values,
            use_cache=True,
        )


MODELS = {
    "llama": (LlamaForCausalLM, DecoderOnly),
    "opt": (OPTForCausalLM, DecoderOnly),
    "t5": (T5ForConditionalGeneration, EncoderDecoder),
}


def decode_seconds(runner: DecoderOnly | EncoderDecoder, steps: int) -> float:
    """Seconds per token: the mean of `steps` after a prefill."""
    output = runner.prefill()
    start = time.perf_counter()
    for step in range(steps):
        output = runner.step(output, 1000 + step)
    return (time.perf_counter() - start) / steps


def measure_layers(
    text: TextSettings, layers: int, dtype: torch.dtype, prompt: int, steps: int, repeats: int
) -> dict[str, float]:
    """Seconds of each stage."""
    build, kind = MODELS[text["type"]]
    runner = kind(random_model(lambda: build(language_config(text, layers)), dtype), prompt)
    result = {"prefill": median_seconds(runner.prefill, repeats)}
    if isinstance(runner, EncoderDecoder):
        result["encode"] = median_seconds(runner.encode, repeats)
    return {**result, "decode": median([decode_seconds(runner, steps) for _ in range(repeats)])}


def language_parameters(text: TextSettings, layers: int) -> int:
    with torch.device("meta"):
        return parameter_count(MODELS[text["type"]][0](language_config(text, layers)))
