"""The command in a process of its own: Ctrl-C as a terminal sends it, and a disk that really refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models import load_checkpoint
from models.datasets import FaceSet
from models.training import resume
from models.training.config import TrainConfig
from models.training.engine import train
from models.training.events import read_events

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 240  # seconds; a busy machine takes long to import torch
pytestmark = [
    pytest.mark.xdist_group("processes"),  # they share their training runs
    pytest.mark.skipif(os.name == "nt", reason="signals and file limits of POSIX"),
]

# Imports torch once, then lets a process of its own continue for each training run, and notes how each ended.
LAUNCHER = """
import os, sys
from pathlib import Path
import models.training.engine
from models.train import main
running = {}
for folder in map(Path, sys.argv[1:]):
    if child := os.fork():
        running[child] = folder.with_suffix(".status")
        folder.with_suffix(".pid").write_text(str(child))
        continue
    os.setsid()
    for standard in (1, 2):
        os.dup2(os.open(folder.with_suffix(".out"), os.O_CREAT | os.O_WRONLY | os.O_APPEND), standard)
    exec(folder.with_suffix(".py").read_text())
    main(["--config", str(folder.with_suffix(".json"))])
    sys.exit()
while running:
    child, status = os.wait()
    running.pop(child).write_text(str(os.waitstatus_to_exitcode(status)))
"""
# The kernel refuses every byte past the first thousand of a file once the first epoch is written.
SMALL_DISK = """
import resource
from models.training.run_folder import RunFolder
write = RunFolder.write_epoch
def write_and_fill(self, state):
    write(self, state)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
RunFolder.write_epoch = write_and_fill
"""


class Training:
    """The command with a configuration, in a process of its own."""

    def __init__(self, config: TrainConfig, before: str = "") -> None:
        self.config, self.folder = config, config.folder
        self.folder.with_suffix(".json").write_text(config.model_dump_json())
        self.folder.with_suffix(".py").write_text(before)

    def told(self, suffix: str) -> str:
        """What the launcher or the run wrote beside the folder; "" as long as there is nothing."""
        file = self.folder.with_suffix(suffix)
        return file.read_text() if file.is_file() else ""

    def interrupt(self, reached: Callable[[list[str]], bool]) -> None:
        """Ctrl-C, once the names of the events so far satisfy a condition."""

        def there() -> bool:
            assert not self.told(".status"), self.told(".out")
            path = self.folder / "events.jsonl"
            return path.is_file() and reached([e["event"] for e in read_events(path)])

        wait_until(there)
        os.kill(int(self.told(".pid")), signal.SIGINT)

    def end(self) -> tuple[int, str]:
        """Exit status and everything printed."""
        wait_until(lambda: self.told(".status"))
        return int(self.told(".status")), self.told(".out")


def wait_until(there: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < end, "the run did not get there"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def trainings(make_config, faces, tmp_path_factory):
    """All three at once, because most of their time goes by while torch is imported."""
    folder = tmp_path_factory.mktemp("processes")
    often = np.concatenate([np.tile(np.arange(98), 60), np.arange(98, len(faces))])  # an epoch of many seconds
    arrays = {name: getattr(faces, name)[often] for name in ("images", "labels", "names", "splits")}
    FaceSet(**arrays).save(folder / "large.npz")
    long_epochs = {"data": folder / "large.npz", "batch_size": 2}
    started = {
        "first epoch": Training(make_config(folder / "first", growing_sizes=(), **long_epochs)),
        "later": Training(make_config(folder / "later", growing_sizes=(), epochs=1000)),
        "small disk": Training(make_config(folder / "disk", growing_sizes=(), epochs=50), before=SMALL_DISK),
    }
    folders = [str(training.folder) for training in started.values()]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    launcher = subprocess.Popen([sys.executable, "-c", LAUNCHER, *folders], cwd=ROOT, env=environment)
    yield started
    for training in started.values():
        if (child := training.told(".pid")) and not training.told(".status"):
            os.kill(int(child), signal.SIGKILL)
    launcher.wait(PATIENCE)


def test_ctrl_c_in_the_first_epoch_leaves_a_usable_checkpoint(trainings):
    training = trainings["first epoch"]
    training.interrupt(lambda events: "started" in events)
    status, output = training.end()
    assert status == 130, output
    assert "Traceback" not in output
    assert "--resume" in output
    events = [e["event"] for e in read_events(training.folder / "events.jsonl") if e["event"] != "progress"]
    assert events == ["started", "interrupted"]
    assert load_checkpoint(training.folder)[1].epochs == 0


def test_ctrl_c_later_keeps_the_best_epoch_and_the_run_can_go_on(trainings):
    training = trainings["later"]
    training.interrupt(lambda events: events.count("epoch") >= 2)
    status, output = training.end()
    assert status == 130, output
    assert "Traceback" not in output
    _, card = load_checkpoint(training.folder)
    assert 1 <= card.best_epoch <= card.epochs
    facts = resume.load_facts(training.folder)
    assert read_events(training.folder / "events.jsonl")[-1]["event"] == "interrupted"
    assert len(facts["history"]) >= 2
    before = facts["history"]
    train(
        training.config.model_copy(update={"resume": True, "minutes": 1e-6})
    )  # time for no epoch, but it opens the run
    assert read_events(training.folder / "events.jsonl")[-2]["event"] == "resumed"
    assert resume.load_facts(training.folder)["history"] == before


def test_a_full_disk_ends_the_command_with_advice_and_keeps_the_last_good_epoch(trainings):
    training = trainings["small disk"]
    status, output = training.end()
    assert status == 1, output
    assert "free some space" in output
    assert "Traceback" not in output
    _, card = load_checkpoint(training.folder)
    assert card.best_epoch == 1
    assert len(resume.load_facts(training.folder)["history"]) == 1
    assert not [p.name for p in training.folder.iterdir() if p.name.startswith(".")]
