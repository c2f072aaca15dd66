"""What `torch.compile` is worth: one face through every network, as it is and compiled.

    python benchmarks/compile.py [--device cpu|cuda] [--networks NAME ...] [--runs 15] [--threads 2]

Both take turns, so that a busy moment hits both. Prints milliseconds, the seconds that compiling takes, after how many
faces they are won back, how far the logits move, and at how many places the graph breaks. Writes
benchmarks/results/compile_<device>.json, from which `ferscope models --write` takes its column.
"""

import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from models import create_model, get_spec, list_models

ROOT = Path(__file__).resolve().parents[1]


def measure(name: str, device: str, runs: int) -> dict:
    """Time one network both ways; a network that cannot be compiled says why instead."""
    torch.manual_seed(0)
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    model = create_model(name).to(device)
    size = get_spec(name).input_size
    model(torch.randn(8, 1, size, size, device=device))  # running statistics that are not 0 and 1
    model.eval()
    compiled = torch.compile(model)
    x = torch.randn(1, 1, size, size, device=device)

    def timed(network) -> float:
        start = time.perf_counter()
        network(x)
        if device == "cuda":
            torch.cuda.synchronize()
        return 1000 * (time.perf_counter() - start)

    with torch.inference_mode():
        expected = model(x)
        try:
            compiling = timed(compiled) / 1000
        except Exception as error:  # whatever the compiler trips over is the verdict
            return {"fails": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
        change = float((compiled(x) - expected).norm() / expected.norm())
        pairs = [(timed(model), timed(compiled)) for _ in range(runs + 2)][2:]
    plain, fast = (statistics.median(side) for side in zip(*pairs, strict=True))
    return {
        "plain_ms": plain,
        "compiled_ms": fast,
        "speedup": statistics.median(a / b for a, b in pairs),
        "compile_seconds": compiling,
        "graph_breaks": sum(torch._dynamo.utils.counters["graph_break"].values()),
        "relative_change_of_logits": change,
    }


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    networks: tuple[str, ...] = tuple(list_models())
    runs: int = 15
    threads: int = 2


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(options.threads)
    device = torch.cuda.get_device_name() if options.device == "cuda" else f"CPU, threads: {options.threads}"
    print(f"{device}; one face, float32, {options.runs} runs each")
    file = ROOT / "benchmarks" / "results" / f"compile_{options.device}.json"
    file.parent.mkdir(exist_ok=True)
    earlier = json.loads(file.read_text())["networks"] if file.is_file() else {}
    results = {name: earlier[name] for name in list_models() if name in earlier}
    for name in options.networks:
        row = results[name] = measure(name, options.device, options.runs)
        if "fails" in row:
            print(f"{name:<26} fails: {row['fails']}", flush=True)
            continue
        saved = row["plain_ms"] - row["compiled_ms"]
        pays = f"{1000 * row['compile_seconds'] / saved:,.0f} faces" if saved > 0 else "never"
        print(
            f"{name:<26} {row['plain_ms']:7.1f} ms → {row['compiled_ms']:7.1f} ms  {row['speedup']:.2f} ×  compiling "
            f"{row['compile_seconds']:4.0f} s, won back after {pays}; graph breaks {row['graph_breaks']}, "
            f"logits change by {row['relative_change_of_logits']:.0e}",
            flush=True,
        )
        file.write_text(json.dumps({"device": device, "networks": dict(sorted(results.items()))}, indent=2) + "\n")


if __name__ == "__main__":
    main()
