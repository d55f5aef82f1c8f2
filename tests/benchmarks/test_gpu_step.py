"""The benchmark of a GPU counts what a step multiplies; without a GPU it says that it was not run."""

from __future__ import annotations

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.learning import gpu
from plait.layers.transformer import Transformer


def test_matrix_products_of_a_step_are_counted_as_torch_counts_them() -> None:
    body = Transformer(16, 3, 2, 0.0)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counted:  # others are not counted
        _, _, pooled = body([torch.randn(4, 7, 16, requires_grad=True)], [torch.ones(4, 7, dtype=torch.bool)])
        pooled.sum().backward()
    assert gpu.operations(body, 4, 8) == counted.get_total_flops()


def test_it_runs_in_small_and_says_where_there_is_no_gpu() -> None:
    figures, notes = gpu.measured(torch.device("cpu"), 16, 2, 2, 4, 8, 64, 2, 0)
    assert 0 < figures[0].value < 1
    assert notes[0].startswith(f"{sum(p.numel() for p in Transformer(16, 2, 2, 0.0).parameters()):,} parameters")
    if not torch.cuda.is_available():
        assert gpu.run(0).notes == ("not run: no GPU",)
