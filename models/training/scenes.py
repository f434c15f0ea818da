"""Drawn scenes and questions about them: the world that the demo model knows. Everything follows from one integer seed."""
from __future__ import annotations

import math
import random
from dataclasses import dataclass

from PIL import Image, ImageDraw

CANVAS = 448  # pixels; the processor makes 224 x 224 of it
COLOURS = {
    "red": (214, 32, 32),
    "green": (24, 150, 52),
    "blue": (32, 72, 220),
    "yellow": (246, 214, 24),
    "orange": (246, 132, 16),
    "purple": (134, 40, 168),
    "black": (24, 24, 24),
    "pink": (250, 138, 190),
}
SHAPES = ("circle", "square", "triangle", "star", "cross")
SIZES = {"small": 38, "large": 66}  # pixels across, in 224
BACKGROUNDS = ((255, 255, 255), (244, 244, 240), (232, 238, 246), (240, 248, 236))
PLACES = ("top left", "top", "top right", "left", "center", "right", "bottom left", "bottom", "bottom right")
NUMBERS = ("zero", "one", "two", "three", "four")
FAMILIES = ("what", "colour", "count", "where", "yes/no", "describe")


@dataclass(frozen=True)
class Thing:
    shape: str
    colour: str
    size: str
    cell: int  # 0..8, row by row
    x: float  # centre, in 224
    y: float
    diameter: float

    @property
    def name(self) -> str:
        return f"{self.colour} {self.shape}"


@dataclass(frozen=True)
class Question:
    family: str
    text: str
    answer: str


def make_scene(rng: random.Random) -> list[Thing]:
    """One to four things in different cells of a 3 x 3 grid, no two with the same colour and shape; in reading order."""
    count = rng.choice((1, 2, 2, 3, 3, 4))
    names: set[tuple[str, str]] = set()
    while len(names) < count:
        # Repeated shapes or colours make counting worth while.
        if names and rng.random() < 0.3:
            colour, shape = rng.choice(sorted(names))
            pick = (colour, rng.choice(SHAPES)) if rng.random() < 0.5 else (rng.choice(tuple(COLOURS)), shape)
        else:
            pick = (rng.choice(tuple(COLOURS)), rng.choice(SHAPES))
        names.add(pick)
    things = []
    for cell, (colour, shape) in zip(sorted(rng.sample(range(9), count)), rng.sample(sorted(names), count)):
        size = rng.choice(tuple(SIZES))
        diameter = SIZES[size] * rng.uniform(0.93, 1.07)
        slack = (74 - diameter) / 2 * 0.7
        x = (cell % 3 + 0.5) * 224 / 3 + rng.uniform(-slack, slack)
        y = (cell // 3 + 0.5) * 224 / 3 + rng.uniform(-slack, slack)
        things.append(Thing(shape, colour, size, cell, x, y, diameter))
    return things


def _polygon(shape: str, x: float, y: float, r: float) -> list[tuple[float, float]]:
    if shape == "triangle":
        return [(x, y - r), (x + r, y + r * 0.8), (x - r, y + r * 0.8)]
    if shape == "star":
        return [
            (x + q * math.sin(k * math.pi / 5), y - q * math.cos(k * math.pi / 5))
            for k in range(10)
            for q in [r if k % 2 == 0 else r * 0.42]
        ]
    arm = r * 0.34  # cross
    outline = [(-arm, -r), (arm, -r), (arm, -arm), (r, -arm), (r, arm), (arm, arm)]
    return [(x + dx, y + dy) for dx, dy in outline + [(-dx, -dy) for dx, dy in outline]]


def render(things: list[Thing], rng: random.Random, canvas: int = CANVAS) -> Image.Image:
    """The picture of a scene, `canvas` x `canvas` pixels."""
    scale = canvas / 224
    image = Image.new("RGB", (canvas, canvas), rng.choice(BACKGROUNDS))
    draw = ImageDraw.Draw(image)
    for thing in things:
        colour = tuple(max(0, min(255, value + rng.randint(-12, 12))) for value in COLOURS[thing.colour])
        x, y, r = thing.x * scale, thing.y * scale, thing.diameter / 2 * scale
        if thing.shape == "circle":
            draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
        elif thing.shape == "square":
            draw.rectangle((x - r * 0.9, y - r * 0.9, x + r * 0.9, y + r * 0.9), fill=colour)
        else:
            draw.polygon(_polygon(thing.shape, x, y, r), fill=colour)
    return image


def _unique(things: list[Thing], key: str) -> list[Thing]:
    values = [getattr(thing, key) for thing in things]
    return [thing for thing in things if values.count(getattr(thing, key)) == 1]


def _colour_word(rng: random.Random) -> str:
    return rng.choice(("color", "colour"))


def _what(things: list[Thing], rng: random.Random) -> Question | None:
    if rng.random() < 0.4:
        thing = rng.choice(things)
        text = rng.choice((f"What size is the {thing.name}?", f"Is the {thing.name} small or large?", f"How big is the {thing.name}?"))
        return Question("what", text, thing.size)
    if len(things) == 1 and rng.random() < 0.4:
        text = rng.choice(("What is in the picture?", "What do you see?", "What is this?", "What is shown in the image?"))
        return Question("what", text, f"a {things[0].size} {things[0].name}")
    candidates = _unique(things, "colour")
    if not candidates:
        return None
    thing = rng.choice(candidates)
    text = rng.choice(
        (f"What shape is the {thing.colour} object?", f"What is the {thing.colour} object?", f"Which shape is {thing.colour}?", f"What is {thing.colour}?")
    )
    return Question("what", text, thing.shape)


def _colour(things: list[Thing], rng: random.Random) -> Question | None:
    candidates = _unique(things, "shape")
    if not candidates:
        return None
    thing = rng.choice(candidates)
    word = _colour_word(rng)
    text = rng.choice(
        (f"What {word} is the {thing.shape}?", f"Which {word} is the {thing.shape}?", f"What is the {word} of the {thing.shape}?", f"Which {word} does the {thing.shape} have?")
    )
    return Question("colour", text, thing.colour)


def _count(things: list[Thing], rng: random.Random) -> Question:
    kind = rng.random()
    where = rng.choice(("are there", "are in the picture", "do you see"))
    if kind < 0.4:
        return Question("count", f"How many {rng.choice(('objects', 'shapes', 'things'))} {where}?", NUMBERS[len(things)])
    present = rng.random() < 0.8
    if kind < 0.7:
        shape = rng.choice(things).shape if present else rng.choice(SHAPES)
        return Question("count", f"How many {shape}{'es' if shape == 'cross' else 's'} {where}?", NUMBERS[sum(t.shape == shape for t in things)])
    colour = rng.choice(things).colour if present else rng.choice(tuple(COLOURS))
    return Question("count", f"How many {colour} {rng.choice(('objects', 'shapes', 'things'))} {where}?", NUMBERS[sum(t.colour == colour for t in things)])


def _where(things: list[Thing], rng: random.Random) -> Question:
    thing = rng.choice(things)
    unique = [key for key in ("shape",) if thing in _unique(things, key)]
    name = thing.shape if unique and rng.random() < 0.5 else thing.name
    text = rng.choice((f"Where is the {name}?", f"In which part of the picture is the {name}?", f"Where do you see the {name}?"))
    return Question("where", text, PLACES[thing.cell])


def _yes_no(things: list[Thing], rng: random.Random) -> Question:
    thing = rng.choice(things)
    names = {other.name for other in things}
    if rng.random() < 0.5:
        name, answer = thing.name, "yes"
    else:
        # Half of what is right: such a no needs the whole picture.
        while True:
            colour = thing.colour if rng.random() < 0.5 else rng.choice(tuple(COLOURS))
            shape = thing.shape if rng.random() < 0.5 else rng.choice(SHAPES)
            if f"{colour} {shape}" not in names:
                break
        name, answer = f"{colour} {shape}", "no"
    article = "an" if name[0] in "aeiou" else "a"
    text = rng.choice((f"Is there {article} {name}?", f"Is there {article} {name} in the picture?", f"Do you see {article} {name}?"))
    return Question("yes/no", text, answer)


def _describe(things: list[Thing], rng: random.Random) -> Question:
    text = rng.choice(("Describe the picture.", "Describe the image.", "Describe what you see.", "Write a short description of the picture."))
    names = [f"a {thing.size} {thing.name}" for thing in things]
    listing = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return Question("describe", text, f"The picture shows {listing}.")


MAKERS = {"what": _what, "colour": _colour, "count": _count, "where": _where, "yes/no": _yes_no, "describe": _describe}


def _vary(text: str, rng: random.Random) -> str:
    """What people do to questions: lower case, no question mark, a space before it."""
    kind = rng.random()
    if kind < 0.12:
        return text[0].lower() + text[1:]
    if kind < 0.2:
        return text.rstrip("?.")
    if kind < 0.24:
        return text.lower().rstrip("?.")
    return text


def ask(things: list[Thing], rng: random.Random, family: str) -> Question | None:
    """One question of a family, or None when the scene has no unambiguous one."""
    question = MAKERS[family](things, rng)
    return question and Question(question.family, _vary(question.text, rng), question.answer)


def example(seed: int, canvas: int = CANVAS) -> tuple[list[Thing], Image.Image, list[Question]]:
    """Scene, picture and one question of each family that has one."""
    rng = random.Random(seed)
    things = make_scene(rng)
    image = render(things, rng, canvas)
    questions = [question for family in FAMILIES if (question := ask(things, rng, family))]
    return things, image, questions
