"""The real LLaMA and BERT vocabularies, and the few rows of them that the drawn world uses.

Training 32001 + 30523 rows of which some 150 ever occur costs most of the time, so the model is trained with only the rows in use
plus one row of zeros that stands for all others. Afterwards the rows go back to their places (checkpoint.py) and all others are zeros.
"""
from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from sentencepiece import SentencePieceProcessor
from transformers import BertTokenizerFast

VOCABULARIES = Path(__file__).resolve().parents[2] / "test" / "fixtures" / "vocab"
LLAMA_MODEL = VOCABULARIES / "llama-tokenizer.model"
BERT_VOCABULARY = VOCABULARIES / "bert-vocab.txt"
LLAMA_ROWS = 32001  # 32000 and [PAD]
BERT_ROWS = 30523  # 30522 and [DEC]
S, END_OF_TEXT = 1, 2  # <s>, which HF takes for the end; </s>, which begins the prompt and ends the answer


class Rows:
    """Ids in use, in order, and their places among them. The last place (`other`) stands for every id not in use."""

    def __init__(self, ids: set[int]) -> None:
        self.ids = sorted(ids)
        self.other = len(self.ids)
        self._places = {token: place for place, token in enumerate(self.ids)}

    def __len__(self) -> int:
        return len(self.ids) + 1

    def places(self, ids: list[int]) -> list[int]:
        return [self._places.get(token, self.other) for token in ids]


_llama = SentencePieceProcessor(model_file=str(LLAMA_MODEL))
_bert = BertTokenizerFast(str(BERT_VOCABULARY), do_lower_case=True)


@lru_cache(maxsize=None)
def prompt_ids(text: str) -> tuple[int, ...]:
    """As the hub's tokenizer: its BOS is `</s>`."""
    return (END_OF_TEXT, *_llama.encode(text))


@lru_cache(maxsize=None)
def answer_ids(text: str) -> tuple[int, ...]:
    """Ends as the hub's models end: `</s>`, then `<s>`."""
    return (*_llama.encode(text), END_OF_TEXT, S)


@lru_cache(maxsize=None)
def qformer_ids(text: str) -> tuple[int, ...]:
    return tuple(_bert(text).input_ids)
