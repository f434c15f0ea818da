"""Writes test/fixtures/demo: pictures, questions and transformers' greedy answers on the weights of the shipped F16 files."""
from __future__ import annotations

import hashlib
import json

import PIL
import torch
import transformers

import scenes
from evaluate import DEMO, PROJECT
from reference_answers import Reference

FOLDER = PROJECT / "test" / "fixtures" / "demo"
FIRST_SEED = 300_000
# Sides of the pictures: kept as they are, made smaller, made larger.
SIDES = (224, 448, 320, 150, 500, 224, 300, 448, 200, 640, 448, 336)


def main() -> None:
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    reference, pictures = Reference.load(DEMO), []
    for seed, side in enumerate(SIDES, FIRST_SEED):
        _, image, questions = scenes.example(seed, side)
        file = f"{seed}.png"
        image.quantize(32).save(FOLDER / file, optimize=True)
        asked = [(question, reference.answer(FOLDER / file, question.text)) for question in questions]
        pictures.append({
            "file": file,
            "questions": [{"family": q.family, "question": q.text, "ids": answer.ids, "text": answer.text, "truth": q.answer} for q, answer in asked],
        })
    everything = [question for picture in pictures for question in picture["questions"]]
    print(f"{len(everything)} questions, {sum(q['text'] == q['truth'] for q in everything)} answered rightly")
    fixture = {
        "made": {
            "by": "models/training/make_fixture.py", "transformers": transformers.__version__, "torch": torch.__version__, "pillow": PIL.__version__, "firstSeed": FIRST_SEED,
            "sha256": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(DEMO.glob("*.gguf"))},
        },
        "pictures": pictures,
    }
    (FOLDER / "answers.json").write_text(json.dumps(fixture, indent=1) + "\n")


if __name__ == "__main__":
    main()
