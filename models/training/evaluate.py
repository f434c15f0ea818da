"""Every figure of models/README.md about a demo model in one command: python models/training/evaluate.py [checkpoint folder] [--models folder]

Without a checkpoint, transformers runs on the weights of the GGUF files. Needs a built project (npm run setup).
"""
from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import torch
import transformers

from held_out import HeldOut, write_held_out
from reference_answers import Answer, Reference
from scenes import FAMILIES
from vocabulary import Language

PROJECT = Path(__file__).resolve().parents[2]
DEMO = PROJECT / "models" / "demo"
CLI = PROJECT / "dist" / "cli.js"


def share(right: list[bool]) -> str:
    return f"{100 * sum(right) / len(right):.1f} % of {len(right)}"


def print_accuracy(title: str, asked: list[HeldOut], answers: list[Answer]) -> None:
    right = [answer.text == held.question.answer for held, answer in zip(asked, answers)]
    print(f"{title}: {share(right)}", flush=True)
    for family in FAMILIES:
        print(f"    {family}: {share([r for r, held in zip(right, asked) if held.question.family == family])}")


def print_agreement(title: str, answers: list[Answer], expected: list[Answer], language: Language) -> None:
    # LLaMA: transformers ends at <s> (1), we at </s> (2), which the model says before it. T5: both end at </s> (1).
    ids = [ours.ids == theirs.ids[: len(ours.ids)] and ours.ids[-1] == language.end for ours, theirs in zip(answers, expected)]
    texts = [ours.text == theirs.text for ours, theirs in zip(answers, expected)]
    print(f"{title}, greedy answers equal to transformers': texts {share(texts)}, ids {share(ids)}", flush=True)


def swapped(asked: list[HeldOut]) -> list[Path]:
    """For every question the picture of another scene: the next one's."""
    pictures = list(dict.fromkeys(held.picture for held in asked))
    following = dict(zip(pictures, pictures[1:] + pictures[:1]))
    return [following[held.picture] for held in asked]


def other_questions(asked: list[HeldOut]) -> list[str]:
    """For every question another about the same picture."""
    by_picture: dict[Path, list[str]] = {}
    for held in asked:
        by_picture.setdefault(held.picture, []).append(held.question.text)
    result = []
    for held in asked:
        texts = by_picture[held.picture]
        result.append(texts[(texts.index(held.question.text) + 1) % len(texts)])
    return result


def by_transformers(reference: Reference, asked: list[HeldOut]) -> list[Answer]:
    answers = [reference.answer(held.picture, held.question.text) for held in asked]
    print_accuracy("transformers", asked, answers)
    picture_swapped = [reference.answer(picture, held.question.text) for held, picture in zip(asked, swapped(asked))]
    print_accuracy("transformers, picture swapped for another", asked, picture_swapped)
    hidden = [reference.answer(held.picture, held.question.text, "") for held in asked]
    print_accuracy("transformers, question hidden from the Q-Former (empty there)", asked, hidden)
    other = [reference.answer(held.picture, held.question.text, text) for held, text in zip(asked, other_questions(asked))]
    print_accuracy("transformers, Q-Former told another question about the picture", asked, other)
    return answers


def by_node(models: Path, asked: list[HeldOut], scratch: Path) -> list[Answer]:
    questions, answers = scratch / "questions.json", scratch / "answers.json"
    questions.write_text(json.dumps([{"picture": str(held.picture), "question": held.question.text} for held in asked]))
    script = Path(__file__).with_name("answer-questions.mjs")
    began = time.time()
    subprocess.run(["node", str(script), str(models), str(questions), str(answers)], check=True)
    print(f"{len(asked)} questions by node in {time.time() - began:.1f} s")
    return [Answer(**answer) for answer in json.loads(answers.read_text())]


def quantize(models: Path, folder: Path, kind: str) -> Path:
    folder.mkdir()
    for file in sorted(models.glob("*.gguf")):
        target = folder / file.name.replace("F16", kind)
        subprocess.run(["node", str(CLI), "quantize", str(file), str(target), "--type", kind], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder


def types_to_measure(models: Path, scratch: Path) -> dict[str, Path]:
    """The files as they are, and F16 ones as Q8_0 too."""
    [kind] = {file.stem.rsplit("-", 1)[1] for file in models.glob("*.gguf")}
    folders = {kind: models}
    if kind == "F16":
        folders["Q8_0"] = quantize(models, scratch / "Q8_0", "Q8_0")
    return folders


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, nargs="?", help="folder in the hub's layout; without it the weights of the GGUF files")
    parser.add_argument("--models", type=Path, default=DEMO, help="folder with the GGUF files")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--no-node", action="store_true", help="transformers only")
    args = parser.parse_args()
    source = args.checkpoint or args.models
    print(f"transformers {transformers.__version__}, torch {torch.__version__}; weights of {source}")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        asked = write_held_out(args.count, scratch)
        reference = Reference.load(source)
        expected = by_transformers(reference, asked)
        if args.no_node:
            return
        for kind, models in types_to_measure(args.models, scratch).items():
            answers = by_node(models, asked, scratch)
            print_accuracy(f"this package, {kind}", asked, answers)
            print_agreement(f"this package, {kind}", answers, expected, reference.language)


if __name__ == "__main__":
    main()
