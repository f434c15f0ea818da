"""Greedy answers by transformers, one question at a time: nothing is padded."""
from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from transformers import InstructBlipForConditionalGeneration, InstructBlipProcessor
from transformers.utils import logging

from checkpoint import write_tokenizers
from from_gguf import language_of, load_from_gguf
from vocabulary import LANGUAGES

MAX_NEW_TOKENS = 64


@dataclass(frozen=True)
class Answer:
    ids: list[int]  # generated ids, with those that end the answer
    text: str


class Reference:
    def __init__(self, model: InstructBlipForConditionalGeneration, processor: InstructBlipProcessor) -> None:
        self.model, self.processor = model, processor
        self.language = LANGUAGES[model.config.text_config.model_type]

    @classmethod
    def load(cls, source: Path) -> Reference:
        """From a checkpoint folder, or from a folder with the two GGUF files."""
        logging.set_verbosity_error()
        if (source / "config.json").exists():
            return cls(InstructBlipForConditionalGeneration.from_pretrained(source).eval(), InstructBlipProcessor.from_pretrained(source))
        with tempfile.TemporaryDirectory() as folder:
            write_tokenizers(language_of(source), Path(folder))
            return cls(load_from_gguf(source), InstructBlipProcessor.from_pretrained(folder))

    def answer(self, picture: Path, question: str, qformer_question: str | None = None) -> Answer:
        """`qformer_question`: what the Q-Former is told, where that is another text than the language model's."""
        inputs = self.processor(images=Image.open(picture), text=question, return_tensors="pt")
        if qformer_question is not None:
            other = self.processor.qformer_tokenizer(qformer_question, return_tensors="pt")
            inputs["qformer_input_ids"], inputs["qformer_attention_mask"] = other.input_ids, other.attention_mask
        with torch.no_grad():
            ids = self.model.generate(**inputs, max_new_tokens=MAX_NEW_TOKENS, do_sample=False, num_beams=1)[0]
        text = self.processor.batch_decode(ids[None], skip_special_tokens=True)[0].strip()
        return Answer(ids[1:].tolist(), text)  # generate puts the decoder's start in front
