"""What LAVIS' `predict_class`, `predict_answers` and `generate` compute, by transformers 4.34 on the random checkpoints of the parity tests.

    npx tsx test/reference/make-checkpoints.ts <dir>
    python test/reference/lavis.py <dir>                writes test/fixtures/parity/lavis.json.gz

float32, one thread. Losses are those of teacher forcing, one candidate at a time: the sum over its tokens, of T5 with `</s>`; of the others without BOS and
without EOS, behind the prompt. (LAVIS divides a Vicuna's by the padded length of the candidates that it computes together, which are equal within one part.)
"""
import argparse
import gzip
import json
import random
from pathlib import Path

import torch
import transformers
from transformers import InstructBlipForConditionalGeneration, InstructBlipProcessor

from beams import soft_tokens_of
from stages import read_images
from stages_language import is_encoder_decoder, prompt_embeddings

OUT = Path(__file__).parent.parent / "fixtures" / "parity" / "lavis.json.gz"
SEED = 15
CASES = 4
WORDS = ["yes", "no", "a red car", "a red cat", "a red", "a", "two dogs on a beach", "two dogs on a bench", "2", "blue.", "Zebra crossing", "left of the tree",
         "left of the house", "nobody knows", "it’s raining", "true", "false", "a red car on the left of the house"]

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)


def prompt_of(model, processor, images: list, question: str) -> tuple:
    inputs = [processor(images=image, text=question, return_tensors="pt") for image in images]
    soft_tokens = torch.cat([soft_tokens_of(model, each) for each in inputs], dim=1)
    return soft_tokens, prompt_embeddings(model, soft_tokens, inputs[0]["input_ids"])


def loss_of(model, embeddings, ids: list) -> float:
    labels = torch.tensor([ids])
    if is_encoder_decoder(model):
        logits = model.language_model(inputs_embeds=embeddings, decoder_input_ids=model.language_model._shift_right(labels)).logits[0]
    else:
        whole = torch.cat([embeddings, model.get_input_embeddings()(labels)], dim=1)
        logits = model.language_model(inputs_embeds=whole).logits[0, -len(ids) - 1 : -1]
    return float(torch.nn.functional.cross_entropy(logits, labels[0], reduction="sum"))


def class_case(model, processor, images: list, picked: list, question: str, candidates: list) -> dict:
    embeddings = prompt_of(model, processor, [images[i] for i in picked], question)[1]
    with_special = is_encoder_decoder(model)
    ids = [processor.tokenizer(candidate, add_special_tokens=with_special)["input_ids"] for candidate in candidates]
    losses = [loss_of(model, embeddings, each) for each in ids]
    return {"pictures": picked, "prompt": question, "candidates": candidates, "losses": losses, "tokens": sum(len(each) for each in ids)}


def generated(model, processor, images: list, question: str, num_beams: int, length: int, length_penalty: float) -> dict:
    """As LAVIS calls `generate`: with the vocabulary's `</s>`, a length (of T5: of new tokens), and its penalty of repetition."""
    embeddings = prompt_of(model, processor, images, question)[1]
    sequences = model.language_model.generate(
        inputs_embeds=embeddings, attention_mask=torch.ones(embeddings.shape[:2], dtype=torch.long), do_sample=False, num_beams=num_beams,
        **{"max_new_tokens" if is_encoder_decoder(model) else "max_length": length}, min_length=1, top_p=0.9, temperature=1, repetition_penalty=1.5,
        length_penalty=length_penalty, eos_token_id=processor.tokenizer.eos_token_id)
    ids = sequences[0, 1:].tolist()
    return {"ids": ids, "text": processor.decode(ids, skip_special_tokens=True).strip()}


def answer_case(model, processor, images: list, picked: list, question: str) -> dict:
    """`predict_answers`."""
    found = generated(model, processor, [images[i] for i in picked], question, 5, 10, -1 if is_encoder_decoder(model) else 0)
    return {"pictures": picked, "question": question, **found}


def caption_case(model, processor, images: list, picked: list, question: str, num_beams: int) -> dict:
    """`generate`."""
    found = generated(model, processor, [images[i] for i in picked], question, num_beams, 24, 1)
    return {"pictures": picked, "question": question, "numBeams": num_beams, "maxLength": 24, **found}


@torch.no_grad()
def run_checkpoint(folder: Path, questions: list, images: list) -> dict:
    model = InstructBlipForConditionalGeneration.from_pretrained(folder, torch_dtype=torch.float32).eval()
    processor = InstructBlipProcessor.from_pretrained(folder)
    draw = random.Random(f"{SEED} {folder.name}")
    classes, answers = [], []
    for _ in range(CASES):
        picked, question = draw.sample(range(len(images)), draw.choice([1, 1, 2])), draw.choice(questions)
        classes.append(class_case(model, processor, images, picked, question, draw.sample(WORDS, draw.choice([2, 6, len(WORDS)]))))
        answers.append(answer_case(model, processor, images, picked, question))
    captions = [caption_case(model, processor, images, draw.sample(range(len(images)), 1), draw.choice(questions), num_beams) for num_beams in (5, 5, 1)]
    return {"classes": classes, "answers": answers, "captions": captions}


def smallest_gap(classes: list) -> float:
    ordered = [sorted(case["losses"]) for case in classes]
    return min(b - a for losses in ordered for a, b in zip(losses, losses[1:]))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    recipe = json.loads((folder / "parity.json").read_text())
    images = read_images(folder, recipe["pictures"])
    checkpoints = {}
    for checkpoint in recipe["checkpoints"]:
        result = run_checkpoint(folder / checkpoint["name"], checkpoint["questions"], images)
        checkpoints[checkpoint["name"]] = result
        print(checkpoint["name"], f"smallest distance of two losses {smallest_gap(result['classes']):.2g},",
              len({tuple(case["ids"]) for case in result["answers"]}), "different answers")
    content = {"made by": f"test/reference/lavis.py; transformers {transformers.__version__}, torch {torch.__version__}", "seed": SEED, "checkpoints": checkpoints}
    with gzip.GzipFile(OUT, "wb", mtime=0) as file:
        file.write(json.dumps(content).encode())
    print(OUT.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
