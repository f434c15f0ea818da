"""Batches through transformers 4.34's `generate`, padded by its processor, on the random checkpoints of the parity tests.

    npx tsx test/reference/make-checkpoints.ts <dir>
    python test/reference/batches.py <dir>              writes test/fixtures/parity/batches.json.gz

Decoder-only models are padded on the left, T5 on the right. Checkpoints without a padding id cannot be generated from in batches there.
Three have settings of `generate` in their `text_config` besides.
"""
import argparse
import gzip
import json
import random
import tempfile
from pathlib import Path

import torch
import transformers
from transformers import InstructBlipForConditionalGeneration, InstructBlipProcessor

from stages import read_images

OUT = Path(__file__).parent.parent / "fixtures" / "parity" / "batches.json.gz"
SEED = 9
HF_NAME = {
    "numBeams": "num_beams", "maxLength": "max_length", "repetitionPenalty": "repetition_penalty", "lengthPenalty": "length_penalty",
    "earlyStopping": "early_stopping", "numBeamGroups": "num_beam_groups", "diversityPenalty": "diversity_penalty", "maxNewTokens": "max_new_tokens",
    "numReturnSequences": "num_return_sequences", "noRepeatNgramSize": "no_repeat_ngram_size",
}
OPTIONS = [
    {},
    {"maxNewTokens": 24},
    {"maxLength": 14, "repetitionPenalty": 1.5, "noRepeatNgramSize": 2},
    {"maxNewTokens": 12, "numBeams": 3, "numReturnSequences": 2},
    {"maxNewTokens": 12, "numBeams": 4, "lengthPenalty": -1.0, "earlyStopping": True, "numReturnSequences": 4},
    {"maxNewTokens": 10, "numBeams": 4, "numBeamGroups": 2, "diversityPenalty": 1.0, "numReturnSequences": 3},
]

# Checkpoints of old keep settings of `generate` in `text_config`.
SETTINGS = {
    "real-heads": {"num_beams": 3, "max_length": 14, "length_penalty": 2.0, "early_stopping": True, "no_repeat_ngram_size": 2},
    "t5-real-heads": {"repetition_penalty": 1.6, "max_length": 12, "min_length": 5, "bad_words_ids": [[7], [8, 9]], "num_return_sequences": 1, "top_k": 20},
    "opt-byte-pairs": {"num_beams": 2, "suppress_tokens": [5, 6, 7], "repetition_penalty": 1.2, "forced_eos_token_id": 278},
}
OPTIONS_WITH_SETTINGS = [{}, {"numBeams": 1}, {"maxNewTokens": 6, "repetitionPenalty": 1.0}, {"maxLength": 10, "numBeams": 4, "numReturnSequences": 2, "lengthPenalty": 0.0}]

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)


def with_settings(folder: Path, settings: dict, into: Path) -> Path:
    """The checkpoint with other files only where it says more."""
    for file in folder.iterdir():
        (into / file.name).symlink_to(file)
    config = json.loads((folder / "config.json").read_text())
    config["text_config"] |= settings
    (into / "config.json").unlink()
    (into / "config.json").write_text(json.dumps(config))
    return into


def run_checkpoint(folder: Path, name: str, questions: list, images: list, all_options: list) -> list:
    model = InstructBlipForConditionalGeneration.from_pretrained(folder, torch_dtype=torch.float32).eval()
    text = model.config.text_config
    if text.pad_token_id is None or text.pad_token_id < 0:
        return []
    processor = InstructBlipProcessor.from_pretrained(folder)
    if not text.is_encoder_decoder:
        processor.tokenizer.padding_side = "left"
    draw = random.Random(f"{SEED} {name}")
    cases = []
    for options in all_options:
        pictures, asked = draw.sample(range(len(images)), 3), [draw.choice(questions) for _ in range(3)]
        inputs = processor(images=[images[picture] for picture in pictures], text=asked, padding=True, return_tensors="pt")
        sequences = model.generate(**inputs, **{HF_NAME[name]: value for name, value in options.items()})
        cases.append({"pictures": pictures, "options": options, "sequences": sequences.tolist(),
                      **{name: inputs[key].tolist() for name, key in (("inputIds", "input_ids"), ("attentionMask", "attention_mask"),
                                                                     ("qformerInputIds", "qformer_input_ids"),
                                                                     ("qformerAttentionMask", "qformer_attention_mask"))}})
    return cases


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    recipe = json.loads((folder / "parity.json").read_text())
    images = read_images(folder, recipe["pictures"])
    checkpoints, with_own = {}, {}
    for checkpoint in recipe["checkpoints"]:
        name, questions = checkpoint["name"], checkpoint["questions"]
        cases = run_checkpoint(folder / name, name, questions, images, OPTIONS)
        if cases:
            checkpoints[name] = cases
        print(name, len(cases), "batches")
        if name in SETTINGS:
            with tempfile.TemporaryDirectory() as into:
                changed = with_settings(folder / name, SETTINGS[name], Path(into))
                with_own[name] = {"text": SETTINGS[name], "batches": run_checkpoint(changed, name, questions, images, OPTIONS_WITH_SETTINGS)}
    content = {"made by": f"test/reference/batches.py; transformers {transformers.__version__}, torch {torch.__version__}", "seed": SEED,
               "checkpoints": checkpoints, "withSettings": with_own}
    with gzip.GzipFile(OUT, "wb", mtime=0) as file:
        file.write(json.dumps(content).encode())
    print(OUT.stat().st_size, "bytes")


main()
