"""A GPU's peak is known by the name that CUDA gives it."""

import pytest

from coig.models.flops import peak_flops_of


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H20", 148e12),
        ("NVIDIA H200", 989.5e12),
        ("NVIDIA GH200 480GB", 989.5e12),
        ("NVIDIA H800", 989.5e12),
        ("NVIDIA H800 PCIe", 756e12),
        ("NVIDIA A800-SXM4-80GB", 312e12),
        ("NVIDIA L20", 119.5e12),
        ("NVIDIA L40S", 362e12),
        ("NVIDIA RTX A6000", 154.8e12),
        ("NVIDIA GeForce RTX 5090", 209.5e12),
        ("NVIDIA B300 SXM6 AC", 2250e12),
        ("NVIDIA GeForce RTX 4090", 165.2e12),
        ("NVIDIA GeForce RTX 4090 D", None),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
        ("NVIDIA GeForce RTX 3090 Ti", None),
        ("Tesla T4", None),
    ],
)
def test_peak_of(name: str, peak: float | None) -> None:
    assert peak_flops_of(name) == peak
