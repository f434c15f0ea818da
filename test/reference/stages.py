"""What transformers 4.34 computes, stage by stage, for the random checkpoints and pictures of the parity tests.

    npx tsx test/reference/make-checkpoints.ts <dir>
    python test/reference/stages.py <dir>               writes test/fixtures/parity/<checkpoint>.json.gz

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

OUT = Path(__file__).parent.parent / "fixtures" / "parity"
NEW_TOKENS = 24
NEAR_TIE = 1e-4

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


def greedy(model, inputs) -> dict:
    result = model.generate(**inputs, do_sample=False, max_new_tokens=NEW_TOKENS, return_dict_in_generate=True, output_scores=True)
    best = torch.cat(result.scores).topk(2).values
    margins = (best[:, 0] - best[:, 1]).tolist()
    # The first id is the BOS that 4.34 starts from when it is given embeddings.
    ids = result.sequences[0, 1:].tolist()
    assert len(ids) == len(margins)
    return {"ids": ids, "margin": min(margins), "nearTies": [i for i, margin in enumerate(margins) if margin < NEAR_TIE]}


def run_pair(model, processor, picture: int, image, features, question: str) -> dict:
    inputs = processor(images=image, text=question, return_tensors="pt")
    queried = query(model, features, inputs["qformer_input_ids"]).last_hidden_state[:, : model.query_tokens.shape[1]]
    logits = model(**inputs).logits[0, -1]
    return {
        "picture": picture,
        "question": question,
        "inputIds": inputs["input_ids"][0].tolist(),
        "qformerIds": inputs["qformer_input_ids"][0].tolist(),
        "qformer": stored(queried[0], 200),
        "softTokens": stored(model.language_projection(queried)[0], 200),
        "logits": stored(logits, 400),
        **greedy(model, inputs),
    }


def run_checkpoint(folder: Path, seed: int, images: list, questions: list) -> dict:
    model = InstructBlipForConditionalGeneration.from_pretrained(folder, torch_dtype=torch.float32).eval()
    processor = InstructBlipProcessor.from_pretrained(folder)
    pictures, pairs, trace = [], [], {}
    for i, image in enumerate(images):
        pixels = processor(images=image, text="", return_tensors="pt")["pixel_values"]
        features = encode(model, pixels).last_hidden_state
        pictures.append({
            "rgbSha256": sha256(image.tobytes()),
            "pixelsSha256": sha256(pixels.numpy().astype("<f4").tobytes()),
            "features": stored(features[0], 1000),
        })
        pairs += [run_pair(model, processor, i, image, features, question) for question in questions]
        if i == 1:
            ids = processor(images=image, text=questions[0], return_tensors="pt")["qformer_input_ids"]
            trace = {**vision_trace(model, pixels), **qformer_trace(model, query(model, features, ids))}
    texts = []
    for question in questions:
        ids = processor(images=images[0], text=question, return_tensors="pt")["input_ids"]
        texts.append({"inputIds": ids[0].tolist(), "logits": stored(model.language_model(ids).logits[0, -1], 400)})
    return {
        "made by": f"test/reference/stages.py; transformers {transformers.__version__}, torch {torch.__version__}, Pillow {PIL.__version__}",
        "seed": seed,
        "weightsSha256": weights_checksum(folder),
        "pictures": pictures,
        "trace": {"picture": 1, "question": questions[0], "tensors": {name: stored(value, 200) for name, value in trace.items()}},
        "pairs": pairs,
        "texts": texts,
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
          f"smallest margin {min(pair['margin'] for pair in pairs):.2g}, near ties {ties}, largest logit {pairs[0]['logits']['largest']:.3g}")


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    plan = json.loads((folder / "parity.json").read_text())
    images = read_images(folder, plan["pictures"])
    OUT.mkdir(parents=True, exist_ok=True)
    for checkpoint in plan["checkpoints"]:
        name = checkpoint["name"]
        result = run_checkpoint(folder / name, checkpoint["seed"], images, plan["questions"])
        path = OUT / f"{name}.json.gz"
        with gzip.GzipFile(path, "wb", mtime=0) as file:
            file.write(json.dumps(result, separators=(",", ":")).encode())
        report(name, result, path.stat().st_size)


if __name__ == "__main__":
    main()
