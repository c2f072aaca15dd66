"""What attention costs: a training step of ResNet-18 at 224 px, batch 32, plain, with SVD attention and with BAM.

    python benchmarks/svd_attention.py [--device cpu|cuda] [--steps 8] [--threads N]

Forward, backward and optimizer step in float32, the networks taking turns, so that a busy moment hits all of them.
Limits: SVD below BAM, and at most 25 % over plain. Also prints how far singular values by way of the Gram matrix,
the usual short cut, are from those that the layer uses. Writes benchmarks/results/svd_attention_<device>.json.
"""

import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
import tyro

from models import create_model
from models.layers.svd_attention import SVDAttention

ROOT = Path(__file__).resolve().parents[1]
NETWORKS = {"plain": "resnet18", "SVD": "resnet18_svd_hfc", "BAM": "resnet18_bam"}


def gram_singular_values(maps: torch.Tensor) -> torch.Tensor:
    """√λ of x xᵀ, falling: cheaper than a decomposition, but small values drown in the rounding of the squares."""
    return torch.linalg.eigvalsh(maps @ maps.mT).clamp_min(0).sqrt().flip(-1)


def gram_error(device: str) -> tuple[float, float]:
    """Largest error of both ways beside float64, relative to σ₁, on maps like those of the first module."""
    maps = torch.randn(4, 112, 112, dtype=torch.float64).cumsum(-1).cumsum(-2)
    right = torch.linalg.svdvals(maps)
    small = maps.float().to(device)
    ways = (torch.linalg.svdvals(small), gram_singular_values(small))
    return tuple(float(((way.cpu() - right) / right[:, :1]).abs().max()) for way in ways)


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    steps: int = 8
    threads: int | None = None


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    x = torch.randn(32, 1, 224, 224, device=options.device).contiguous(memory_format=torch.channels_last)
    y = torch.randint(0, 7, (32,), device=options.device)
    networks = {}
    for title, name in NETWORKS.items():
        model = create_model(name).to(options.device, memory_format=torch.channels_last)
        networks[title] = model, torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)

    def step(title: str) -> float:
        model, optimizer = networks[title]
        start = time.perf_counter()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if options.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    seconds = {title: [] for title in NETWORKS}
    for i in range(options.steps + 2):
        for title in NETWORKS:
            took = step(title)
            if i >= 2:
                seconds[title].append(took)
    median = {title: statistics.median(times) for title, times in seconds.items()}
    ratios = {
        title: statistics.median(a / b for a, b in zip(seconds[title], seconds["plain"], strict=True))
        for title in NETWORKS
    }
    exact, gram = gram_error(options.device)
    name = torch.cuda.get_device_name() if options.device == "cuda" else f"CPU, threads: {torch.get_num_threads()}"
    print(f"{name}; ResNet-18, 224 px, batch 32, float32, {options.steps} steps each")
    for title in NETWORKS:
        print(f"{title:<6} {1000 * median[title]:9.1f} ms a step   {ratios[title]:.3f} × plain")
    print("SVD below BAM:", "met" if ratios["SVD"] < ratios["BAM"] else "missed")
    print("SVD at most 25 % over plain:", "met" if ratios["SVD"] <= 1.25 else "missed")
    print(f"error of singular values beside σ₁: {exact:.1e} as the layer computes them, {gram:.1e} by the Gram matrix")
    assert any(isinstance(m, SVDAttention) for m in networks["SVD"][0].modules())
    folder = ROOT / "benchmarks" / "results"
    folder.mkdir(exist_ok=True)
    result = {"device": name, "milliseconds": median, "ratios": ratios, "error": {"layer": exact, "gram": gram}}
    (folder / f"svd_attention_{options.device}.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
