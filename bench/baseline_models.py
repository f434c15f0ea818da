"""Modules of any kind with random weights, and how long a call of theirs takes."""
import time
from typing import Callable

import torch
from transformers.modeling_utils import no_init_weights


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def median_seconds(function: Callable[[], object], repeats: int) -> float:
    """Median wall time after one warm-up."""
    function()
    return median([seconds(function) for _ in range(repeats)])


def fill(parameter: torch.Tensor, name: str, noise: torch.Tensor) -> None:
    """Plausible values at the speed of a copy: time does not depend on them, but zeros, denormals and infinities would lie."""
    if parameter.dim() == 1:
        parameter.fill_(1.0 if name.endswith("weight") else 0.0)
        return
    scaled = (noise * parameter.shape[-1] ** -0.5).to(parameter.dtype)
    flat = parameter.view(-1)
    for start in range(0, flat.numel(), scaled.numel()):
        piece = flat[start : start + scaled.numel()]
        piece.copy_(scaled[: piece.numel()])


def random_model(build: Callable[[], torch.nn.Module], dtype: torch.dtype) -> torch.nn.Module:
    previous = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with no_init_weights():
            model = build().eval()
    finally:
        torch.set_default_dtype(previous)
    noise = torch.randn(1 << 20, generator=torch.Generator().manual_seed(1))
    for name, parameter in model.named_parameters():
        fill(parameter.data, name, noise)
    return model


def parameter_count(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
