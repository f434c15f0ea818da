"""The model: transformers' own InstructBlipForConditionalGeneration at a small size, and heads that help it learn (thrown away)."""
from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F
from transformers import (
    InstructBlipConfig,
    InstructBlipForConditionalGeneration,
    InstructBlipQFormerConfig,
    InstructBlipVisionConfig,
    LlamaConfig,
    T5Config,
    T5ForConditionalGeneration,
)

from data import ANSWERS, COLOURS, IGNORED, SHAPES, SHRINK, SIZES, Batch
from vocabulary import T5_END, T5_PAD, Language, Vocabularies

QUERIES = 8
TRAITS = (len(COLOURS) + 1, len(SHAPES) + 1, len(SIZES) + 1)


def _llama_config(rows: int, pad: int) -> LlamaConfig:
    return LlamaConfig(
        architectures=["LLaMAForCausalLM"], vocab_size=rows, hidden_size=64, intermediate_size=192, num_hidden_layers=3, num_attention_heads=2,
        max_position_embeddings=512, rms_norm_eps=1e-6, bos_token_id=0, eos_token_id=1, pad_token_id=pad, tie_word_embeddings=True,
    )


def _t5_config(rows: int, pad: int) -> T5Config:
    """32 wide, because 32128 rows of more would not leave the files below 8 MB; `dense_act_fn` as in the published checkpoints (erf)."""
    return T5Config(
        architectures=["T5ForConditionalGeneration"], vocab_size=rows, d_model=32, d_kv=32, d_ff=96, num_layers=2, num_decoder_layers=2, num_heads=2,
        feed_forward_proj="gated-gelu", dense_act_fn="gelu", dropout_rate=0.0, layer_norm_epsilon=1e-6,
        bos_token_id=1, eos_token_id=T5_END, pad_token_id=pad, decoder_start_token_id=T5_PAD, tie_word_embeddings=True,
    )


TEXT_CONFIGS = {"llama": _llama_config, "t5": _t5_config}


def make_config(language: Language, word_rows: int, bert_rows: int, word_pad: int, bert_pad: int, shrink: int = 1) -> InstructBlipConfig:
    """Sizes of the demo models; ids as the hub's checkpoints of the kind have them."""
    vision = InstructBlipVisionConfig(
        hidden_size=128, intermediate_size=384, num_hidden_layers=4, num_attention_heads=4, image_size=224 // shrink, patch_size=28 // shrink,
        initializer_range=0.02,
    )
    qformer = InstructBlipQFormerConfig(
        vocab_size=bert_rows, hidden_size=96, intermediate_size=192, num_hidden_layers=5, num_attention_heads=3, cross_attention_frequency=2,
        encoder_hidden_size=128, max_position_embeddings=128, pad_token_id=bert_pad, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )
    text = TEXT_CONFIGS[language.name](word_rows, word_pad)
    return InstructBlipConfig(vision.to_dict(), qformer.to_dict(), text.to_dict(), num_query_tokens=QUERIES)


def initialize(model: InstructBlipForConditionalGeneration) -> None:
    """Scales that suit small widths (transformers' are made for loading checkpoints: 1e-10 in the vision encoder)."""
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            nn.init.xavier_uniform_(module.weight.view(module.weight.shape[0], -1))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.3)
    embeddings = model.vision_model.embeddings
    nn.init.normal_(embeddings.position_embedding, std=0.3)
    nn.init.normal_(embeddings.class_embedding, std=0.3)
    nn.init.normal_(model.query_tokens, std=0.6)
    words = model.language_model.get_input_embeddings().weight  # also the head
    nn.init.normal_(words, std=words.shape[1] ** -0.5)
    if not model.config.use_decoder_only_language_model:
        _initialize_t5(model.language_model)


def _initialize_t5(model: T5ForConditionalGeneration) -> None:
    """T5 scales neither attention (its queries start small instead) nor a tied embedding (it scales the head's input).

    The last norm starts large, because an answer's logit has to rise above log(rows) before anything is learned.
    """
    nn.init.normal_(model.shared.weight)
    nn.init.constant_(model.decoder.final_layer_norm.weight, 3.0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("Attention.q.weight"):
                weight *= model.config.d_kv**-0.5


class Trainee(nn.Module):
    """The model with the rows in use, and the helping heads."""

    def __init__(self, vocabularies: Vocabularies) -> None:
        super().__init__()
        language, words, bert = vocabularies.language, vocabularies.words, vocabularies.bert
        self.model = InstructBlipForConditionalGeneration(make_config(language, len(words), len(bert), words.other, bert.other, SHRINK))
        initialize(self.model)
        embedding = self.model.language_model.get_input_embeddings()
        embedding.padding_idx = words.other  # no gradient: the row of all others stays zeros
        with torch.no_grad():
            embedding.weight[words.other] = 0
            self.model.qformer.embeddings.word_embeddings.weight[bert.other] = 0
        # All rows that are not in use are zeros, so each has the logit 0: together they weigh as one of log(their number).
        self.others = math.log(language.rows - len(words.ids))
        sizes = self.model.config
        self.patch_head = nn.Linear(sizes.vision_config.hidden_size, sum(TRAITS))
        self.slot_head = nn.Linear(sizes.qformer_config.hidden_size, sum(TRAITS))
        self.answer_head = nn.Linear(sizes.qformer_config.hidden_size, len(ANSWERS))

    def see(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.model.vision_model(pixels).last_hidden_state  # [P,65,128]

    def patch_loss(self, features: torch.Tensor, patches: torch.Tensor) -> torch.Tensor:
        return trait_loss(self.patch_head(features[:, 1:]), patches)

    def query(self, features: torch.Tensor, batch: Batch) -> torch.Tensor:
        model, count = self.model, len(batch.qformer_ids)
        mask = torch.cat([torch.ones(count, QUERIES, dtype=torch.long), batch.qformer_mask], 1)
        outputs = model.qformer(
            input_ids=batch.qformer_ids, attention_mask=mask, query_embeds=model.query_tokens.expand(count, -1, -1), encoder_hidden_states=features[batch.picture_of]
        )
        return outputs.last_hidden_state[:, :QUERIES]  # [B,8,96]

    def logits(self, queries: torch.Tensor, batch: Batch) -> torch.Tensor:
        soft = self.model.language_projection(queries)
        decoder_only = self.model.config.use_decoder_only_language_model
        logits = self.continued(soft, batch) if decoder_only else self.translated(soft, batch)  # [B,L,rows]
        return torch.cat([logits[..., :-1], torch.full_like(logits[..., -1:], self.others)], -1)

    def continued(self, soft: torch.Tensor, batch: Batch) -> torch.Tensor:
        """LLaMA: soft tokens, prompt and answer are one text."""
        model = self.model.language_model
        words = model.model.embed_tokens(batch.input_ids)
        mask = torch.cat([torch.ones(soft.shape[:2], dtype=torch.long), batch.mask], 1)
        hidden = model.model(inputs_embeds=torch.cat([soft, words], 1), attention_mask=mask).last_hidden_state
        return model.lm_head(hidden[:, QUERIES:])

    def translated(self, soft: torch.Tensor, batch: Batch) -> torch.Tensor:
        """T5: the encoder reads soft tokens and prompt, the decoder says the answer."""
        model = self.model.language_model
        words = torch.cat([soft, model.shared(batch.prompt_ids)], 1)
        mask = torch.cat([torch.ones(soft.shape[:2], dtype=torch.long), batch.prompt_mask], 1)
        read = model.encoder(inputs_embeds=words, attention_mask=mask).last_hidden_state
        said = model.decoder(input_ids=batch.input_ids, encoder_hidden_states=read, encoder_attention_mask=mask, use_cache=False).last_hidden_state
        return model.lm_head(said * model.config.d_model**-0.5)

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        features = self.see(batch.pixels)
        queries = self.query(features, batch)
        logits = self.logits(queries, batch)
        return {
            "text": text_loss(logits, batch.labels),
            "patch": self.patch_loss(features, batch.patches),
            "answer": F.cross_entropy(self.answer_head(queries[:, 0]), batch.answers, ignore_index=IGNORED),
            "slot": trait_loss(self.slot_head(queries[:, 1:5]), batch.slots),
        }


def trait_loss(logits: torch.Tensor, traits: torch.Tensor) -> torch.Tensor:
    parts = logits.split(TRAITS, -1)
    return sum(F.cross_entropy(part.flatten(0, -2), traits[..., k].flatten(), ignore_index=IGNORED) for k, part in enumerate(parts))


def text_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross entropy of the answers' tokens. A long answer weighs the root of its length, so that sentences do not drown words."""
    targets = labels[:, 1:]
    losses = F.cross_entropy(logits[:, :-1].transpose(1, 2), targets, ignore_index=IGNORED, reduction="none")
    lengths = (targets != IGNORED).sum(1)
    return (losses.sum(1) * lengths**-0.5).sum() / (lengths**0.5).sum()


def exact(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Whether every token of the answer is the likeliest one: the same as an exactly equal greedy answer."""
    targets = labels[:, 1:]
    return ((logits[:, :-1].argmax(-1) == targets) | (targets == IGNORED)).all(1)
