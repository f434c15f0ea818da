"""What a Python user gets: transformers' InstructBLIP with random weights, stage by stage, on this CPU, in one dtype.

bench/run.mjs runs it once for each dtype, in a process of its own. Prints one JSON object: times in seconds, memory in bytes.

Favourable to the other side: bare forward passes, without the cost of `generate` around them.
Where the language model does not fit into memory, it is measured with 2 and with 6 layers and extended linearly (all layers are alike; embedding and head are
in the constant part). Vision encoder and Q-Former are always measured whole.
"""
import argparse
import json
import resource
import time
from typing import Callable

import psutil
import torch
import transformers
from PIL import Image
from transformers import (
    BlipImageProcessor,
    BlipImageProcessorFast,
    InstructBlipQFormerConfig,
    InstructBlipVisionConfig,
    LlamaConfig,
    LlamaForCausalLM,
)
from transformers.modeling_utils import no_init_weights
from transformers.models.instructblip.modeling_instructblip import InstructBlipQFormerModel, InstructBlipVisionModel

CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
CLIP_STD = [0.26862954, 0.26130258, 0.27577711]
QUERIES = 32
# Layers from which a language model that does not fit is extended.
SHORT, LONG = 2, 6
# Beside the weights: activations, torch itself, and what the system needs.
SPARE_MEMORY = 2 << 30


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def median_seconds(function: Callable[[], object], repeats: int) -> float:
    """Median wall time after one warm-up."""
    function()
    return median([seconds(function) for _ in range(repeats)])


def fill(parameter: torch.Tensor, name: str, noise: torch.Tensor) -> None:
    """Plausible values at the speed of a copy: time does not depend on them, but zeros, denormals and infinities would lie."""
    if parameter.dim() == 1:
        parameter.fill_(1.0 if name.endswith("weight") else 0.0)
        return
    scaled = (noise * parameter.shape[-1] ** -0.5).to(parameter.dtype)
    flat = parameter.view(-1)
    for start in range(0, flat.numel(), scaled.numel()):
        piece = flat[start : start + scaled.numel()]
        piece.copy_(scaled[: piece.numel()])


def random_model(build: Callable[[], torch.nn.Module], dtype: torch.dtype) -> torch.nn.Module:
    previous = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with no_init_weights():
            model = build().eval()
    finally:
        torch.set_default_dtype(previous)
    noise = torch.randn(1 << 20, generator=torch.Generator().manual_seed(1))
    for name, parameter in model.named_parameters():
        fill(parameter.data, name, noise)
    return model


def measure_preprocess(image: str, repeats: int) -> dict[str, float]:
    """From the file to the tensor, with both of transformers' image processors."""
    settings = {"size": {"height": 224, "width": 224}, "image_mean": CLIP_MEAN, "image_std": CLIP_STD}
    result = {}
    for kind in (BlipImageProcessor, BlipImageProcessorFast):
        processor = kind(**settings)
        result[kind.__name__] = median_seconds(lambda: processor(Image.open(image), return_tensors="pt"), repeats)
    return result


class Vision:
    def __init__(self, dtype: torch.dtype, layers: int):
        config = InstructBlipVisionConfig(num_hidden_layers=layers)
        self.model = random_model(lambda: InstructBlipVisionModel(config), dtype)
        self.pixels = torch.randn(1, 3, 224, 224, dtype=dtype)

    def run(self) -> torch.Tensor:  # [1, 257, 1408]
        return self.model(self.pixels).last_hidden_state


class QFormer:
    """With the projection to the language model, as our own measurement has it."""

    def __init__(self, dtype: torch.dtype, layers: int, tokens: int, width: int):
        config = InstructBlipQFormerConfig(vocab_size=30523, num_hidden_layers=layers)
        self.model = random_model(lambda: InstructBlipQFormerModel(config), dtype)
        self.projection = random_model(lambda: torch.nn.Linear(config.hidden_size, width), dtype)
        self.features = torch.randn(1, 257, 1408, dtype=dtype)
        self.queries = torch.randn(1, QUERIES, config.hidden_size, dtype=dtype)
        self.ids = torch.randint(1000, 30000, (1, tokens))
        self.mask = torch.ones(1, QUERIES + tokens, dtype=torch.long)

    def run(self) -> torch.Tensor:  # [1, 32, width]
        hidden = self.model(
            self.ids, attention_mask=self.mask, query_embeds=self.queries, encoder_hidden_states=self.features
        ).last_hidden_state
        return self.projection(hidden[:, :QUERIES])


class LanguageModel:
    def __init__(self, config: LlamaConfig, dtype: torch.dtype, prompt: int):
        self.model = random_model(lambda: LlamaForCausalLM(config), dtype)
        self.embeddings = torch.randn(1, QUERIES + prompt, config.hidden_size, dtype=dtype) * 0.02

    def prefill(self):
        return self.model(inputs_embeds=self.embeddings, use_cache=True, logits_to_keep=1)

    def decode(self, steps: int) -> float:
        """Seconds per token: the mean of `steps` after a prefill."""
        past = self.prefill().past_key_values
        start = time.perf_counter()
        for step in range(steps):
            past = self.model(input_ids=torch.tensor([[1000 + step]]), past_key_values=past, use_cache=True).past_key_values
        return (time.perf_counter() - start) / steps

    def measure(self, steps: int, repeats: int) -> tuple[float, float]:
        return median_seconds(self.prefill, repeats), median([self.decode(steps) for _ in range(repeats)])


def parameter_count(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def llama_parameters(config: LlamaConfig) -> int:
    with torch.device("meta"):
        return parameter_count(LlamaForCausalLM(config))


def llama_config(arguments: argparse.Namespace, layers: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=32001,
        hidden_size=arguments.hidden_size,
        intermediate_size=arguments.intermediate_size,
        num_attention_heads=arguments.heads,
        num_hidden_layers=layers,
    )


def measure_language_model(arguments: argparse.Namespace, dtype: torch.dtype) -> dict[str, object]:
    def measured(layers: int) -> tuple[float, float]:
        model = LanguageModel(llama_config(arguments, layers), dtype, arguments.prompt)
        return model.measure(arguments.steps, arguments.repeats)

    needed = llama_parameters(llama_config(arguments, arguments.layers)) * dtype.itemsize + SPARE_MEMORY
    if arguments.layers <= LONG or psutil.virtual_memory().available > needed:
        prefill, decode = measured(arguments.layers)
        return {"prefill": prefill, "decode": decode, "whole": True}
    short, long = measured(SHORT), measured(LONG)
    prefill, decode = (b + (b - a) / (LONG - SHORT) * (arguments.layers - LONG) for a, b in zip(short, long))
    return {"prefill": prefill, "decode": decode, "whole": False}


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    dtype = getattr(torch, arguments.dtype)
    preprocess = measure_preprocess(arguments.image, 5)
    vision = Vision(dtype, arguments.vision_layers)
    qformer = QFormer(dtype, arguments.qformer_layers, arguments.qformer_tokens, arguments.hidden_size)
    stages = {
        "vision": median_seconds(vision.run, arguments.repeats),
        "qformer": median_seconds(qformer.run, arguments.repeats),
    }
    language_model = measure_language_model(arguments, dtype)
    parameters = sum(parameter_count(part) for part in (vision.model, qformer.model, qformer.projection))
    parameters += llama_parameters(llama_config(arguments, arguments.layers))
    return {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "bfloat16Kernels": bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()),
        "dtype": arguments.dtype,
        "preprocess": preprocess,
        **stages,
        **language_model,
        "weights": parameters * dtype.itemsize,
        # Of all stages together where the language model was whole.
        "peakMemory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--prompt", type=int, default=32, help="prompt tokens of the language model")
    parser.add_argument("--qformer-tokens", type=int, default=33, help="instruction tokens of the Q-Former")
    parser.add_argument("--steps", type=int, default=31, help="decode steps")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--hidden-size", type=int, default=4096)
    parser.add_argument("--intermediate-size", type=int, default=11008)
    parser.add_argument("--heads", type=int, default=32)
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--vision-layers", type=int, default=39)
    parser.add_argument("--qformer-layers", type=int, default=12)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    with torch.inference_mode():
        print(json.dumps(measure(arguments)))


if __name__ == "__main__":
    main()
