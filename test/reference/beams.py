"""Beam search of transformers 4.34 on the random checkpoints of the parity tests, whole models, one answer each, about one or several pictures.

    npx tsx test/reference/make-checkpoints.ts <dir>
    python test/reference/beams.py <dir>                writes test/fixtures/parity/beams.json.gz

float32, one thread. The first case of each checkpoint that has the positions for it is the example of InstructBLIP's page; the others are drawn from the seed.
"""
import argparse
import gzip
import json
import random
from pathlib import Path

import torch
import transformers
from transformers import InstructBlipForConditionalGeneration, InstructBlipProcessor

from stages import read_images

OUT = Path(__file__).parent.parent / "fixtures" / "parity" / "beams.json.gz"
SEED = 3
CASES = 22
EXAMPLE = {"doSample": False, "numBeams": 5, "maxLength": 256, "minLength": 1, "topP": 0.9, "repetitionPenalty": 1.5, "lengthPenalty": 1.0, "temperature": 1}
HF_NAME = {
    "doSample": "do_sample", "numBeams": "num_beams", "maxLength": "max_length", "minLength": "min_length", "topP": "top_p", "temperature": "temperature",
    "repetitionPenalty": "repetition_penalty", "lengthPenalty": "length_penalty", "earlyStopping": "early_stopping",
    "noRepeatNgramSize": "no_repeat_ngram_size", "badWordsIds": "bad_words_ids", "numBeamGroups": "num_beam_groups", "diversityPenalty": "diversity_penalty",
    "maxNewTokens": "max_new_tokens",
}

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)


def drawn_options(draw: random.Random) -> dict:
    options = {"numBeams": draw.randint(2, 6), "maxNewTokens": draw.choice([3, 8, 14]), "lengthPenalty": draw.choice([-1.0, 0.0, 1.0, 2.0]),
               "earlyStopping": draw.choice([False, True, "never"])}
    if draw.random() < 0.25:
        options |= {"numBeams": 4, "numBeamGroups": 2, "diversityPenalty": draw.choice([0.5, 2.0])}
    for name, value in {"repetitionPenalty": 1.5, "noRepeatNgramSize": 2, "minLength": 6, "badWordsIds": [[7], [8, 9]]}.items():
        if draw.random() < 0.25 and not (name == "minLength" and options["maxNewTokens"] < 8):
            options[name] = value
    return options


def run(model, processor, images: list, question: str, options: dict) -> list:
    arguments = {HF_NAME[name]: value for name, value in options.items()}
    inputs = processor(images=images[0], text=question, return_tensors="pt")
    if len(images) == 1:
        sequences = model.generate(**inputs, **arguments)
    else:
        # As InstructBlipVideo of later versions: each picture with the instruction through the Q-Former, all soft tokens in front of the prompt.
        soft_tokens = [soft_tokens_of(model, processor(images=image, text=question, return_tensors="pt")) for image in images]
        embeddings = torch.cat([*soft_tokens, model.get_input_embeddings()(inputs["input_ids"])], dim=1)
        sequences = model.language_model.generate(inputs_embeds=embeddings, attention_mask=torch.ones(embeddings.shape[:2], dtype=torch.long), **arguments)
    # The first id is the one that 4.34 starts from.
    return sequences[0, 1:].tolist()


def soft_tokens_of(model, inputs) -> torch.Tensor:
    features = model.vision_model(inputs["pixel_values"]).last_hidden_state
    queries = model.query_tokens
    mask = torch.ones(1, queries.shape[1] + inputs["qformer_input_ids"].shape[1], dtype=torch.long)
    queried = model.qformer(input_ids=inputs["qformer_input_ids"], attention_mask=mask, query_embeds=queries, encoder_hidden_states=features,
                            encoder_attention_mask=torch.ones(features.shape[:-1], dtype=torch.long)).last_hidden_state
    return model.language_projection(queried[:, : queries.shape[1]])


def run_checkpoint(folder: Path, questions: list, images: list) -> list:
    model = InstructBlipForConditionalGeneration.from_pretrained(folder, torch_dtype=torch.float32).eval()
    processor = InstructBlipProcessor.from_pretrained(folder)
    draw = random.Random(f"{SEED} {folder.name}")
    long_enough = model.config.text_config.model_type != "opt"
    cases = []
    for i in range(CASES):
        options = EXAMPLE if i == 0 and long_enough else drawn_options(draw)
        pictures, question = draw.sample(range(len(images)), draw.choice([1, 1, 2, 3])), draw.choice(questions)
        ids = run(model, processor, [images[picture] for picture in pictures], question, options)
        cases.append({"pictures": pictures, "question": question, "options": options, "ids": ids})
    return cases


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    recipe = json.loads((folder / "parity.json").read_text())
    images = read_images(folder, recipe["pictures"])
    result = {"made by": f"test/reference/beams.py; transformers {transformers.__version__}, torch {torch.__version__}", "seed": SEED, "checkpoints": {}}
    for checkpoint in recipe["checkpoints"]:
        cases = run_checkpoint(folder / checkpoint["name"], checkpoint["questions"], images)
        result["checkpoints"][checkpoint["name"]] = cases
        print(checkpoint["name"], len(cases), "cases,", len({tuple(case["ids"]) for case in cases}), "different answers")
    with gzip.GzipFile(OUT, "wb", mtime=0) as file:
        file.write(json.dumps(result).encode())
    print(OUT.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
