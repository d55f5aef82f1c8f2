"""What share of a GPU's matrix products does an optimiser step of a body of 100 million parameters reach?"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import nn

from benchmarks.runner import Measured, Report, main
from plait.layers.transformer import Transformer

WIDTH, LAYERS, HEADS = 1024, 12, 16  # 101 million parameters
ROWS, TOKENS = 64, 256
REPEATS = 20


def run(seed: int) -> Report:
    """One step in bfloat16: forward, backward, AdamW; beside square products in bfloat16 on the same GPU."""
    if not torch.cuda.is_available():
        return Report("none", "none", (), ("not run: no GPU",))
    device = torch.device("cuda")
    figures, notes = measured(device, WIDTH, LAYERS, HEADS, ROWS, TOKENS, 8192, REPEATS, seed)
    return Report(
        data=f"random tokens: {ROWS} rows of {TOKENS}, width {WIDTH}",
        split="none: nothing is judged",
        figures=figures,
        notes=(torch.cuda.get_device_name(device), *notes),
    )


def measured(
    device: torch.device,
    width: int,
    layers: int,
    heads: int,
    rows: int,
    tokens: int,
    side: int,
    repeats: int,
    seed: int,
) -> tuple[tuple[Measured, ...], tuple[str, ...]]:
    """Operations a second of a step and of a square product of so many rows and columns."""
    torch.manual_seed(seed)
    body = Transformer(width, layers, heads, 0.0).to(device)
    optimiser = torch.optim.AdamW(body.parameters(), fused=device.type == "cuda")
    values = torch.randn(rows, tokens, width, device=device)
    mask = torch.ones(rows, tokens, dtype=torch.bool, device=device)

    def step() -> None:
        optimiser.zero_grad()
        with torch.autocast(device.type, torch.bfloat16):
            _, _, pooled_BD = body([values], [mask])
            loss = pooled_BD.float().square().mean()
        loss.backward()
        optimiser.step()

    one, other = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    peak = 2 * side**3 / _seconds(lambda: one @ other, device, repeats)
    seconds = _seconds(step, device, repeats)
    reached = operations(body, rows, tokens + 1) / seconds
    parameters = sum(parameter.numel() for parameter in body.parameters())
    figures = (
        Measured("share of the peak that a step reaches", reached / peak, unit="of 1"),
        Measured("a step", seconds * 1e3, unit="ms"),
        Measured("operations a second of a step", reached / 1e12, unit="10^12/s"),
        Measured(f"operations a second of a product of {side} x {side}", peak / 1e12, unit="10^12/s"),
        Measured("rows a second", rows / seconds, unit="rows/s"),
    )
    return figures, (f"{parameters:,} parameters; operations are those of matrix products, counted, not estimated",)


def operations(body: Transformer, rows: int, tokens: int) -> float:
    """Multiplications and additions of the matrix products of a step; backward costs twice what forward does.

    The last layer computes queries and feed-forward of one token alone.
    """
    total = 0.0
    for place, block in enumerate(body.blocks):
        asked = 1 if place + 1 == len(body.blocks) else tokens
        for name, layer in block.named_modules():
            if isinstance(layer, nn.Linear):
                total += 2 * rows * (tokens if name == "key_value" else asked) * layer.weight.numel()
        width = body.start.numel()
        total += 2 * 2 * rows * asked * tokens * width  # scores, and values by them
    return 3 * total


def _seconds(call: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Median seconds of a call, after some to warm up."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    kept = []
    for place in range(repeats + 3):
        wait()
        start = time.perf_counter()
        call()
        wait()
        if place >= 3:
            kept.append(time.perf_counter() - start)
    return statistics.median(kept)


if __name__ == "__main__":
    sys.exit(main(run))
