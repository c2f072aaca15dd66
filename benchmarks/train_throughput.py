"""What the way of a picture into training costs: `residual_cnn` at 48 px on two cores, on drawn faces.

    python benchmarks/train_throughput.py [--device cpu|cuda] [--threads 2] [--batches 10] [--rounds 5]

Three ways take turns, so that a busy moment hits all of them, and each way does the same changes to the pictures:

- *ours*: the engine as it trains with the recipe `quick`, at 32, 40 and 48 px;
- *resident*: the engine's step alone, on one batch at 48 px that is never changed;
- *plain*: ImageFolder of PNG files, PIL transforms, DataLoader with its best of 0, 1, 2 and 4 workers, float32,
  contiguous, always 48 px.

Limits: ours at 48 px takes at most 1.10 times as long as resident; ours is at least twice as fast as plain, both at
48 px and over the whole recipe, a third of whose epochs run at each size. On a CUDA device also the share of its
bfloat16 peak that ResNet-18 and RARN reach. Writes benchmarks/results/train_throughput_<device>.json.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import tyro
from PIL import Image
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode
from torchvision import transforms
from torchvision.datasets import ImageFolder

from models import create_model, get_spec
from models.datasets import FaceSet
from models.datasets.splits import split
from models.datasets.synthetic.sets import drawn_set
from models.preprocessing import normalize, to_unit
from models.training.recipes import from_recipe
from models.training.setup import checked
from models.training.trainer import Trainer

ROOT = Path(__file__).resolve().parents[1]
NETWORK, BATCH, SIDE = "residual_cnn", 128, 48
SIZES = (32, 40, SIDE)
WORKERS = (0, 1, 2, 4)
DATA_PATH_LIMIT, PLAIN_LIMIT = 1.10, 2.0
PEAK = {"H100 PCIe": 756e12, "H100 NVL": 835e12, "H100": 989e12, "H200": 989e12, "A100": 312e12}
"""Dense bfloat16 operations a second, as the maker states them."""


def faces_of(n: int) -> FaceSet:
    """n training pictures: 42 drawn faces again and again, each with noise of its own."""
    drawn = drawn_set(4, seed=0).faces
    rng = np.random.default_rng(0)
    at = np.resize(np.arange(len(drawn)), n + 28)
    noisy = drawn.images[at].astype(int) + rng.integers(-12, 13, (n + 28, SIDE, SIDE))
    parts = np.array(["Training"] * n + ["PublicTest"] * 14 + ["PrivateTest"] * 14)
    names = np.array([f"{part}_{i}" for i, part in enumerate(parts)])
    return FaceSet(noisy.clip(0, 255).astype(np.uint8), drawn.labels[at], names, parts, drawn.classes)


def waited(device: torch.device) -> float:
    """The time, after everything that was asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


class Ours:
    """The trainer's epochs, each at the size that the recipe gives it."""

    def __init__(self, faces: FaceSet, folder: Path, rounds: int, device: str, **values) -> None:
        given = {"model": NETWORK, "batch_size": BATCH, "epochs": len(SIZES) * rounds} | values
        config = from_recipe("quick", out=folder, device=device, **given)
        parts = split(faces, "official")
        self.trainer, self.rounds = Trainer(checked(config, parts.training), parts), rounds

    def seconds(self, size: int, i: int) -> float:
        """A picture's share of the i-th epoch at a size, without the measuring and writing at its end."""
        ticks = [waited(self.trainer.fabric.device)]
        epoch = SIZES.index(size) * self.rounds + i + 1
        self.trainer.run_epoch(epoch, lambda *_: ticks.append(time.perf_counter()))
        return (ticks[-1] - ticks[0]) / (len(ticks) - 1) / self.trainer.data.batch_size

    def resident(self, steps: int) -> float:
        """A picture's share of the same step on one batch that lies there."""
        trainer, device, batch_size = self.trainer, self.trainer.fabric.device, self.trainer.data.batch_size
        x = torch.randn(batch_size, 1, SIDE, SIDE, device=device).contiguous(memory_format=torch.channels_last)
        y = torch.randint(7, (batch_size,), device=device)
        trainer.model.train()
        start = waited(device)
        for _ in range(steps):
            loss = F.cross_entropy(trainer.model(x), y, label_smoothing=trainer.config.label_smoothing)
            trainer.fabric.backward(loss)
            trainer.optimizer.step()
            trainer.optimizer.zero_grad(set_to_none=True)
        return (waited(device) - start) / steps / batch_size

    def data_path(self, size: int = SIDE) -> dict[str, float]:
        """Milliseconds for each part of a batch's way to the network, the median of seven."""
        data, (images, labels) = self.trainer.data, self.trainer.data.sets["training"]
        taken: dict[str, list[float]] = {"choosing and resizing": [], "augmentation": [], "normalizing": []}
        for _ in range(7):
            batch = torch.randperm(len(labels), device=data.device)[: data.batch_size]
            ticks = [waited(data.device)]
            x = to_unit(images[batch], size)
            ticks.append(waited(data.device))
            x = data.augment(x, labels[batch])
            ticks.append(waited(data.device))
            normalize(x, data.mean, data.std).contiguous(memory_format=torch.channels_last)
            ticks.append(waited(data.device))
            for name, a, b in zip(taken, ticks, ticks[1:], strict=False):
                taken[name].append(1000 * (b - a))
        return {name: statistics.median(values) for name, values in taken.items()}


class Plain:
    """What most repositories do, with some number of workers."""

    def __init__(self, folder: Path, workers: int, device: str) -> None:
        gray = 128
        changes = [
            transforms.Grayscale(1),
            transforms.RandomHorizontalFlip(),
            transforms.RandomAffine(
                20, (0.12, 0.12), (0.85, 1.15), interpolation=transforms.InterpolationMode.BILINEAR, fill=gray
            ),
            transforms.ToTensor(),
            transforms.Normalize(0.5, 0.25),
            transforms.RandomErasing(0.5, (0.02, 0.2), (0.3, 3.3), value=0.0),
        ]
        pictures = ImageFolder(folder, transforms.Compose(changes))
        more = {"persistent_workers": True} if workers else {}
        self.loader = DataLoader(pictures, BATCH, shuffle=True, num_workers=workers, drop_last=True, **more)
        self.device = torch.device(device)
        self.model = create_model(NETWORK).to(self.device)
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.01, 0.9, weight_decay=5e-4, nesterov=True)

    def seconds(self) -> float:
        """A picture's share of one epoch."""
        self.model.train()
        start, n = waited(self.device), 0
        for x, y in self.loader:
            x, y = x.to(self.device), y.to(self.device)
            F.cross_entropy(self.model(x), y, label_smoothing=0.1).backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            n += len(y)
        return (waited(self.device) - start) / n


def write_folder(faces: FaceSet, folder: Path) -> None:
    """The training pictures as PNG files in a folder for each class."""
    training = faces.part("Training")
    for i, (image, label) in enumerate(zip(training.images, training.labels, strict=True)):
        path = folder / training.classes[label] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    threads: int = 2
    batches: int = 10
    rounds: int = 5


def measured(options: Options, folder: Path) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds a picture of every way in every round, the ways taking turns; and where the data path's time goes."""
    faces = faces_of(options.batches * BATCH)
    write_folder(faces, folder / "png")
    ours = Ours(faces, folder / "run", options.rounds + 1, options.device)
    plain = {workers: Plain(folder / "png", workers, options.device) for workers in WORKERS}
    seconds: dict[str, list[float]] = {}
    for i in range(options.rounds + 1):
        taken = {f"ours {size} px": ours.seconds(size, i) for size in SIZES}
        taken["resident"] = ours.resident(options.batches)
        taken |= {f"plain, {workers} workers": way.seconds() for workers, way in plain.items()}
        taken["ours, quick"] = statistics.mean(taken[f"ours {size} px"] for size in SIZES)
        if i:  # the first round loads and allocates
            for name, value in taken.items():
                seconds.setdefault(name, []).append(value)
    return seconds, ours.data_path()


def ratio(above: list[float], below: list[float]) -> float:
    """Median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def bf16_shares(folder: Path) -> Iterator[tuple[str, float, float | None]]:
    """Network, operations a second while it trains in bfloat16, share of the device's peak where that is known."""
    name = torch.cuda.get_device_name()
    peak = next((value for key, value in PEAK.items() if key in name), None)
    for network, size, batch in (("resnet18", 224, 256), ("rarn", get_spec("rarn").input_size, 512)):
        faces = faces_of(12 * batch)
        values = {"model": network, "input_size": size, "batch_size": batch, "precision": "bf16-mixed"}
        ours = Ours(faces, folder / network, 2, "cuda", growing_sizes=(), **values)
        with torch.device("meta"):
            model, x = create_model(network).eval(), torch.empty(1, 1, size, size)
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            model(x)
        ours.seconds(SIZES[0], 0)
        done = 3 * counter.get_total_flops() / ours.seconds(SIZES[0], 1)  # the way back costs twice the way forth
        yield network, done, done / peak if peak else None


def verdict(name: str, value: float, limit: float, least: bool) -> dict[str, float | bool]:
    """Print a ratio beside its limit."""
    met = value >= limit if least else value <= limit
    print(f"{name}: {value:.2f} ×, limit {limit:.2f} ×, {'met' if met else 'missed'}")
    return {"value": value, "limit": limit, "met": met}


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    on_gpu = options.device == "cuda"
    device = torch.cuda.get_device_name() if on_gpu else f"CPU, threads: {options.threads}"
    print(f"{device}; {NETWORK}, batches of {BATCH}, {options.batches} in an epoch, {options.rounds} rounds")
    with tempfile.TemporaryDirectory() as folder:
        seconds, path = measured(options, Path(folder))
        shares = list(bf16_shares(Path(folder))) if on_gpu else []
    for name, taken in seconds.items():
        print(f"{name:<18} {1 / statistics.median(taken):8.0f} pictures/s")
    print("a batch's way to the network: " + ", ".join(f"{name} {ms:.1f} ms" for name, ms in path.items()))
    best = min((name for name in seconds if name.startswith("plain")), key=lambda n: statistics.median(seconds[n]))
    print(f"the best plain way: {best}")
    ratios = {
        "data path": verdict(
            "ours over resident", ratio(seconds["ours 48 px"], seconds["resident"]), DATA_PATH_LIMIT, least=False
        ),
        "plain, 48 px": verdict(
            "plain over ours, 48 px", ratio(seconds[best], seconds["ours 48 px"]), PLAIN_LIMIT, least=True
        ),
        "plain, quick": verdict(
            "plain over ours, quick", ratio(seconds[best], seconds["ours, quick"]), PLAIN_LIMIT, least=True
        ),
    }
    for network, done, part in shares:
        told = f"{part:.0%} of the bfloat16 peak" if part else "its peak is not known here"
        print(f"{network}: {done / 1e12:.1f} TFLOP/s, {told}")
    if not on_gpu:
        print("share of the bfloat16 peak of a GPU: not run, no GPU")
    result = {
        "device": device,
        "pictures_per_second": {name: 1 / statistics.median(taken) for name, taken in seconds.items()},
        "best_plain": best,
        "data_path_ms": path,
        "ratios": ratios,
        "bf16": {network: {"flop_per_second": done, "share": part} for network, done, part in shares} or "not run",
    }
    file = ROOT / "benchmarks" / "results" / f"train_throughput_{options.device}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
