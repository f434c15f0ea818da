"""Writes test/fixtures/<name of the models' folder>: questions and transformers' greedy answers on the weights of the shipped files.

python make_fixture.py [--models folder]; the pictures lie in test/fixtures/demo, for every demo model.
"""
from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import PIL
import torch
import transformers

import scenes
from evaluate import DEMO, PROJECT
from reference_answers import Reference

FIXTURES = PROJECT / "test" / "fixtures"
PICTURES = FIXTURES / "demo"
FIRST_SEED = 300_000
# Sides of the pictures: kept as they are, made smaller, made larger.
SIDES = (224, 448, 320, 150, 500, 224, 300, 448, 200, 640, 448, 336)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=DEMO, help="folder with the GGUF files")
    models = parser.parse_args().models.resolve()
    torch.set_num_threads(1)
    folder = FIXTURES / models.resolve().name
    for needed in (PICTURES, folder):
        needed.mkdir(parents=True, exist_ok=True)
    reference, pictures = Reference.load(models), []
    for seed, side in enumerate(SIDES, FIRST_SEED):
        _, image, questions = scenes.example(seed, side)
        file = f"{seed}.png"
        if models == DEMO:
            image.quantize(32).save(PICTURES / file, optimize=True)
        asked = [(question, reference.answer(PICTURES / file, question.text)) for question in questions]
        pictures.append({
            "file": file,
            "questions": [{"family": q.family, "question": q.text, "ids": answer.ids, "text": answer.text, "truth": q.answer} for q, answer in asked],
        })
    everything = [question for picture in pictures for question in picture["questions"]]
    print(f"{len(everything)} questions, {sum(q['text'] == q['truth'] for q in everything)} answered rightly")
    fixture = {
        "made": {
            "by": "models/training/make_fixture.py", "transformers": transformers.__version__, "torch": torch.__version__, "pillow": PIL.__version__, "firstSeed": FIRST_SEED,
            "sha256": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(models.glob("*.gguf"))},
        },
        "pictures": pictures,
    }
    (folder / "answers.json").write_text(json.dumps(fixture, indent=1) + "\n")


if __name__ == "__main__":
    main()
