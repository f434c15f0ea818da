"""Beam search, beam sampling's distribution and group beam search as transformers 4.34 does them, on a language of tables.

    python test/reference/beam_search.py        writes test/fixtures/generation/beam-search.json.gz

The model is no network: logits = after[last id] + (skip[id before it] + place[length]), float32, so that the test computes the very same numbers. Seeds below.
Each case: options (our names), which tables, all kept hypotheses (generated ids as `generate` returns them, without prefix and padding) and their scores.
"""
import base64
import gzip
import json
import random
from pathlib import Path

import torch
import transformers
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

VOCABULARY = 23
BOS, EOS, OTHER_EOS, PAD = 0, 1, 2, 3
TABLES = 12
OUT = Path(__file__).parent.parent / "fixtures" / "generation" / "beam-search.json.gz"
HF_NAME = {
    "numBeams": "num_beams", "numBeamGroups": "num_beam_groups", "diversityPenalty": "diversity_penalty", "lengthPenalty": "length_penalty",
    "earlyStopping": "early_stopping", "repetitionPenalty": "repetition_penalty", "noRepeatNgramSize": "no_repeat_ngram_size",
    "badWordsIds": "bad_words_ids", "minLength": "min_length", "minNewTokens": "min_new_tokens", "maxLength": "max_length",
    "eosTokenId": "eos_token_id", "forcedEosTokenId": "forced_eos_token_id", "suppressTokens": "suppress_tokens",
    "renormalizeLogits": "renormalize_logits", "exponentialDecayLengthPenalty": "exponential_decay_length_penalty",
}

random.seed(5)
torch.manual_seed(5)
torch.set_num_threads(1)


class Tables(PreTrainedModel):
    config_class = PretrainedConfig

    def __init__(self):
        super().__init__(PretrainedConfig(vocab_size=VOCABULARY, bos_token_id=BOS, eos_token_id=EOS, pad_token_id=PAD))
        self.place_of_parameters = torch.nn.Parameter(torch.zeros(1))
        self.after = torch.randn(VOCABULARY, VOCABULARY) * 2.2
        self.skip = torch.randn(VOCABULARY, VOCABULARY) * 1.2
        self.place = torch.randn(32, VOCABULARY) * 0.7
        self.after[:, EOS] += random.choice([0.0, 1.0, 2.0])

    def prepare_inputs_for_generation(self, input_ids, **_):
        return {"input_ids": input_ids}

    def forward(self, input_ids, **_):
        before = input_ids[:, -2] if input_ids.shape[1] > 1 else torch.full_like(input_ids[:, 0], BOS)
        place = self.place[input_ids.shape[1]]
        return CausalLMOutput(logits=(self.after[input_ids[:, -1]] + (self.skip[before] + place))[:, None])


def numbers(tensor):
    return base64.b64encode(tensor.numpy().astype("<f4").tobytes()).decode()


def random_options(groups: bool) -> dict:
    options = {"numBeams": random.choice([4, 6]) if groups else random.randint(2, 6), "maxLength": random.choice([2, 4, 8, 14, 20]),
               "lengthPenalty": random.choice([-1.0, 0.0, 0.5, 1.0, 2.0]), "earlyStopping": random.choice([False, True, "never"])}
    if groups:
        options |= {"numBeamGroups": random.choice([2, options["numBeams"]]), "diversityPenalty": random.choice([0.3, 1.0, 2.5])}
    extra = {"repetitionPenalty": 1.5, "noRepeatNgramSize": random.choice([2, 3]), "badWordsIds": [[4], [5, 6], [7, 8]], "minLength": 5,
             "minNewTokens": 4, "eosTokenId": [EOS, OTHER_EOS], "forcedEosTokenId": EOS, "suppressTokens": [9, 10], "renormalizeLogits": True,
             "exponentialDecayLengthPenalty": [3, 1.3]}
    for name in random.sample(sorted(extra), random.choice([0, 1, 1, 2, 3])):
        if name in ("minLength", "minNewTokens") and options["maxLength"] < 8:
            continue
        options[name] = extra[name]
    return options


def run(model: Tables, options: dict) -> tuple[list, list]:
    count = options["numBeams"]
    out = model.generate(torch.tensor([[BOS]]), do_sample=False, num_return_sequences=count, return_dict_in_generate=True, output_scores=True,
                         **{HF_NAME[name]: tuple(value) if name == "exponentialDecayLengthPenalty" else value for name, value in options.items()})
    rows = []
    for row in out.sequences.tolist():
        ids = row[1:]
        while ids and ids[-1] == PAD:
            ids.pop()
        rows.append(ids)
    return rows, out.sequences_scores.tolist()


def main() -> None:
    models = [Tables() for _ in range(TABLES)]
    cases = []
    for i in range(660):
        options = random_options(groups=i % 3 == 2)
        # Padding must not be mistaken for text, nor be banned in the middle of it.
        options["suppressTokens"] = sorted({PAD, *options.get("suppressTokens", [])})
        which = random.randrange(TABLES)
        sequences, scores = run(models[which], options)
        cases.append({"tables": which, "options": options, "sequences": sequences, "scores": scores})
    tables = [{name: numbers(getattr(model, name)) for name in ("after", "skip", "place")} for model in models]
    content = {"transformers": transformers.__version__, "torch": torch.__version__, "vocabulary": VOCABULARY, "bos": BOS, "eos": EOS, "pad": PAD,
               "tables": tables, "cases": cases}
    with gzip.GzipFile(OUT, "wb", mtime=0) as file:
        file.write(json.dumps(content).encode())
    print(f"{len(cases)} cases, {OUT.stat().st_size} bytes")


main()
