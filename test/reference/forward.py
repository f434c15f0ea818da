"""What `forward` of transformers 4.34's three classes returns for the random checkpoints of the parity tests: every output, whole batches.

    npx tsx test/reference/make-checkpoints.ts <dir>
    python test/reference/forward.py <dir>              writes test/fixtures/parity/forward.json.gz

float32, one thread. A tensor is kept as a few of its values, its largest magnitude, its 2-norm, and its product with numbers that spread(i) makes:
an error anywhere shows. Names are those of the package's outputs.
"""
import argparse
import base64
import gzip
import json
from pathlib import Path

import numpy
import torch
import transformers
from torch import nn
from transformers import InstructBlipForConditionalGeneration, InstructBlipProcessor

from stages import read_images, weights_checksum

OUT = Path(__file__).parent.parent / "fixtures" / "parity" / "forward.json.gz"
CHECKPOINTS = ["old-revision", "loose-epsilons", "t5-old-revision", "t5-long-prompts", "opt-byte-pairs", "opt-post-norm"]
VALUES = 8
OUTPUTS = {"output_hidden_states": True, "output_attentions": True}
# Pictures and questions (by number) of the whole model's cases, and the side that ids are padded on.
CASES = [("single", [1], [0], "right"), ("right", [0, 2, 4], [0, 5, 3], "right"), ("left", [3, 1], [2, 0], "left")]

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)


def spread(count: int) -> numpy.ndarray:
    """Numbers in -1..1 that JavaScript makes as well."""
    return ((numpy.arange(count, dtype=numpy.uint64) * 0x9E3779B1) % 2**32).astype(numpy.float64) / 2**31 - 1


def random_tensor(*shape: int) -> torch.Tensor:
    return torch.from_numpy((2 * spread(int(numpy.prod(shape)))).astype(numpy.float32)).reshape(shape)


def stored(tensor: torch.Tensor) -> dict:
    values = tensor.detach().to(torch.float32).contiguous().numpy()
    assert numpy.isfinite(values).all()
    flat = values.reshape(-1)
    every = 1 if flat.size <= VALUES else -(-flat.size // VALUES) | 1
    whole = flat.astype(numpy.float64)
    return {
        "shape": list(values.shape),
        "every": every,
        "largest": float(numpy.abs(flat).max()),
        "norm": float(numpy.sqrt((whole**2).sum())),
        "dot": float((whole * spread(flat.size)).sum()),
        "data": base64.b64encode(numpy.ascontiguousarray(flat[::every]).astype("<f4").tobytes()).decode(),
    }


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def flat(outputs, prefix: str = "") -> dict:
    """Every tensor of nested outputs, by its path; keys and values of caches are left out."""
    found = {}
    for name, value in outputs.items() if hasattr(outputs, "items") else enumerate(outputs):
        path = f"{prefix}{camel(name) if isinstance(name, str) else name}"
        if name == "past_key_values" or value is None:
            continue
        if isinstance(value, torch.Tensor):
            found[path] = stored(value)
        else:
            found.update(flat(value, f"{path}."))
    return found


def vision_cases(model) -> list:
    """Other sizes: transformers from 4.45 on interpolates positions like this, 4.34 does not at all."""
    vision = model.vision_model
    size, patch, width = vision.config.image_size, vision.config.patch_size, vision.config.hidden_size
    own = vision.embeddings.position_embedding
    grid = int((own.shape[1] - 1) ** 0.5)
    cases = []
    for batch, height, columns in [(2, size, size), (1, 2 * size + 1, size + patch), (2, size - patch, 3 * patch)]:
        to = (height // patch, columns // patch)
        patches = own[:, 1:].reshape(1, grid, grid, width).permute(0, 3, 1, 2)
        resized = nn.functional.interpolate(patches, size=to, mode="bicubic", align_corners=False) if to != (grid, grid) else patches
        positions = torch.cat([own[:, :1], resized.permute(0, 2, 3, 1).reshape(1, -1, width)], dim=1)
        vision.embeddings.position_embedding = nn.Parameter(positions)
        outputs = vision(random_tensor(batch, 3, height, columns), **OUTPUTS)
        vision.embeddings.position_embedding = own
        cases.append({"dims": [batch, 3, height, columns], "outputs": flat(outputs)})
    return cases


def qformer_cases(model) -> list:
    """Holes in every mask; other queries; no text; text alone."""
    qformer, width = model.qformer, model.config.vision_config.hidden_size
    own = model.query_tokens
    ids = torch.tensor([[5, 9, 2, 7], [1, 1, 3, 0]])
    queries = random_tensor(2, 3, own.shape[2])
    def mask(*dims: int) -> torch.Tensor:
        hidden = torch.ones(dims, dtype=torch.long)
        hidden[0, 1], hidden[-1, -1] = 0, 0
        return hidden
    features = random_tensor(2, 7, width)
    cases = []
    for name, given, text, masks in [("masks", None, ids, True), ("queries", queries, ids, True), ("queries only", None, None, False), ("text only", False, ids, True)]:
        used = None if given is False else own.expand(2, -1, -1) if given is None else given
        rows = (0 if used is None else used.shape[1]) + (0 if text is None else text.shape[1])
        outputs = qformer(input_ids=text, query_embeds=used, encoder_hidden_states=features, attention_mask=mask(2, rows) if masks else None,
                          encoder_attention_mask=mask(2, 7) if masks else None, **OUTPUTS)
        if used is None:
            outputs = {name: value for name, value in outputs.items() if name != "cross_attentions"}  # 4.34 puts its cache there
        cases.append({"name": name, "inputIds": None if text is None else text.tolist(), "rows": rows, "masks": masks,
                      "queryEmbeds": False if used is None else given is not None, "outputs": flat(outputs)})
    return cases


def labels_of(model, inputs, seed: int) -> torch.Tensor:
    """Decoder-only: of the prompt, its padding and first token left out. T5: an answer, shorter in the last row."""
    if not model.config.text_config.is_encoder_decoder:
        labels = inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, -100)
        labels[:, 0] = -100
        return labels
    rows = len(inputs["input_ids"])
    labels = torch.from_numpy(numpy.random.default_rng(seed).integers(2, 60, (rows, 5)))
    if rows > 1:
        labels[-1, -2:] = -100
    return labels


def model_case(model, processor, images, questions, case, seed: int) -> dict:
    name, pictures, asked, side = case
    processor.tokenizer.padding_side = side
    inputs = processor(images=[images[picture] for picture in pictures], text=[questions[i % len(questions)] for i in asked], padding=True, return_tensors="pt")
    labels = labels_of(model, inputs, seed)
    with_labels = model(**inputs, labels=labels)
    given = {}
    if model.config.text_config.is_encoder_decoder:
        given = {"decoder_input_ids": torch.randint(2, 60, (len(pictures), 4), generator=torch.Generator().manual_seed(seed))}
        given["decoder_attention_mask"] = torch.ones_like(given["decoder_input_ids"])
        given["decoder_attention_mask"][-1, -1] = 0
    outputs = model(**inputs, **given, **OUTPUTS)
    ids = {camel(key): value.tolist() for key, value in {**inputs, **given}.items() if key != "pixel_values"}
    labelled = flat({key: with_labels[key] for key in ("loss", "logits")})
    return {"name": name, "pictures": pictures, "ids": ids, "labels": labels.tolist(), "labelled": labelled, "outputs": flat(outputs)}


def run_checkpoint(folder: Path, seed: int, images: list, questions: list) -> dict:
    model = InstructBlipForConditionalGeneration.from_pretrained(folder, torch_dtype=torch.float32).eval()
    processor = InstructBlipProcessor.from_pretrained(folder)
    pads = model.config.text_config.pad_token_id
    if processor.tokenizer.pad_token is None:
        processor.tokenizer.pad_token = processor.tokenizer.convert_ids_to_tokens(2)
    print(folder.name, "pad", pads)
    return {
        "weightsSha256": weights_checksum(folder),
        "vision": vision_cases(model),
        "qformer": qformer_cases(model),
        "model": [model_case(model, processor, images, questions, case, seed) for case in CASES],
    }


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    plan = json.loads((folder / "parity.json").read_text())
    images = read_images(folder, plan["pictures"])
    recipes = {checkpoint["name"]: checkpoint for checkpoint in plan["checkpoints"]}
    content = {"made by": f"test/reference/forward.py; transformers {transformers.__version__}, torch {torch.__version__}",
               "checkpoints": {name: run_checkpoint(folder / name, recipes[name]["seed"], images, recipes[name]["questions"]) for name in CHECKPOINTS}}
    with gzip.GzipFile(OUT, "wb", mtime=0) as file:
        file.write(json.dumps(content, separators=(",", ":")).encode())
    print(OUT.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
