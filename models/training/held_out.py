"""The held-out questions: of scenes whose seeds training never uses (it begins at 1,000,000; its own check uses 1 to 100)."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import scenes
from scenes import Question, Thing

FIRST_SEED = 100_000


@dataclass(frozen=True)
class HeldOut:
    picture: Path
    things: list[Thing]
    question: Question


def write_held_out(count: int, folder: Path) -> list[HeldOut]:
    """`count` questions, about six a picture; the pictures go to `folder` as PNG files."""
    asked: list[HeldOut] = []
    seed = FIRST_SEED
    while len(asked) < count:
        things, image, questions = scenes.example(seed)
        picture = folder / f"{seed}.png"
        image.save(picture)
        asked += [HeldOut(picture, things, question) for question in questions]
        seed += 1
    return asked[:count]
