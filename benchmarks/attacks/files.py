"""Attacks by files: damaged jobs and checkpoints, zips and images from elsewhere, two processes in one folder."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import safetensors.torch

from models import create_model
from models.checkpoints import Card, half_precision
from models.files import as_json
from models.paths import CODE as ROOT
from models.training.config import TrainConfig, write_config
from models.training.lock import FILE as LOCK

from .instances import Attack, Instance

CARD = Card("vanilla_cnn", ("a", "b"), 48, 0.5, 0.2, "quick", "official", "", 0, 1, 1, "cpu", "32-true", 1.0, 1)
CONFIG = TrainConfig(model="vanilla_cnn")
STATUS = {"title": "x", "state": "done", "network": "vanilla_cnn", "epochs": 1, "created": 1e9}
WRONG_CARDS = (
    {"metrics": {"PrivateTest": 5}},
    {"metrics": [1]},
    {"parameters": "7"},
    {"input_size": "48"},
    {"input_size": 1_000_000},
    {"temperature": "x"},
    {"classes": ["http://evil.example", "b"]},
    {"classes": ["=cmd()", "b"]},
    {"overrides": {"width": 512}},
)
WRONG_CONFIGS = ({"overrides": {"width": 512}}, {"input_size": 10**9}, {"epochs": "7"}, {"start_from": "/etc"})
MOST_MEMORY = 2**20  # KiB that an import may hold; torch alone takes 500 MiB
HOLDS = """
import sys, time
from pathlib import Path
from models.training.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""
# The peak of this process alone: ru_maxrss begins with the memory of the process that started it.
MEASURED = """
import pathlib, sys
from workbench.cli import main
try:
    main(sys.argv[1:])
finally:
    peak = pathlib.Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
    print("KiB", peak, file=sys.stderr)
"""


def called(instance: Instance, *words: str, **environment: str) -> subprocess.CompletedProcess:
    """What `ferscope` prints, on the jobs of an instance, with the memory that it held at most."""
    environment = {**os.environ, "FERSCOPE_JOBS": str(instance.folder / "jobs"), **environment}
    return subprocess.run(
        [sys.executable, "-c", MEASURED, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )


def damaged_jobs(instance: Instance) -> str:
    """Jobs whose files are no such files: listed as broken, each with the reason."""
    spoiled = (
        {"status.json": "{"},
        {"status.json": json.dumps(STATUS | {"created": "x"})},
        {"config.json": "[" * 100_000},
        {"history.csv": "1,abc"},
        *({"card.json": json.dumps(card)} for card in WRONG_CARDS),
    )
    for i, files in enumerate(spoiled):
        folder = instance.folder / "jobs" / f"20260101-0000{i:02}-vanilla_cnn-000{i:x}"
        write_config(folder, CONFIG)
        for name, text in ({"status.json": json.dumps(STATUS)} | files).items():
            (folder / name).write_text(text)
    told = called(instance, "jobs", "list")
    broken = told.stdout.count(" broken ")
    return (
        ""
        if (told.returncode, broken) == (0, len(spoiled))
        else f"{broken} of {len(spoiled)} listed: {told.stderr[-60:]}"
    )


def exported_zip(card: dict, config: dict) -> bytes:
    """The zip of a checkpoint, with other values in its card and configuration."""
    model = create_model("vanilla_cnn", num_classes=2)
    folder = io.BytesIO()
    with zipfile.ZipFile(folder, "w") as file:
        file.writestr("model.safetensors", safetensors.torch.save(half_precision(model)))
        file.writestr("card.json", as_json(dataclasses.asdict(CARD) | card))
        file.writestr("config.json", as_json(CONFIG.model_dump(mode="json") | config))
    return folder.getvalue()


def zips_from_elsewhere(instance: Instance) -> str:
    """Checkpoints that ask for other types, much memory, or paths of this computer: one sentence, nothing kept."""
    path = instance.folder / "hostile.zip"
    for card, config in (*((card, {}) for card in WRONG_CARDS), *(({}, config) for config in WRONG_CONFIGS)):
        path.write_bytes(exported_zip(card, config))
        told = called(instance, "jobs", "import", str(path))
        memory, _, sentence = told.stderr.strip().removeprefix("KiB ").partition("\n")  # Python says why at its end
        if told.returncode != 1 or "Traceback" in sentence or "\n" in sentence:
            return f"{card or config}: {sentence[-60:] or 'taken'}"
        if int(memory) > MOST_MEMORY:
            return f"{card or config}: {int(memory) >> 10} MiB"
    path.unlink()
    return ""


def postscript_in_a_dataset(instance: Instance) -> str:
    """PostScript in files called .jpg: no interpreter is started."""
    folder, tools = instance.folder / "faces" / "happy", instance.folder / "tools"
    for place in (folder, tools):
        place.mkdir(parents=True)
    (folder / "a.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 48 48\n%%EndComments\nshowpage\n")
    (tools / "gs").write_text(f"#!/bin/sh\ntouch {tools}/started\n")
    (tools / "gs").chmod(0o755)
    words = ("data", "import", str(folder.parent), "--out", str(instance.folder / "faces.npz"))
    told = called(instance, *words, PATH=f"{tools}:{os.environ['PATH']}")
    if (tools / "started").exists():
        return "Ghostscript was started"
    return "" if told.returncode == 1 and "Traceback" not in told.stderr else told.stderr[-80:]


def second_process(instance: Instance) -> str:
    """A job that runs, with another number and hour in its status: it is not lost, and not begun twice."""
    folder = instance.folder / "jobs" / "20260101-000100-vanilla_cnn-ffff"
    write_config(folder, CONFIG.model_copy(update={"out": folder, "resume": True}))
    (folder / "status.json").write_text(json.dumps(STATUS | {"state": "running", "pid": 2**22 - 1, "started": 4e9}))
    faces = _faces(instance)
    holder = subprocess.Popen([sys.executable, "-c", HOLDS, str(folder)], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        holder.stdout.readline()
        told = called(instance, "jobs", "resume", folder.name).stdout
        again = called(instance, "train", "--config", str(folder / "config.json"), "--data", faces)
    finally:
        holder.kill()
        holder.wait()
    if ": running." not in told:
        return told[:80]
    if "Another process trains" not in again.stderr or {path.name for path in folder.iterdir()} & {"history.csv"}:
        return f"a second process: {again.stderr[-60:]}"
    return "" if (folder / LOCK).is_file() else "no lock"


def _faces(instance: Instance) -> str:
    path = Path(instance.folder) / "drawn.npz"
    called(instance, "data", "draw", "--count", "2", "--out", str(path))
    return str(path)


ATTACKS = [
    Attack("13 damaged jobs", "app", damaged_jobs),
    Attack("zips of checkpoints with false cards", "app", zips_from_elsewhere),
    Attack("PostScript in a dataset", "app", postscript_in_a_dataset),
    Attack("a second process in a job's folder", "app", second_process),
]
