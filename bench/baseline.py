"""What a Python user gets: transformers' InstructBLIP at vicuna-7b shape with random weights, on this CPU, in its best dtype here.

usage: python bench/baseline.py --threads 2 --image test/fixtures/images/... [--dtypes float32,bfloat16] > baseline.json

The language model has 7 billion parameters: 27 GB in float32. Where that does not fit, it is measured with 2 and with 6 layers and extended
linearly to 32 (all layers are alike; embeddings and head are in the constant part). Vision encoder and Q-Former are measured whole.
"""
import argparse
import json
import time

import torch
from PIL import Image
from transformers import InstructBlipQFormerConfig, InstructBlipVisionConfig, LlamaConfig, LlamaForCausalLM
from transformers.models.blip.image_processing_blip import BlipImageProcessor
from transformers.models.instructblip.modeling_instructblip import InstructBlipQFormerModel, InstructBlipVisionModel

CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
CLIP_STD = [0.26862954, 0.26130258, 0.27577711]


def median_seconds(function, repeats: int) -> float:
    """Median wall time of `function` after one warm-up."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def empty_model(build, dtype):
    """A model with cheap pseudo-random weights (speed does not depend on their values, but zeros and denormals would lie)."""
    previous = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    original = torch.nn.init.normal_, torch.nn.init.kaiming_uniform_, torch.nn.init.uniform_, torch.nn.init.trunc_normal_
    pattern = (torch.randn(1 << 16) * 0.02).to(dtype)

    def fill(tensor, *_, **__):
        with torch.no_grad():
            flat = tensor.view(-1)
            for start in range(0, flat.numel(), pattern.numel()):
                piece = flat[start : start + pattern.numel()]
                piece.copy_(pattern[: piece.numel()])
        return tensor

    for name in ("normal_", "kaiming_uniform_", "uniform_", "trunc_normal_"):
        setattr(torch.nn.init, name, fill)
    try:
        model = build().eval()
        for parameter in model.parameters():
            if parameter.dim() > 1:
                fill(parameter.data)
        return model
    finally:
        torch.set_default_dtype(previous)
        for name, function in zip(("normal_", "kaiming_uniform_", "uniform_", "trunc_normal_"), original):
            setattr(torch.nn.init, name, function)


def measure_vision(dtype, repeats: int) -> float:
    model = empty_model(lambda: InstructBlipVisionModel(InstructBlipVisionConfig()), dtype)
    pixels = torch.randn(1, 3, 224, 224, dtype=dtype)
    return median_seconds(lambda: model(pixels), repeats)


def measure_qformer(dtype, tokens: int, repeats: int) -> float:
    model = empty_model(lambda: InstructBlipQFormerModel(InstructBlipQFormerConfig(vocab_size=30523)), dtype)
    features = torch.randn(1, 257, 1408, dtype=dtype)
    queries = torch.randn(1, 32, 768, dtype=dtype)
    ids = torch.randint(1000, 30000, (1, tokens))
    mask = torch.ones(1, 32 + tokens, dtype=torch.long)
    return median_seconds(
        lambda: model(ids, attention_mask=mask, query_embeds=queries, encoder_hidden_states=features), repeats
    )


def measure_language_model(dtype, layers: int, prompt: int, steps: int, repeats: int):
    """Seconds of a prefill of 32 soft tokens + `prompt` tokens, and of one decode step."""
    config = LlamaConfig(vocab_size=32001, num_hidden_layers=layers)
    model = empty_model(lambda: LlamaForCausalLM(config), dtype)
    embeddings = torch.randn(1, 32 + prompt, config.hidden_size, dtype=dtype) * 0.02

    def prefill():
        return model(inputs_embeds=embeddings, use_cache=True)

    prefill_seconds = median_seconds(prefill, repeats)
    past = prefill().past_key_values
    times = []
    for step in range(steps):
        token = torch.tensor([[1000 + step]])
        start = time.perf_counter()
        past = model(input_ids=token, past_key_values=past, use_cache=True).past_key_values
        times.append(time.perf_counter() - start)
    return prefill_seconds, sorted(times)[len(times) // 2]


def extend(short: float, long: float, layers=(2, 6), whole: int = 32) -> float:
    per_layer = (long - short) / (layers[1] - layers[0])
    return long + per_layer * (whole - layers[1])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--image", required=True)
    parser.add_argument("--dtypes", default="float32,bfloat16")
    parser.add_argument("--prompt", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)

    picture = Image.open(arguments.image)
    processor = BlipImageProcessor(size={"height": 224, "width": 224}, image_mean=CLIP_MEAN, image_std=CLIP_STD)

    def preprocess():
        return processor(Image.open(arguments.image), return_tensors="pt")

    result = {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "picture": picture.size,
        "preprocess": median_seconds(preprocess, 5),
        "dtypes": {},
    }
    for name in arguments.dtypes.split(","):
        dtype = getattr(torch, name)
        short = measure_language_model(dtype, 2, arguments.prompt, 8, arguments.repeats)
        long = measure_language_model(dtype, 6, arguments.prompt, 8, arguments.repeats)
        result["dtypes"][name] = {
            "vision": measure_vision(dtype, arguments.repeats),
            "qformer": measure_qformer(dtype, 12, arguments.repeats),
            "prefill": extend(short[0], long[0]),
            "decode": extend(short[1], long[1]),
        }
    print(json.dumps(result))


main()
