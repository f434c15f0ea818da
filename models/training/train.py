"""Trains a demo model and writes a checkpoint folder in the hub's layout: python train.py <folder> [--language-model t5 --start <folder>]

Two phases: the vision encoder alone learns what stands where (a head on every patch), then everything together.
With a folder of GGUF files to start from, its vision encoder and Q-Former are taken over, and the language model is new.
"""
from __future__ import annotations

import argparse
import math
import random
import time
from pathlib import Path

import torch
from torch import distributed, multiprocessing

import scenes
from checkpoint import small_weights, write_checkpoint
from data import HELD_OUT_SEED, TRAINING_SEED, Batch, batch_of, draw, mirror, normalize, patch_traits
from from_gguf import load_from_gguf
from scenes import Thing
from small_model import Trainee, exact
from vocabulary import LANGUAGES, Language, Rows, Vocabularies, qformer_ids

SEED = 4
FAMILY_WEIGHTS = {"what": 1.0, "colour": 1.0, "count": 1.5, "where": 1.0, "yes/no": 1.5, "describe": 1.5}


class World:
    """Training pictures, drawn once; questions about them, new at every visit."""

    def __init__(self, pictures: int, seed: int) -> None:
        self.rng = random.Random(seed)
        self.scenes, self.pictures = draw(range(TRAINING_SEED, TRAINING_SEED + pictures))
        self.order: list[int] = []

    def visit(self, count: int) -> tuple[torch.Tensor, list[list[Thing]]]:
        """Pictures, each mirrored half of the time, and their scenes."""
        if len(self.order) < count:
            self.order = self.rng.sample(range(len(self.scenes)), len(self.scenes))
        chosen, self.order = self.order[:count], self.order[count:]
        pictures, things = self.pictures[chosen], [self.scenes[k] for k in chosen]
        for k in range(count):
            if self.rng.random() < 0.5:
                pictures[k], things[k] = pictures[k].flip(1), mirror(things[k])
        return pictures, things

    def batch(self, pictures: int, questions: int, vocabularies: Vocabularies) -> Batch:
        images, things = self.visit(pictures)
        asked = []
        for k in range(pictures):
            wanted = self.rng.choices(list(FAMILY_WEIGHTS), list(FAMILY_WEIGHTS.values()), k=questions)
            asked += [(k, question) for family in wanted if (question := scenes.ask(things[k], self.rng, family))]
        return batch_of(images, things, asked, vocabularies)


def rows_in_use(language: Language, samples: int) -> Vocabularies:
    """The ids that occur in many questions and answers."""
    rng = random.Random(0)
    words, bert = {language.start} - {None}, set()
    for _ in range(samples):
        things = scenes.make_scene(rng)
        for family in scenes.FAMILIES:
            if question := scenes.ask(things, rng, family):
                words.update(language.prompt_ids(question.text), language.answer_ids(question.answer))
                bert.update(qformer_ids(question.text))
    return Vocabularies(language, Rows(words), Rows(bert))


def held_out(pictures: int, vocabularies: Vocabularies) -> tuple[Batch, list[str]]:
    drawn = [scenes.example(seed) for seed in range(HELD_OUT_SEED, HELD_OUT_SEED + pictures)]
    _, images = draw(range(HELD_OUT_SEED, HELD_OUT_SEED + pictures))
    asked = [(k, question) for k, (_, _, questions) in enumerate(drawn) for question in questions]
    return batch_of(images, [things for things, _, _ in drawn], asked, vocabularies), [question.family for _, question in asked]


@torch.no_grad()
def report(trainee: Trainee, batch: Batch, families: list[str]) -> str:
    trainee.eval()
    right = exact(trainee.logits(trainee.query(trainee.see(batch.pixels), batch), batch), batch.labels)
    trainee.train()
    parts = [f"{name} {100 * right[torch.tensor([f == name for f in families])].float().mean():.1f}" for name in scenes.FAMILIES]
    return f"held out {100 * right.float().mean():.2f} %: {', '.join(parts)}"


def optimizer_for(trainee: Trainee, rate: float) -> torch.optim.AdamW:
    matrices = [p for p in trainee.parameters() if p.dim() > 1]
    others = [p for p in trainee.parameters() if p.dim() <= 1]
    return torch.optim.AdamW([{"params": matrices, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.0}], lr=rate, betas=(0.9, 0.98))


def rate_at(progress: float, warm_up: float, decay: float) -> float:
    """Share of the peak rate: warm-up, peak, and from `decay` on half a cosine down to one hundredth."""
    if progress < warm_up:
        return progress / warm_up
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * max(0.0, progress - decay) / (1 - decay)))


def share_gradients(trainee: Trainee) -> None:
    """The mean over the workers."""
    if not distributed.is_initialized():
        return
    gradients = [p.grad for p in trainee.parameters() if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients])):
        gradient.copy_(part.view_as(gradient))


def step(trainee: Trainee, optimizer: torch.optim.AdamW, loss: torch.Tensor, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    share_gradients(trainee)
    torch.nn.utils.clip_grad_norm_(trainee.parameters(), 1.0)
    optimizer.step()


def learn_to_see(trainee: Trainee, world: World, args: argparse.Namespace) -> None:
    optimizer, began = optimizer_for(trainee, args.see_rate), time.time()
    for k in range(args.see_steps):
        images, things = world.visit(64)
        patches = torch.tensor([patch_traits(t) for t in things])
        with torch.autocast("cpu", torch.bfloat16):
            loss = trainee.patch_loss(trainee.see(normalize(images)), patches)
        step(trainee, optimizer, loss, args.see_rate * rate_at(k / args.see_steps, 0.03, 0.03))
        if (k + 1) % 100 == 0:
            print(f"see {k + 1}/{args.see_steps} patch loss {loss.item():.4f} ({time.time() - began:.0f} s)", flush=True)


def learn_to_answer(trainee: Trainee, world: World, vocabularies: Vocabularies, args: argparse.Namespace, check: tuple[Batch, list[str]] | None) -> None:
    optimizer, began, sums = optimizer_for(trainee, args.rate), time.time(), {}
    for k in range(args.steps):
        progress = k / args.steps
        trainee.model.vision_model.requires_grad_(progress >= args.frozen)
        with torch.autocast("cpu", torch.bfloat16, enabled=progress < args.exact):
            losses = trainee(world.batch(args.pictures, args.questions, vocabularies))
        helper = 0.5 * (1 - progress)  # fades, so that the end is about the answers alone
        loss = losses["text"] + helper * (losses["patch"] + losses["answer"] + 0.3 * losses["slot"])
        step(trainee, optimizer, loss, args.rate * rate_at(progress, 0.03, args.decay))
        if check is None:
            continue
        for name, value in losses.items():
            sums[name] = sums.get(name, value.item()) * 0.98 + value.item() * 0.02
        if (k + 1) % 50 == 0:
            print(f"answer {k + 1}/{args.steps} " + " ".join(f"{name} {value:.4f}" for name, value in sums.items()) + f" ({time.time() - began:.0f} s)", flush=True)
        if (k + 1) % args.check == 0 or k + 1 == args.steps:
            print(report(trainee, *check), flush=True)
            torch.save(trainee.state_dict(), args.folder / "trainee.pt")
            write_checkpoint(trainee.model, vocabularies, args.folder)


def inherit(trainee: Trainee, folder: Path, bert: Rows) -> None:
    """Vision encoder and Q-Former of a finished model."""
    left = trainee.model.load_state_dict(small_weights(load_from_gguf(folder).state_dict(), bert), strict=False)
    strangers = [name for name in left.missing_keys if not name.startswith(("language_model.", "language_projection."))] + left.unexpected_keys
    if strangers:
        raise ValueError(f"{folder} has other parts: {strangers}")


def work(rank: int, args: argparse.Namespace, world: World, check: tuple[Batch, list[str]]) -> None:
    torch.set_num_threads(args.threads)
    if args.workers > 1:
        distributed.init_process_group("gloo", init_method=f"file://{args.folder}/meeting", rank=rank, world_size=args.workers)
    torch.manual_seed(SEED)  # the same start in every worker
    world.rng.seed(SEED + rank)
    vocabularies = rows_in_use(LANGUAGES[args.language_model], 20000)
    trainee = Trainee(vocabularies)
    if args.start and args.start.is_dir():
        inherit(trainee, args.start, vocabularies.bert)
    elif args.start:
        trainee.load_state_dict(torch.load(args.start))
    else:
        learn_to_see(trainee, world, args)
        torch.save(trainee.state_dict(), args.folder / f"seen-{rank}.pt")
    learn_to_answer(trainee, world, vocabularies, args, check if rank == 0 else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--language-model", choices=LANGUAGES, default="llama")
    parser.add_argument("--start", type=Path, help="weights of an earlier run (trainee.pt), or a folder of GGUF files (all but the language model); skips the first phase")
    parser.add_argument("--world", type=int, default=24000, help="pictures to draw")
    parser.add_argument("--see-steps", type=int, default=1200)
    parser.add_argument("--see-rate", type=float, default=2e-3)
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--pictures", type=int, default=16, help="of a step and worker")
    parser.add_argument("--questions", type=int, default=8, help="about each")
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--frozen", type=float, default=0.35, help="share of the steps in which the vision encoder rests")
    parser.add_argument("--decay", type=float, default=0.5, help="share of the steps after which the rate falls")
    parser.add_argument("--exact", type=float, default=0.85, help="share of the steps after which all is F32, not BF16")
    parser.add_argument("--check", type=int, default=250)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    (args.folder / "meeting").unlink(missing_ok=True)
    torch.set_num_threads(1)
    vocabularies = rows_in_use(LANGUAGES[args.language_model], 20000)
    print(f"rows in use: {len(vocabularies.words.ids)} {args.language_model}, {len(vocabularies.bert.ids)} BERT", flush=True)
    world, check = World(args.world, SEED), held_out(100, vocabularies)
    print("drawn", flush=True)
    multiprocessing.start_processes(work, (args, world, check), nprocs=args.workers, start_method="fork")


if __name__ == "__main__":
    main()
