"""A small set of drawn patterns, and one small network that is trained on it once and looked at by many tests."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from models.datasets import EMOTIONS, FaceSet
from models.training.config import TrainConfig

SIDE = 24


def pattern(label: int, rng: np.random.Generator, side: int = SIDE) -> np.ndarray:
    """Noise, and a bright square whose place says which class it is."""
    picture = rng.integers(0, 100, (side, side))
    cell = side // 3
    top, left = cell * (label // 3), cell * (label % 3)
    picture[top : top + cell, left : left + cell] += 120
    return picture.astype(np.uint8)


def drawn_faces(training: int = 98, validation: int = 35, test: int = 35, seed: int = 0) -> FaceSet:
    """Patterns in the parts of the official split."""
    rng = np.random.default_rng(seed)
    images, labels, names, splits = [], [], [], []
    for name, n in (("Training", training), ("PublicTest", validation), ("PrivateTest", test)):
        for i in range(n):
            label = i % len(EMOTIONS)
            images.append(pattern(label, rng))
            labels.append(label)
            names.append(f"{name}_{i}")
            splits.append(name)
    return FaceSet(np.stack(images), np.array(labels), np.array(names), np.array(splits))


@pytest.fixture(autouse=True)
def one_thread():
    """One processor thread, so that the same numbers come out again; given back afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def faces() -> FaceSet:
    return drawn_faces()


@pytest.fixture(scope="session")
def faces_npz(faces, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("set") / "faces.npz"
    faces.save(path)
    return path


@dataclass(frozen=True)
class ConfigMaker:
    """Makes the configuration of a training run that takes a second."""

    data: Path

    def __call__(self, out: Path, **values) -> TrainConfig:
        small = {
            "model": "vanilla_cnn",
            "overrides": {"width": 4},
            "data": self.data,
            "out": out,
            "epochs": 4,
            "batch_size": 32,
            "input_size": 16,
            "growing_sizes": (16,),
            "learning_rate": 0.05,
            "device": "cpu",
            "precision": "32-true",
            "threads": 1,
        }
        return TrainConfig(**{**small, **values})


@pytest.fixture(scope="session")
def make_config(faces_npz) -> ConfigMaker:
    return ConfigMaker(faces_npz)


@pytest.fixture(scope="session")
def finished_run(make_config, tmp_path_factory) -> Path:
    """The folder of a run of four epochs that nothing interrupted. Copy it before changing anything in it."""
    from models.training.engine import train

    before = torch.get_num_threads()
    try:
        return train(make_config(tmp_path_factory.mktemp("run") / "finished"))
    finally:
        torch.set_num_threads(before)


@functools.cache
def _read_once(path: Path) -> FaceSet:
    from models.datasets import readers

    return readers.read(path)[1]


@pytest.fixture
def imported_fer2013(fer2013) -> FaceSet:
    """The real set, read once; `fer2013` (tests/conftest.py) skips the test where FERSCOPE_FER2013 is unset."""
    return _read_once(Path(fer2013))
