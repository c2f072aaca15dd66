"""Fifty programmes ask the public demo at once, for three minutes: does it stay upright, and are its answers right?

    python benchmarks/demo_flood.py [--clients 50] [--seconds 180]

Printed: answers, wrong answers, refusals and what the refused were told, 95th percentile of the time to an answer
beside that of a single visitor, memory of the demo's process and size of its folder over time.
Limits: no wrong answer, no refusal without a sentence, memory and disk bounded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import tyro
from gradio_client import Client, handle_file

from models.paths import CODE as ROOT
from workbench import faces, services
from workbench.cli import port_is_free

RESULTS = ROOT / "benchmarks" / "results"


def pictures(folder: Path) -> dict[Path, dict[str, float]]:
    """A file for each sample face, with the answer that it must get."""
    expected = {}
    for sample in faces.samples():
        path = folder / f"{sample.name}.png"
        faces.load_sample(sample.name).picture.save(path)
        picture = faces.read(path.read_bytes())
        found = faces.detect(picture)
        answer = services.predict(faces.crop(picture, (found or [faces.whole(picture)])[0]))
        expected[path] = dict(zip(answer.classes, answer.probabilities.tolist(), strict=True))
    return expected


def started(port: int, status: Path) -> psutil.Process:
    command = [sys.executable, "-m", "workbench.gradio_app", f"--port={port}", f"--status={status}"]
    process = psutil.Process(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL).pid)
    while not status.exists():
        time.sleep(0.5)
    return process


def ask(url: str, expected: dict, until: float, times: list[float], outcomes: Counter, number: int) -> None:
    client, files = None, list(expected)
    while time.monotonic() < until:
        path = files[number % len(files)]
        number += 1
        began = time.monotonic()
        try:
            client = client or Client(url, verbose=False)
            shares = client.predict(handle_file(path), api_name="/predict")
        except Exception as error:  # a refusal, in whatever shape the client library gives it
            text = str(error)
            outcomes[
                "refused: " + ("told so" if any(w in text for w in ("429", "Too many", "full")) else text[:80])
            ] += 1
            time.sleep(1)
            continue
        times.append(time.monotonic() - began)
        right = np.allclose([shares[c] for c in expected[path]], list(expected[path].values()), atol=1e-4)
        outcomes["right" if right else "WRONG"] += 1


def flood(url: str, expected: dict, clients: int, seconds: float) -> tuple[list[float], Counter]:
    times, outcomes, until = [], Counter(), time.monotonic() + seconds
    threads = [
        threading.Thread(target=ask, args=(url, expected, until, times, outcomes, i), daemon=True)
        for i in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + 60)
    return times, outcomes


def watch(process: psutil.Process, folder: Path, ended: threading.Event, rows: list[tuple[float, int, int]]) -> None:
    began = time.monotonic()
    while not ended.wait(5):
        disk = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
        rows.append((time.monotonic() - began, process.memory_info().rss >> 20, disk >> 10))


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    clients: int = 50
    seconds: float = 180


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    port = next(port for port in range(18860, 18999) if port_is_free(port))
    with tempfile.TemporaryDirectory() as name:
        expected = pictures(Path(name))
        process = started(port, Path(name) / "status.json")
        (folder,) = Path(tempfile.gettempdir()).glob(f"ferscope-demo-{process.pid}-*")
        rows, ended = [], threading.Event()
        watcher = threading.Thread(target=watch, args=(process, folder, ended, rows))
        try:
            url = f"http://127.0.0.1:{port}/"
            alone, _ = flood(url, expected, 1, 20)
            watcher.start()
            times, outcomes = flood(url, expected, options.clients, options.seconds)
        finally:
            ended.set()
            process.terminate()
            process.wait(30)
        result = {
            "clients": options.clients,
            "seconds": options.seconds,
            "outcomes": dict(outcomes),
            "p95 alone, s": float(np.percentile(alone, 95)),
            "p95 in the flood, s": float(np.percentile(times, 95)),
            "answers a second": len(times) / options.seconds,
            "memory, MiB": [rows[0][1], max(r[1] for r in rows), rows[-1][1]],
            "disk, KiB": [rows[0][2], max(r[2] for r in rows), rows[-1][2]],
            "folder left": folder.exists(),
            "cores": os.cpu_count(),
        }
    for key, value in result.items():
        print(f"{key:22} {value}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "demo_flood.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
