"""Batches through transformers 5's `generate`, padded, on the random checkpoints of the parity tests: LLaMA-, OPT- and T5-type.

    npx tsx test/reference/make-checkpoints.ts <dir>
    python test/reference/hf5_batches.py inputs <dir>       with transformers 4.34: pixels and ids, whose processor is the one compared elsewhere; writes <dir>/hf5-inputs.pt
    python test/reference/hf5_batches.py generate <dir>     with transformers 5.16; writes test/fixtures/parity/hf5-batches.json.gz

Token scores behind a row's end mean nothing; what is no number there is null. As its processor does, image ids come first, then the padded row. Checkpoints without an image id get one that is in no prompt: the last of the vocabulary.
"""
import argparse
import gzip
import json
import random
import sys
from pathlib import Path

import torch
import transformers
from transformers import InstructBlipForConditionalGeneration

OUT = Path(__file__).parent.parent / "fixtures" / "parity" / "hf5-batches.json.gz"
SEED = 23
CHECKPOINTS = ["real-heads", "loose-epsilons", "opt-byte-pairs", "t5-real-vocabulary", "t5-real-heads"]
HF_NAME = {
    "numBeams": "num_beams", "maxLength": "max_length", "repetitionPenalty": "repetition_penalty", "lengthPenalty": "length_penalty",
    "earlyStopping": "early_stopping", "maxNewTokens": "max_new_tokens", "numReturnSequences": "num_return_sequences", "minLength": "min_length",
    "noRepeatNgramSize": "no_repeat_ngram_size",
}

torch.set_num_threads(1)


def inputs_of(folder: Path, questions: list, images: list) -> list:
    from transformers import InstructBlipProcessor

    processor = InstructBlipProcessor.from_pretrained(folder)
    is_t5 = json.loads((folder / "config.json").read_text())["text_config"]["model_type"] == "t5"
    processor.tokenizer.padding_side = "right" if is_t5 else "left"
    draw = random.Random(f"{SEED} {folder.name}")
    batches = []
    for _ in range(len(options_of(0))):
        pictures, asked = draw.sample(range(len(images)), 3), [draw.choice(questions) for _ in range(3)]
        inputs = processor(images=[images[picture] for picture in pictures], text=asked, padding=True, return_tensors="pt")
        batches.append({"pictures": pictures, **inputs})
    return batches


def options_of(length: int) -> list:
    """`length`: tokens before the answer that lengths count."""
    return [
        {},
        {"maxLength": length + 14, "repetitionPenalty": 1.5, "noRepeatNgramSize": 2},
        {"maxNewTokens": 12, "numBeams": 3, "numReturnSequences": 2},
        {"maxNewTokens": 12, "numBeams": 4, "lengthPenalty": -1.0, "earlyStopping": True, "numReturnSequences": 4, "repetitionPenalty": 1.5},
        {"maxLength": length + 10, "minLength": length + 6, "numBeams": 3, "lengthPenalty": 2.0, "earlyStopping": "never", "noRepeatNgramSize": 2},
        {"maxNewTokens": 16, "numBeams": 5, "lengthPenalty": 0.0, "numReturnSequences": 3},
    ]


@torch.no_grad()
def run_checkpoint(folder: Path, batches: list) -> dict:
    model = InstructBlipForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    text = model.config.text_config
    image = model.config.image_token_index if model.config.image_token_index is not None else text.vocab_size - 1
    model.config.image_token_index = image
    count = model.config.num_query_tokens
    cases = []
    for index, batch in enumerate(batches):
        ids, mask = batch["input_ids"], batch["attention_mask"]
        rows = len(ids)
        options = options_of(1 if text.is_encoder_decoder else count + ids.shape[1])[index]
        out = model.generate(
            pixel_values=batch["pixel_values"], qformer_input_ids=batch["qformer_input_ids"], qformer_attention_mask=batch["qformer_attention_mask"],
            input_ids=torch.cat([torch.full((rows, count), image), ids], dim=1), attention_mask=torch.cat([torch.ones(rows, count, dtype=mask.dtype), mask], dim=1),
            return_dict_in_generate=True, output_scores=True, **{HF_NAME[name]: value for name, value in options.items()})
        indices = out.get("beam_indices")
        scores = model.language_model.compute_transition_scores(out.sequences, out.scores, indices, normalize_logits=indices is None)
        case = {"pictures": batch["pictures"], "options": options, "sequences": out.sequences.tolist(), "tokenScores": [[score if score > -1e30 else None for score in row] for row in scores.tolist()],
                **{name: batch[key].tolist() for name, key in (("inputIds", "input_ids"), ("attentionMask", "attention_mask"),
                                                               ("qformerInputIds", "qformer_input_ids"), ("qformerAttentionMask", "qformer_attention_mask"))}}
        if indices is not None:
            case |= {"sequencesScores": out.sequences_scores.tolist(), "beamIndices": indices.tolist()}
        cases.append(case)
    return {"imageTokenId": image, "batches": cases}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["inputs", "generate"])
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    folder, file = arguments.folder, arguments.folder / "hf5-inputs.pt"
    if arguments.what == "inputs":
        from stages import read_images

        recipe = json.loads((folder / "parity.json").read_text())
        images = read_images(folder, recipe["pictures"])
        questions = {each["name"]: each["questions"] for each in recipe["checkpoints"]}
        torch.save({name: inputs_of(folder / name, questions[name], images) for name in CHECKPOINTS}, file)
        return
    checkpoints = {name: run_checkpoint(folder / name, batches) for name, batches in torch.load(file).items()}
    content = {"made by": f"test/reference/hf5_batches.py; transformers {transformers.__version__}, torch {torch.__version__}", "seed": SEED, "checkpoints": checkpoints}
    with gzip.GzipFile(OUT, "wb", mtime=0) as out:
        out.write(json.dumps(content).encode())
    print({name: len(each["batches"]) for name, each in checkpoints.items()}, OUT.stat().st_size, "bytes")


if __name__ == "__main__":
    sys.exit(main())
