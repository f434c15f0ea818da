"""What a Python user gets: transformers' InstructBLIP with random weights, stage by stage, on this CPU, in one dtype.

bench/run.mjs runs it once for each dtype, in a process of its own. Prints one JSON object: times in seconds, memory in bytes.

Favourable to the other side: bare forward passes, without the cost of `generate` around them.
Where the language model does not fit into memory, it is measured with 2 and with 6 layers and extended linearly (all layers are alike; embedding and head are
in the constant part). Vision encoder and Q-Former are always measured whole.
"""
import argparse
import json
import resource

import psutil
import torch
import transformers
from PIL import Image
from transformers import (
    BlipImageProcessor,
    BlipImageProcessorFast,
    InstructBlipQFormerConfig,
    InstructBlipVisionConfig,
)
from transformers.models.instructblip.modeling_instructblip import InstructBlipQFormerModel, InstructBlipVisionModel

from baseline_language import language_parameters, measure_layers
from baseline_models import median_seconds, parameter_count, random_model

CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
CLIP_STD = [0.26862954, 0.26130258, 0.27577711]
QUERIES = 32
# Layers from which a language model that does not fit is extended.
SHORT, LONG = 2, 6
# Beside the weights: activations, torch itself, and what the system needs.
SPARE_MEMORY = 2 << 30


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


def measure_language_model(arguments: argparse.Namespace, dtype: torch.dtype) -> dict[str, object]:
    text = arguments.text

    def measured(layers: int) -> dict[str, float]:
        rows = QUERIES + arguments.prompt
        return measure_layers(text, layers, dtype, rows, arguments.steps, arguments.repeats)

    needed = language_parameters(text, text["layers"]) * dtype.itemsize + SPARE_MEMORY
    if text["layers"] <= LONG or psutil.virtual_memory().available > needed:
        return {**measured(text["layers"]), "whole": True}
    short, long = measured(SHORT), measured(LONG)
    beyond = (text["layers"] - LONG) / (LONG - SHORT)
    return {**{stage: long[stage] + (long[stage] - short[stage]) * beyond for stage in long}, "whole": False}


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    dtype = getattr(torch, arguments.dtype)
    preprocess = measure_preprocess(arguments.image, 5)
    vision = Vision(dtype, arguments.vision_layers)
    qformer = QFormer(dtype, arguments.qformer_layers, arguments.qformer_tokens, arguments.text["hiddenSize"])
    stages = {
        "vision": median_seconds(vision.run, arguments.repeats),
        "qformer": median_seconds(qformer.run, arguments.repeats),
    }
    language_model = measure_language_model(arguments, dtype)
    parameters = sum(parameter_count(part) for part in (vision.model, qformer.model, qformer.projection))
    parameters += language_parameters(arguments.text, arguments.text["layers"])
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
    parser.add_argument("--text", type=json.loads, required=True, help="the language model: make-model.ts's config.text")
    parser.add_argument("--vision-layers", type=int, default=39)
    parser.add_argument("--qformer-layers", type=int, default=12)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    with torch.inference_mode():
        print(json.dumps(measure(arguments)))


if __name__ == "__main__":
    main()
