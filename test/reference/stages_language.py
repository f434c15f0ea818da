"""The language models' part of stages.py: LLaMA, T5 and OPT in transformers 4.34, by the names that native/core gives its intermediates.

A prompt is [soft tokens][ids]; T5's encoder reads it and its decoder starts from `decoder_start_token_id`.
"""
import numpy
import torch

FORCED_TOKENS = 24


def is_encoder_decoder(model) -> bool:
    return model.config.text_config.is_encoder_decoder


def answer_start(model) -> dict:
    return {"decoder_input_ids": torch.tensor([[model.config.text_config.decoder_start_token_id]])} if is_encoder_decoder(model) else {}


def prompt_embeddings(model, soft_tokens: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """[1,N,D], [1,L] → [1,N+L,D]"""
    return torch.cat([soft_tokens, model.get_input_embeddings()(ids)], dim=1)


class Watch:
    """Outputs, or first inputs, of modules while `with` lasts."""

    def __init__(self):
        self.seen: dict = {}
        self.hooks: list = []

    def output(self, name: str, module) -> None:
        self.hooks.append(module.register_forward_hook(
            lambda _module, _inputs, output: self.seen.__setitem__(name, output[0] if isinstance(output, tuple) else output)))

    def input(self, name: str, module) -> None:
        self.hooks.append(module.register_forward_pre_hook(lambda _module, inputs: self.seen.__setitem__(name, inputs[0])))

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_error) -> None:
        for hook in self.hooks:
            hook.remove()


def t5_trace(model, embeddings) -> dict:
    language = model.language_model
    with Watch() as watch:
        for half, stack in (("encoder", language.encoder), ("decoder", language.decoder)):
            for i, block in enumerate(stack.block):
                watch.output(f"{half}.layer-{i}", block)
        watch.output("encoder.output", language.encoder)
        outputs = language(inputs_embeds=embeddings, **answer_start(model))
    watch.seen["encoder.output"] = outputs.encoder_last_hidden_state
    # The decoder reads one token: no rows.
    seen = {name: value[0] if name.startswith("encoder") else value[0, -1] for name, value in watch.seen.items()}
    return {"encoder.embeddings": embeddings[0], **seen, "decoder.logits": outputs.logits[0, -1]}


def opt_trace(model, embeddings, rows: int) -> dict:
    """Of the prompt's ids; soft tokens are read before them, in a graph of their own."""
    decoder = model.language_model.model.decoder
    with Watch() as watch:
        watch.input("opt.embeddings", decoder.layers[0])
        for i, layer in enumerate(decoder.layers):
            watch.output(f"opt.layer-{i}", layer)
        outputs = model.language_model(inputs_embeds=embeddings, output_hidden_states=True)
    seen = {name: value[0, -rows:] for name, value in watch.seen.items()}
    return {**seen, "opt.output": outputs.hidden_states[-1][0, -1], "opt.logits": outputs.logits[0, -1]}


def language_trace(model, soft_tokens, ids) -> dict:
    embeddings = prompt_embeddings(model, soft_tokens, ids)
    return t5_trace(model, embeddings) if is_encoder_decoder(model) else opt_trace(model, embeddings, ids.shape[1])


def largest_in_feed_forward(model, soft_tokens, ids) -> float:
    """Largest magnitude before and behind T5's `wo`, in all layers."""
    language = model.language_model
    with Watch() as watch:
        for stack in (language.encoder, language.decoder):
            for block in stack.block:
                wo = block.layer[-1].DenseReluDense.wo
                watch.input(f"into {id(wo)}", wo)
                watch.output(f"out of {id(wo)}", wo)
        language(inputs_embeds=prompt_embeddings(model, soft_tokens, ids), **answer_start(model))
    return max(float(value.abs().max()) for value in watch.seen.values())


def text_logits(model, ids) -> torch.Tensor:
    """Of the first step, without a picture: [V]"""
    return model.language_model(ids, **answer_start(model)).logits[0, -1]


def forced(model, soft_tokens, ids, seed: int) -> tuple[list, torch.Tensor]:
    """An answer of random tokens, and the logits in front of its first, of its second, … and behind its last: [n + 1, V]"""
    tokens = numpy.random.default_rng(seed).integers(0, model.config.text_config.vocab_size, FORCED_TOKENS)
    answer = torch.from_numpy(tokens)[None]
    embeddings = prompt_embeddings(model, soft_tokens, ids)
    if is_encoder_decoder(model):
        start = answer_start(model)["decoder_input_ids"]
        logits = model.language_model(inputs_embeds=embeddings, decoder_input_ids=torch.cat([start, answer], dim=1)).logits
    else:
        whole = torch.cat([embeddings, model.get_input_embeddings()(answer)], dim=1)
        logits = model.language_model(inputs_embeds=whole).logits
    return tokens.tolist(), logits[0, -FORCED_TOKENS - 1 :]
