"""Searches of transformers on languages made from a number: greedy search, sampling, beam search and beam sampling, with all their rules.

    python test/reference/searches.py hf-5        transformers 5.16; writes test/fixtures/generation/searches-hf-5.json.gz
    python test/reference/searches.py hf-4.34     transformers 4.34; likewise
    python test/reference/searches.py lavis       transformers 4.34 with the arguments of LAVIS' `generate`. LAVIS itself cannot be installed; it calls transformers 4.33

The model is no network: logits = after[last id] + (skip[id before it] + place[length]), float32, tables of a linear congruential generator that the test runs too.
Draws are those of our sampler: torch's are replaced by inverting the cumulative distribution at numbers of the same generator. Nothing else of transformers is touched.

Prompts are of three types: `llama` and `opt` have ids of the picture, of padding and of the text (hf-5), or the start id (4.34); `t5` has the decoder's start id: for the
search an encoder-decoder is what a decoder-only model with this prompt is.

Each case: options in our names, prompts (one, or three in a padded batch), the rows that `generate` returns, scores of beams, and for some the processed scores of each step.
`closest`: the smallest distance of two sums or scores that compete. Below 1e-4 it is a near tie: the test reports it apart. `equal`: some were equal (beams of the same text,
which 4.34 draws); then which of them goes on has no meaning.
"""
import base64
import gzip
import json
import math
import random
import sys
from pathlib import Path

import torch
import transformers
from transformers import GenerationConfig, PretrainedConfig, PreTrainedModel
from transformers.generation import LogitsProcessorList
from transformers.modeling_outputs import CausalLMOutput

try:
    from transformers import GenerationMixin
except ImportError:
    class GenerationMixin:
        """transformers 4.34 has it in PreTrainedModel."""

PRESET = sys.argv[1]
OUT = Path(__file__).parent.parent / "fixtures" / "generation" / f"searches-{PRESET}.json.gz"
VOCABULARY = 24
PLACES = 48
CASES = {"hf-5": {"greedy": 220, "beams": 440, "sample": 220, "beam-sample": 220}, "hf-4.34": {"greedy": 220, "sample": 220, "beam-sample": 220},
         "lavis": {"greedy": 200, "beams": 300, "sample": 200, "beam-sample": 200}}[PRESET]
# bos is what 4.34 starts from; `start` that of the prompt (hf-5). t5: the decoder's start id.
TYPES = {"llama": {"bos": 0, "start": 2, "eos": 1, "other": 2, "pad": 22, "image": 23}, "opt": {"bos": 2, "start": 2, "eos": 9, "other": 10, "pad": 1, "image": 23},
         "t5": {"bos": 0, "start": 0, "eos": 1, "other": 5, "pad": 0, "image": 23}}
HF_NAME = {
    "numBeams": "num_beams", "lengthPenalty": "length_penalty", "earlyStopping": "early_stopping", "repetitionPenalty": "repetition_penalty", "doSample": "do_sample",
    "noRepeatNgramSize": "no_repeat_ngram_size", "badWordsIds": "bad_words_ids", "minLength": "min_length", "minNewTokens": "min_new_tokens",
    "maxLength": "max_length", "maxNewTokens": "max_new_tokens", "eosTokenId": "eos_token_id", "forcedEosTokenId": "forced_eos_token_id",
    "suppressTokens": "suppress_tokens", "beginSuppressTokens": "begin_suppress_tokens", "renormalizeLogits": "renormalize_logits",
    "removeInvalidValues": "remove_invalid_values", "exponentialDecayLengthPenalty": "exponential_decay_length_penalty", "temperature": "temperature",
    "topK": "top_k", "topP": "top_p", "minP": "min_p", "typicalP": "typical_p", "epsilonCutoff": "epsilon_cutoff", "etaCutoff": "eta_cutoff",
    "numReturnSequences": "num_return_sequences", "forcedBosTokenId": "forced_bos_token_id",
}

torch.set_num_threads(1)
draw = random.Random(f"searches {PRESET} 41")


def generator(seed: int):
    """Numbers in [0, 1) of 32 bits: x <- 1664525 x + 1013904223."""
    state = seed & 0xFFFFFFFF
    while True:
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        yield state


def table(numbers, rows: int, scale: float) -> torch.Tensor:
    # 16 bits and a power of two: exact in float32.
    values = [((next(numbers) >> 16) / 65536 - 0.5) * scale for _ in range(rows * VOCABULARY)]
    return torch.tensor(values, dtype=torch.float32).view(rows, VOCABULARY)


class Language(PreTrainedModel, GenerationMixin):
    config_class = PretrainedConfig
    main_input_name = "input_ids"
    _supports_cache_class = False

    def __init__(self, facts: dict, seed: int):
        super().__init__(PretrainedConfig(vocab_size=VOCABULARY, bos_token_id=facts["bos"], eos_token_id=facts["eos"], pad_token_id=facts["pad"]))
        self.place_of_parameters = torch.nn.Parameter(torch.zeros(1))
        numbers = generator(seed)
        self.after, self.skip, self.place = table(numbers, VOCABULARY, 8.0), table(numbers, VOCABULARY, 4.0), table(numbers, PLACES, 2.0)
        self.after[:, facts["eos"]] += seed % 3
        self.generation_config = GenerationConfig(bos_token_id=facts["bos"], eos_token_id=facts["eos"], pad_token_id=facts["pad"])

    def prepare_inputs_for_generation(self, input_ids, attention_mask=None, **_):
        return {"input_ids": input_ids}

    @classmethod
    def can_generate(cls):
        return True

    def forward(self, input_ids, attention_mask=None, **_):
        generated = input_ids[:, watching["prompt"] :]
        watching["ended"] = [any(token in watching["stop"] for token in row) for row in generated.tolist()]
        before = input_ids[:, -2] if input_ids.shape[1] > 1 else input_ids[:, -1]
        place = self.place[min(input_ids.shape[1], PLACES - 1)]
        return CausalLMOutput(logits=(self.after[input_ids[:, -1]] + (self.skip[before] + place))[:, None])


class Closest:
    """Watches how close candidates come to each other."""

    def __init__(self):
        self.start()

    def start(self) -> None:
        self.distance, self.equal = float("inf"), False

    def see(self, values) -> None:
        possible = sorted((value for value in values if value > -1e8), reverse=True)
        for a, b in zip(possible, possible[1:]):
            if a == b:
                self.equal = True
            else:
                self.distance = min(self.distance, a - b)


class Left(Exception):
    """Such a case is left, counted, and made anew: fewer tokens are possible than are to be drawn (torch takes impossible ones then), or scores are no numbers (a
    penalty of minus infinity; transformers takes NaN for the best), or fewer answers exist than are wanted (transformers returns what it started from)."""


closest = Closest()
torch_topk, torch_multinomial = torch.topk, torch.multinomial
watching = {"rows": None, "steps": False, "prompt": 0, "stop": [], "ended": []}


def watched_topk(values, k, *args, **kwargs):
    if watching["steps"] and values.dim() == 2 and values.shape[-1] > VOCABULARY:
        for row in values.tolist():
            closest.see(sorted(row, reverse=True)[: k + 1])
    return torch_topk(values, k, *args, **kwargs)


def drawn(probabilities: torch.Tensor, num_samples: int, *_args, **_kwargs) -> torch.Tensor:
    """Each prompt has a generator of its own, which its rows share in their order. Rows that have ended draw nothing."""
    per_prompt = probabilities.shape[0] // len(watching["rows"])
    result = []
    for index, row in enumerate(probabilities.double().tolist()):
        if not watching["steps"] and watching["ended"][index]:
            result.append([0])
            continue
        numbers, picked, taken = watching["rows"][index // per_prompt], [], []
        for _ in range(num_samples):
            rest = next(numbers) / 4294967296 * sum(row)
            last = None
            for token, weight in enumerate(row):
                if weight == 0:
                    continue
                last, rest = token, rest - weight
                closest.distance = min(closest.distance, abs(rest) * 300)
                if rest < 0:
                    break
            if last is None:
                raise Left
            picked.append(last)
            taken.append(math.log(row[last]))
            row[last] = 0.0
        if watching["steps"]:
            closest.see(taken)
        result.append(picked)
    return torch.tensor(result)


torch.topk, torch.multinomial = watched_topk, drawn


def prompts_of(kind: str, facts: dict) -> list:
    count = 3 if draw.random() < 0.3 and PRESET != "lavis" else 1
    if kind == "t5":
        return [[facts["start"]]] * count
    if PRESET != "hf-5":
        return [[facts["bos"]]] * count
    texts = [[facts["start"], *(draw.randrange(3, 21) for _ in range(draw.randint(1, 6)))] for _ in range(count)]
    longest = max(map(len, texts))
    return [[facts["image"]] * 3 + [facts["pad"]] * (longest - len(text)) + text for text in texts]


def common_options(kind: str, facts: dict, length: int) -> dict:
    new = draw.choice([2, 4, 8, 14, 20])
    options = {"maxNewTokens": new} if draw.random() < 0.5 else {"maxLength": length + new}
    if draw.random() < 0.05:
        options, new = {}, 19
    extra = {"repetitionPenalty": 1.5, "noRepeatNgramSize": draw.choice([1, 2, 3]), "badWordsIds": [[4], [5, 6], [7, 8]], "minLength": length + 4, "minNewTokens": 4,
             "eosTokenId": [facts["eos"], facts["other"]], "forcedEosTokenId": facts["eos"], "renormalizeLogits": True, "beginSuppressTokens": [6, 7, 8],
             "exponentialDecayLengthPenalty": [3, 1.3]}
    if kind == "t5":
        extra["forcedBosTokenId"] = 7
    for name in draw.sample(sorted(extra), draw.choice([0, 1, 1, 2, 3])):
        if not (name in ("minLength", "minNewTokens") and new < 8 or name == "minNewTokens" and "minLength" in options):
            options[name] = extra[name]
    return options


SAMPLING = {"temperature": [0.7, 1.9, 3.0], "topK": [0, 5, 12], "topP": [0.9, 0.5], "typicalP": [0.6, 0.9], "epsilonCutoff": [0.01, 0.05], "etaCutoff": [0.01, 0.3]}


def sampling_options() -> dict:
    chosen = {name: draw.choice(SAMPLING[name]) for name in draw.sample(sorted(SAMPLING), draw.choice([1, 2, 2, 3]))}
    if PRESET == "hf-5" and draw.random() < 0.2:
        chosen["minP"] = draw.choice([0.05, 0.2])
    return {"doSample": True, **chosen}


def beam_options() -> dict:
    return {"numBeams": draw.randint(2, 6), "lengthPenalty": draw.choice([-1.0, 0.0, 1.0, 2.0]), "earlyStopping": draw.choice([False, True, "never"])}


def lavis_options(mode: str) -> dict:
    """What its `generate` takes."""
    options = {"maxLength": draw.choice([4, 8, 14, 20])}
    for name, values in {"minLength": [3, 6], "repetitionPenalty": [1.0, 1.15], "lengthPenalty": [-1.0, 0.0, 2.0], "topP": [0.5], "temperature": [0.7, 2.0]}.items():
        if draw.random() < 0.3 and not (name == "minLength" and options["maxLength"] < 8) and not (name == "lengthPenalty" and "beam" not in mode):
            options[name] = draw.choice(values)
    if "sample" in mode:
        options["doSample"] = True
    if "beam" not in mode:
        options["numBeams"] = 1
    elif draw.random() < 0.4:
        options["numBeams"] = draw.choice([2, 3, 10])
    return options


def options_of(mode: str, kind: str, facts: dict, length: int) -> dict:
    if PRESET == "lavis":
        return lavis_options(mode)
    options = common_options(kind, facts, length)
    if "beam" in mode:
        options |= beam_options()
    if "sample" in mode:
        options |= sampling_options()
        # Of one possible token nothing else can be drawn.
        if "beam" in mode:
            options.pop("forcedBosTokenId", None), options.pop("forcedEosTokenId", None)
    # Padding must not be mistaken for text.
    options["suppressTokens"] = sorted({facts["pad"], facts["image"]})
    return options


def arguments_of(options: dict, kind: str) -> dict:
    if PRESET == "lavis":
        options = {"doSample": False, "numBeams": 5, "maxLength": 256, "minLength": 1, "topP": 0.9, "repetitionPenalty": 1.5, "lengthPenalty": 1.0, "temperature": 1.0, **options}
        # LAVIS' T5 passes its max_length on as max_new_tokens.
        if kind == "t5":
            options["maxNewTokens"] = options.pop("maxLength")
    arguments = {HF_NAME[name]: tuple(value) if name == "exponentialDecayLengthPenalty" else value for name, value in options.items()}
    return {"do_sample": False, **arguments}


@torch.no_grad()
def case_of(mode: str) -> dict:
    kind = draw.choice(sorted(TYPES))
    facts, seed = TYPES[kind], draw.getrandbits(32)
    prompts = prompts_of(kind, facts)
    options = options_of(mode, kind, facts, len(prompts[0]))
    count = options.get("numBeams", 5 if PRESET == "lavis" else 1)
    if count > 1 or (options.get("doSample") and draw.random() < 0.3):
        options["numReturnSequences"] = count if count > 1 else 2
    model = Language(facts, seed)
    closest.start()
    stop = options.get("eosTokenId", [facts["eos"]])
    watching.update(prompt=len(prompts[0]), stop=stop, rows=[generator(seed + 1) for _ in prompts], steps="beam" in mode)
    ids = torch.tensor(prompts)
    out = model.generate(ids, attention_mask=torch.ones_like(ids), return_dict_in_generate=True, output_scores=True, use_cache=False, **arguments_of(options, kind))
    watching.update(steps=False)
    if any(bool(step.isnan().any()) for step in out.scores):
        raise Left
    result = {"mode": mode, "type": kind, "seed": seed, "prompts": prompts, "options": options, "sequences": out.sequences.tolist()}
    if count > 1:
        if min(out.sequences_scores.tolist()) < -1e8:
            raise Left
        result |= {"sequencesScores": out.sequences_scores.tolist(), "beamIndices": out.beam_indices.tolist()}
        for prompt in range(len(prompts)):
            closest.see(result["sequencesScores"][prompt * count : (prompt + 1) * count])
    elif mode == "greedy":
        for step in out.scores:
            for row in step.tolist():
                closest.see(sorted(row, reverse=True)[:2])
    result["transitionScores"] = model.compute_transition_scores(out.sequences, out.scores, out.beam_indices if count > 1 else None, normalize_logits=count == 1).tolist()
    # Of short ones all scores: they take room.
    if len(out.scores) <= 4 and draw.random() < 0.3:
        result["scores"] = [base64.b64encode(step.numpy().astype("<f4").tobytes()).decode() for step in out.scores]
    result["equal"] = closest.equal
    result["closest"] = closest.distance if closest.distance < 1e9 else 1e9
    return result


def rounded(value):
    if isinstance(value, float):
        return float(f"{value:.6g}") if abs(value) != float("inf") else None
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return {name: rounded(each) for name, each in value.items()} if isinstance(value, dict) else value


def main() -> None:
    cases, left = [], 0
    for mode, count in CASES.items():
        made = 0
        while made < count:
            try:
                cases.append(case_of(mode))
                made += 1
            except Left:
                left += 1
    content = {"made by": f"test/reference/searches.py {PRESET}; transformers {transformers.__version__}, torch {torch.__version__}",
               "vocabulary": VOCABULARY, "places": PLACES, "types": TYPES, "cases": rounded(cases)}
    with gzip.GzipFile(OUT, "wb", mtime=0) as file:
        file.write(json.dumps(content).encode())
    near = sum(case["closest"] < 1e-4 for case in cases)
    print(f"{len(cases)} cases ({left} left), {near} of them near ties, {sum('scores' in case for case in cases)} with scores, {OUT.stat().st_size} bytes")


main()
