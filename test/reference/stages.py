"""What transformers 4.34 computes, stage by stage, for the random checkpoints and pictures of the parity tests.

    npx tsx test/reference/make-checkpoints.ts <dir>
    python test/reference/stages.py <dir> [name …]      writes test/fixtures/parity/<checkpoint>.json.gz

float32, one thread. Tensors are stored whole or, when large, as every n-th value, with the largest magnitude and the 2-norm of the whole.
Near ties of greedy search (two best logits closer than 1e-4) are listed with the pair, never dropped; the tests want none.
"""
import argparse
import base64
import gzip
import hashlib
import json
from pathlib import Path

import numpy
import PIL
import torch
import transformers
from PIL import Image
from transformers import InstructBlipForConditionalGeneration, InstructBlipProcessor

from stages_language import answer_start, forced, language_trace, largest_in_feed_forward, text_logits

OUT = Path(__file__).parent.parent / "fixtures" / "parity"
NEW_TOKENS = 24
NEAR_TIE = 1e-4
# Values that are stored of a picture's features, of an intermediate, of a pair's soft tokens and of its logits.
LIMITS = {"features": 1000, "trace": 200, "pair": 200, "logits": 400}
# The LLaMA checkpoints hold these stages at full size.
SMALL_LIMITS = {"features": 500, "trace": 150, "pair": 80, "logits": 200, "forced": 2000}

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)


def stored(tensor: torch.Tensor, limit: int) -> dict:
    values = tensor.detach().to(torch.float32).contiguous().numpy()
    assert numpy.isfinite(values).all()
    # An odd step visits every column of a matrix.
    every = 1 if values.size <= limit else -(-values.size // limit) | 1
    sample = numpy.ascontiguousarray(values.reshape(-1)[::every]).astype("<f4")
    return {
        "shape": list(values.shape),
        "every": every,
        "largest": float(numpy.abs(values).max()),
        "norm": float(numpy.sqrt((values.astype(numpy.float64) ** 2).sum())),
        "data": base64.b64encode(sample.tobytes()).decode(),
    }


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def weights_checksum(folder: Path) -> str:
    return sha256(b"".join(path.read_bytes() for path in sorted(folder.glob("*.safetensors"))))


def encode(model, pixels):
    return model.vision_model(pixels, output_hidden_states=True, output_attentions=True)


def query(model, features, ids):
    queries = model.query_tokens
    mask = torch.ones(1, queries.shape[1] + ids.shape[1], dtype=torch.long)
    return model.qformer(input_ids=ids, attention_mask=mask, query_embeds=queries, encoder_hidden_states=features,
                         encoder_attention_mask=torch.ones(features.shape[:-1], dtype=torch.long),
                         output_hidden_states=True, output_attentions=True)


def vision_trace(model, pixels) -> dict:
    """Intermediates by the names that native/core/vision-encoder.cpp gives them."""
    seen = {}
    hooks = []
    for i, layer in enumerate(model.vision_model.encoder.layers):
        for name, module in {"norm1": layer.layer_norm1, "qkv": layer.self_attn.qkv, "attention_out": layer.self_attn.projection,
                             "norm2": layer.layer_norm2, "ffn_up": layer.mlp.fc1, "ffn_act": layer.mlp.activation_fn,
                             "ffn_down": layer.mlp.fc2}.items():
            hooks.append(module.register_forward_hook(
                lambda _module, _inputs, output, key=f"vision.{name}-{i}": seen.__setitem__(key, output[0])))
    outputs = encode(model, pixels)
    for hook in hooks:
        hook.remove()
    seen["vision.embeddings"] = outputs.hidden_states[0][0]
    for i, state in enumerate(outputs.hidden_states[1:]):
        seen[f"vision.layer-{i}"] = state[0]
        seen[f"vision.attention_weights-{i}"] = outputs.attentions[i][0]
    seen["vision.post_layernorm"] = outputs.last_hidden_state[0]
    return seen


def qformer_trace(model, outputs) -> dict:
    """Likewise for native/core/qformer.cpp. Of the last layer only the queries' rows exist there."""
    count = model.query_tokens.shape[1]
    last = len(outputs.attentions) - 1
    seen = {"qformer.embeddings": outputs.hidden_states[0][0]}
    cross = iter(outputs.cross_attentions)
    for i in range(last + 1):
        rows = slice(0, count) if i == last else slice(None)
        seen[f"qformer.layer-{i}"] = outputs.hidden_states[i + 1][0, rows]
        seen[f"qformer.self_attention_weights-{i}"] = outputs.attentions[i][0][:, rows]
        if i % model.config.qformer_config.cross_attention_frequency == 0:
            seen[f"qformer.cross_attention_weights-{i}"] = next(cross)[0]
    seen["qformer.output"] = outputs.last_hidden_state[0, :count]
    seen["projection.output"] = model.language_projection(seen["qformer.output"])
    return seen


def greedy(model, processor, inputs) -> dict:
    result = model.generate(**inputs, do_sample=False, max_new_tokens=NEW_TOKENS, return_dict_in_generate=True, output_scores=True)
    best = torch.cat(result.scores).topk(2).values
    margins = (best[:, 0] - best[:, 1]).tolist()
    # The first id is the BOS that 4.34 starts from when it is given embeddings.
    ids = result.sequences[0, 1:].tolist()
    assert len(ids) == len(margins)
    answer = {"ids": ids, "margin": min(margins), "nearTies": [i for i, margin in enumerate(margins) if margin < NEAR_TIE]}
    if model.config.text_config.model_type == "llama":
        return answer
    return {**answer, "text": processor.decode(ids, skip_special_tokens=True).strip()}


def run_pair(model, processor, picture: int, image, features, question: str, limits: dict) -> dict:
    inputs = processor(images=image, text=question, return_tensors="pt")
    queried = query(model, features, inputs["qformer_input_ids"]).last_hidden_state[:, : model.query_tokens.shape[1]]
    logits = model(**inputs, **answer_start(model)).logits[0, -1]
    return {
        "picture": picture,
        "question": question,
        "inputIds": inputs["input_ids"][0].tolist(),
        "qformerIds": inputs["qformer_input_ids"][0].tolist(),
        "qformer": stored(queried[0], limits["pair"]),
        "softTokens": stored(model.language_projection(queried)[0], limits["pair"]),
        "logits": stored(logits, limits["logits"]),
        **greedy(model, processor, inputs),
    }


def run_trace(model, processor, image, question: str) -> dict:
    inputs = processor(images=image, text=question, return_tensors="pt")
    features = encode(model, inputs["pixel_values"]).last_hidden_state
    return {**vision_trace(model, inputs["pixel_values"]), **qformer_trace(model, query(model, features, inputs["qformer_input_ids"]))}


def run_language(model, processor, image, question: str, seed: int, limits: dict) -> dict:
    """What only models with a graph of our own are compared in."""
    inputs = processor(images=image, text=question, return_tensors="pt")
    ids = inputs["input_ids"]
    features = encode(model, inputs["pixel_values"]).last_hidden_state
    soft_tokens = model.language_projection(query(model, features, inputs["qformer_input_ids"]).last_hidden_state[:, : model.query_tokens.shape[1]])
    tokens, logits = forced(model, soft_tokens, ids, seed)
    return {
        "tensors": {name: stored(value, limits["trace"]) for name, value in language_trace(model, soft_tokens, ids).items()},
        **({"largestInFeedForward": largest_in_feed_forward(model, soft_tokens, ids)} if answer_start(model) else {}),
        "forced": {"tokens": tokens, "best": logits.argmax(dim=1).tolist(), "logits": stored(logits, limits["forced"])},
    }


def run_checkpoint(folder: Path, seed: int, images: list, questions: list) -> dict:
    model = InstructBlipForConditionalGeneration.from_pretrained(folder, torch_dtype=torch.float32).eval()
    processor = InstructBlipProcessor.from_pretrained(folder)
    own_graph = model.config.text_config.model_type != "llama"
    limits = SMALL_LIMITS if own_graph else LIMITS
    pictures, pairs = [], []
    for i, image in enumerate(images):
        pixels = processor(images=image, text="", return_tensors="pt")["pixel_values"]
        features = encode(model, pixels).last_hidden_state
        pictures.append({
            "rgbSha256": sha256(image.tobytes()),
            "pixelsSha256": sha256(pixels.numpy().astype("<f4").tobytes()),
            "features": stored(features[0], limits["features"]),
        })
        pairs += [run_pair(model, processor, i, image, features, question, limits) for question in questions]
    trace = run_trace(model, processor, images[1], questions[0])
    texts = []
    for question in questions:
        ids = processor(images=images[0], text=question, return_tensors="pt")["input_ids"]
        texts.append({"inputIds": ids[0].tolist(), "logits": stored(text_logits(model, ids), limits["logits"])})
    return {
        "made by": f"test/reference/stages.py; transformers {transformers.__version__}, torch {torch.__version__}, Pillow {PIL.__version__}",
        "seed": seed,
        "weightsSha256": weights_checksum(folder),
        "pictures": pictures,
        "trace": {"picture": 1, "question": questions[0], "tensors": {name: stored(value, limits["trace"]) for name, value in trace.items()}},
        "pairs": pairs,
        "texts": texts,
        **({"language": run_language(model, processor, images[1], questions[0], seed, limits)} if own_graph else {}),
    }


def read_images(folder: Path, pictures: list) -> list:
    return [Image.frombytes("RGB", (picture["width"], picture["height"]), (folder / "pictures" / f"{i}.rgb").read_bytes())
            for i, picture in enumerate(pictures)]


def report(name: str, result: dict, size: int) -> None:
    pairs = result["pairs"]
    ties = [(pair["picture"], pair["question"], pair["nearTies"]) for pair in pairs if pair["nearTies"]]
    answers = {tuple(pair["ids"]) for pair in pairs}
    stops = sum(len(pair["ids"]) < NEW_TOKENS for pair in pairs)
    variety = sum(len(set(pair["ids"])) for pair in pairs) / len(pairs)
    print(f"{name}: {size} bytes, {len(pairs)} pairs, {len(answers)} different answers of {variety:.1f} different ids, {stops} stopped, "
          f"smallest margin {min(pair['margin'] for pair in pairs):.2g}, near ties {ties}, largest logit {pairs[0]['logits']['largest']:.3g}"
          + (f", largest in feed-forward {result['language']['largestInFeedForward']:.3g}" if "largestInFeedForward" in result.get("language", {}) else ""))


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="checkpoints; none: all")
    arguments = parser.parse_args()
    folder = arguments.folder
    plan = json.loads((folder / "parity.json").read_text())
    images = read_images(folder, plan["pictures"])
    OUT.mkdir(parents=True, exist_ok=True)
    for checkpoint in plan["checkpoints"]:
        name = checkpoint["name"]
        if arguments.names and name not in arguments.names:
            continue
        result = run_checkpoint(folder / name, checkpoint["seed"], images, checkpoint["questions"])
        path = OUT / f"{name}.json.gz"
        with gzip.GzipFile(path, "wb", mtime=0) as file:
            file.write(json.dumps(result, separators=(",", ":")).encode())
        report(name, result, path.stat().st_size)


if __name__ == "__main__":
    main()
