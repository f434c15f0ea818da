"""Draws models/demo/scene.png: python models/training/make_scene.py [seed]"""
from __future__ import annotations

import sys

import scenes
from evaluate import DEMO

SEED = 200_573

if __name__ == "__main__":
    things, image, questions = scenes.example(int(sys.argv[1]) if len(sys.argv) > 1 else SEED)
    image.save(DEMO / "scene.png", optimize=True)
    print(*things, *questions, sep="\n")
