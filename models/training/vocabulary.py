"""The real vocabularies of LLaMA, T5 and BERT, and the few rows of them that the drawn world uses.

Training some 30,000 rows a vocabulary of which some 100 ever occur costs most of the time, so the model is trained with only the rows in use
plus one row of zeros that stands for all others. Afterwards the rows go back to their places (checkpoint.py) and all others are zeros.
"""
from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Callable

from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer
from transformers import BertTokenizerFast

VOCABULARIES = Path(__file__).resolve().parents[2] / "test" / "fixtures" / "vocab"
LLAMA_MODEL = VOCABULARIES / "llama-tokenizer.model"
T5_TOKENIZER = VOCABULARIES / "t5-tokenizer.json.gz"
BERT_VOCABULARY = VOCABULARIES / "bert-vocab.txt"
BERT_ROWS = 30523  # 30522 and [DEC]
S, END_OF_TEXT = 1, 2  # LLaMA's <s>, which HF takes for the end; </s>, which begins the prompt and ends the answer
T5_PAD, T5_END = 0, 1  # <pad>, with which the decoder starts; </s>


class Rows:
    """Ids in use, in order, and their places among them. The last place (`other`) stands for every id not in use."""

    def __init__(self, ids: set[int]) -> None:
        self.ids = sorted(ids)
        self.other = len(self.ids)
        self._places = {token: place for place, token in enumerate(self.ids)}

    def __len__(self) -> int:
        return len(self.ids) + 1

    def places(self, ids: tuple[int, ...]) -> list[int]:
        return [self._places.get(token, self.other) for token in ids]


@dataclass(frozen=True)
class Language:
    """How a kind of language model is spoken to."""

    name: str  # HF's model_type
    rows: int  # of the embedding
    pad: int
    end: int  # the answer's last id as this package gives it
    start: int | None  # the first id that the decoder of an encoder-decoder reads; None = decoder-only
    prompt_ids: Callable[[str], tuple[int, ...]]
    answer_ids: Callable[[str], tuple[int, ...]]


@dataclass(frozen=True)
class Vocabularies:
    """A language and the rows in use."""

    language: Language
    words: Rows
    bert: Rows


@lru_cache(maxsize=None)
def _llama() -> SentencePieceProcessor:
    return SentencePieceProcessor(model_file=str(LLAMA_MODEL))


@lru_cache(maxsize=None)
def _t5() -> Tokenizer:
    return Tokenizer.from_str(t5_tokenizer_json())


@lru_cache(maxsize=None)
def _bert() -> BertTokenizerFast:
    return BertTokenizerFast(str(BERT_VOCABULARY), do_lower_case=True)


def t5_tokenizer_json() -> str:
    return gzip.decompress(T5_TOKENIZER.read_bytes()).decode()


@lru_cache(maxsize=None)
def _llama_prompt_ids(text: str) -> tuple[int, ...]:
    """As the hub's tokenizer: its BOS is `</s>`."""
    return (END_OF_TEXT, *_llama().encode(text))


@lru_cache(maxsize=None)
def _llama_answer_ids(text: str) -> tuple[int, ...]:
    """Ends as the hub's models end: `</s>`, then `<s>`."""
    return (*_llama().encode(text), END_OF_TEXT, S)


@lru_cache(maxsize=None)
def _t5_ids(text: str) -> tuple[int, ...]:
    """Prompt and answer alike: the tokenizer puts `</s>` behind."""
    return tuple(_t5().encode(text).ids)


@lru_cache(maxsize=None)
def qformer_ids(text: str) -> tuple[int, ...]:
    return tuple(_bert()(text).input_ids)


LANGUAGES = {
    "llama": Language("llama", rows=32001, pad=32000, end=END_OF_TEXT, start=None, prompt_ids=_llama_prompt_ids, answer_ids=_llama_answer_ids),
    "t5": Language("t5", rows=32128, pad=T5_PAD, end=T5_END, start=T5_PAD, prompt_ids=_t5_ids, answer_ids=_t5_ids),
}
