"""How long `services.explain` takes, warm, and whether memory stays flat over many calls.

    python benchmarks/explain_latency.py [--network residual_cnn] [--calls 300] [--many 10000] [--threads 2]

One call is all that the page Explain shows: prediction, six methods for every class, the network's own attention,
both frequency parts, the singular values. Limit for the default network: 60 ms at the 95th percentile on two cores.
Memory is that of the process after the first and after the last of `--many` calls with different faces; limit: 20 MB
more. Writes benchmarks/results/explain_latency.json.
"""

import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import torch
import tyro
from PIL import Image

from workbench import faces, services

ROOT = Path(__file__).resolve().parents[1]
LIMIT_MS, LIMIT_MB = 60, 20


def megabytes() -> float:
    return psutil.Process().memory_info().rss / 2**20


def noisy(face: faces.Face, seed: int) -> faces.Face:
    """The same face with noise of its own, so that no answer can come from a cache."""
    pixels = np.asarray(face.picture).astype(np.int16)
    noise = np.random.default_rng(seed).integers(-8, 9, pixels.shape)
    return faces.Face(Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8)), face.box)


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    network: str = services.networks.DEFAULT_NETWORK
    calls: int = 300
    many: int = 10_000
    threads: int = 2


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(options.threads)
    face = faces.crop(picture := faces.load_sample("astronaut").picture, faces.whole(picture))
    for _ in range(20):
        services.explain(face, options.network)
    times = []
    for i in range(options.calls):
        some = noisy(face, i)
        start = time.perf_counter()
        services.explain(some, options.network)
        times.append(1000 * (time.perf_counter() - start))
    median, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
    before = megabytes()
    some = [noisy(face, i) for i in range(100)]
    for i in range(options.many):
        services.explain(some[i % 100], options.network)
    grown = megabytes() - before
    print(f"services.explain with {options.network}, {options.threads} threads, {options.calls} calls")
    print(f"median {median:.1f} ms, 95th percentile {p95:.1f} ms")
    print(f"at most {LIMIT_MS} ms at the 95th percentile:", "met" if p95 <= LIMIT_MS else "missed")
    print(f"memory after {options.many} more calls: {grown:+.1f} MB;", "met" if grown <= LIMIT_MB else "missed")
    folder = ROOT / "benchmarks" / "results"
    folder.mkdir(exist_ok=True)
    result = {"network": options.network, "median_ms": median, "p95_ms": p95, "calls": options.many, "grown_mb": grown}
    (folder / "explain_latency.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
