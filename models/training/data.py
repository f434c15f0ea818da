"""Pictures as the processor sees them, and batches of questions about them."""
from __future__ import annotations

import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image

import scenes
from scenes import Question, Thing
from vocabulary import Vocabularies, qformer_ids

SIZE = 224  # pixels of the processor's pictures
SHRINK = 2  # training sees means of 2 x 2 pixels: a patch kernel of 28 x 28 that is constant on such blocks is one of 14 x 14 on these
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
TRAINING_SEED = 1_000_000  # scenes of training: this and up
HELD_OUT_SEED = 1  # of evaluation: this to 999,999
COLOURS, SHAPES, SIZES = tuple(scenes.COLOURS), scenes.SHAPES, tuple(scenes.SIZES)
ANSWERS = (*SHAPES, *COLOURS, *SIZES, *scenes.NUMBERS, *scenes.PLACES, "yes", "no")
GRID = 8  # patches of 28 pixels across
IGNORED = -100


def _draw(seed: int) -> tuple[list[Thing], np.ndarray]:
    rng = random.Random(seed)
    things = scenes.make_scene(rng)
    image = scenes.render(things, rng)
    processed = image.resize((SIZE, SIZE), Image.BICUBIC)  # as BlipImageProcessor does
    return things, np.asarray(processed.reduce(SHRINK))


def draw(seeds: range) -> tuple[list[list[Thing]], torch.Tensor]:
    """Scenes and their pictures, uint8 [N,112,112,3]."""
    with ProcessPoolExecutor(2) as pool:
        drawn = list(pool.map(_draw, seeds, chunksize=256))
    return [things for things, _ in drawn], torch.from_numpy(np.stack([picture for _, picture in drawn]))


def normalize(pictures: torch.Tensor) -> torch.Tensor:
    """uint8 [N,H,W,3] -> float32 [N,3,H,W]"""
    scale = 1 / (255 * torch.tensor(STD))
    return pictures.float().mul_(scale).sub_(torch.tensor(MEAN) / torch.tensor(STD)).permute(0, 3, 1, 2)


def mirror(things: list[Thing]) -> list[Thing]:
    """The scene of the picture's mirror image: every shape is its own."""
    flipped = [replace(thing, cell=thing.cell // 3 * 3 + 2 - thing.cell % 3, x=SIZE - thing.x) for thing in things]
    return sorted(flipped, key=lambda thing: thing.cell)


def traits(thing: Thing | None) -> tuple[int, int, int]:
    """Colour, shape and size as class numbers; the last class of each is "nothing"."""
    if thing is None:
        return len(COLOURS), len(SHAPES), len(SIZES)
    return COLOURS.index(thing.colour), SHAPES.index(thing.shape), SIZES.index(thing.size)


def patch_traits(things: list[Thing]) -> list[tuple[int, int, int]]:
    """For every patch what stands in the cell that holds its centre."""
    by_cell = {thing.cell: thing for thing in things}
    cells = [int((k + 0.5) * 3 / GRID) for k in range(GRID)]
    return [traits(by_cell.get(row * 3 + column)) for row in cells for column in cells]


def slot_traits(things: list[Thing]) -> list[tuple[int, int, int]]:
    """The things in reading order, four places."""
    return [traits(things[k] if k < len(things) else None) for k in range(4)]


@dataclass
class Batch:
    """P pictures, B questions."""

    pixels: torch.Tensor  # [P,3,112,112]
    patches: torch.Tensor  # [P,64,3] traits
    picture_of: torch.Tensor  # [B]
    qformer_ids: torch.Tensor  # [B,T], places among the rows in use
    qformer_mask: torch.Tensor
    prompt_ids: torch.Tensor  # [B,E] places among the rows in use; what the encoder of an encoder-decoder reads
    prompt_mask: torch.Tensor
    input_ids: torch.Tensor  # [B,L] what the decoder reads: prompt and answer, or start and answer
    mask: torch.Tensor
    labels: torch.Tensor  # [B,L] places; -100 outside the answer
    answers: torch.Tensor  # [B] place in ANSWERS; -100 for sentences
    slots: torch.Tensor  # [B,4,3] traits; -100 unless a thing is described


def _pad(rows: list[list[int]], value: int) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(map(len, rows))
    ids = torch.tensor([row + [value] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return ids, mask


def batch_of(pictures: torch.Tensor, scenes_of: list[list[Thing]], asked: list[tuple[int, Question]], vocabularies: Vocabularies) -> Batch:
    language, words, bert = vocabularies.language, vocabularies.words, vocabularies.bert
    prompts = [words.places(language.prompt_ids(question.text)) for _, question in asked]
    replies = [words.places(language.answer_ids(question.answer)) for _, question in asked]
    begins = prompts if language.start is None else [words.places((language.start,))] * len(asked)
    encoded, encoded_mask = _pad(prompts, words.other)
    input_ids, mask = _pad([a + b for a, b in zip(begins, replies)], words.other)
    labels, _ = _pad([[IGNORED] * len(a) + b for a, b in zip(begins, replies)], IGNORED)
    questions, question_mask = _pad([bert.places(qformer_ids(question.text)) for _, question in asked], bert.other)
    nothing = [(IGNORED,) * 3] * 4
    short = [question.answer in ANSWERS for _, question in asked]
    return Batch(
        pixels=normalize(pictures),
        patches=torch.tensor([patch_traits(things) for things in scenes_of]),
        picture_of=torch.tensor([index for index, _ in asked]),
        qformer_ids=questions,
        qformer_mask=question_mask,
        prompt_ids=encoded,
        prompt_mask=encoded_mask,
        input_ids=input_ids,
        mask=mask,
        labels=labels,
        answers=torch.tensor([ANSWERS.index(question.answer) if s else IGNORED for s, (_, question) in zip(short, asked)]),
        slots=torch.tensor([nothing if s else slot_traits(scenes_of[index]) for s, (index, _) in zip(short, asked)]),
    )
