"""How many frames a second the live camera shows: the page Video of the app and the tab of the demo, in Chromium.

    python benchmarks/live_camera.py [--seconds 20] [--network residual_cnn]

Starts the app, the demo and a browser whose camera is a film of the astronaut's face that moves from side to side. For
the app, frames that the page sends are counted: it sends the next one when the result of the last has arrived. The demo
counts its frames itself. Both use the tracker of `workbench.services.video`.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tyro
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from workbench import faces, services

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")
CAMERA = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
FRAME = 4_000  # bytes; other messages of the page are smaller


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    seconds: float = 20
    network: str = services.networks.DEFAULT_NETWORK


def film(file: Path) -> None:
    """Write what the camera shows, as Motion JPEG."""
    picture = faces.sample_picture("astronaut").crop((60, 0, 400, 255)).resize((640, 480))
    with file.open("wb") as out:
        for i in range(80):
            frame = picture.transform(picture.size, Image.Transform.AFFINE, (1, 0, 2 * abs(i - 40) - 40, 0, 1, 0))
            buffer = io.BytesIO()
            frame.save(buffer, "JPEG", quality=90)
            out.write(buffer.getvalue())


@contextmanager
def served(*command: str) -> Iterator[str]:
    """The address of a server while it runs; `{port}` in its command is replaced."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    words = [sys.executable, "-m", *(word.replace("{port}", port) for word in command)]
    server = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}/"
        for _ in range(600):
            try:
                urllib.request.urlopen(url, timeout=60).close()
                break
            except OSError:
                time.sleep(0.5)
        yield url
    finally:
        server.terminate()
        server.wait(60)


def of_app(page: Page, url: str, options: Options) -> float:
    """Frames a second that the page Video sends, after the first results."""
    sent: list[float] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda data: _count(data, sent)))
    page.goto(f"{url}video?network={options.network}")
    page.get_by_text("Live camera").first.click()
    page.get_by_role("button", name="Start the camera").click()
    page.get_by_text("on the last frame").first.wait_for()
    page.wait_for_timeout(3000)
    sent.clear()
    page.wait_for_timeout(1000 * options.seconds)
    return (len(sent) - 1) / (sent[-1] - sent[0]) if len(sent) > 1 else 0.0


def _count(data: str | bytes, sent: list[float]) -> None:
    if len(data) > FRAME:
        sent.append(time.monotonic())


def of_demo(page: Page, url: str, options: Options) -> float:
    """Mean of the frames a second that the demo's tab shows."""
    page.goto(url)
    page.get_by_text("Use your own image").click()
    page.get_by_label("I have read this").check()
    page.get_by_role("tab", name="Live camera").click()
    page.get_by_text("Access Webcam").last.click()
    page.get_by_role("button", name="capture photo").click()
    page.get_by_text("frames a second").first.wait_for()
    page.wait_for_timeout(3000)
    rates = []
    for _ in range(round(options.seconds)):
        page.wait_for_timeout(1000)
        found = re.search(r"(\d+) frames a second", page.locator("body").inner_text())
        rates += [int(found[1])] if found else []
    return sum(rates) / len(rates) if rates else 0.0


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    app = ("streamlit", "run", "workbench/app.py", "--server.port={port}", "--server.headless=true")
    demo = ("workbench.gradio_app", "--port={port}")
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        film(file := Path(place) / "face.mjpeg")
        flags = [*FLAGS, *CAMERA, f"--use-file-for-fake-video-capture={file}"]
        for title, command, measure in (("app, page Video", app, of_app), ("demo, live tab", demo, of_demo)):
            with served(*command) as url:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
                page = browser.new_page(viewport={"width": 1280, "height": 900}, permissions=["camera"])
                page.set_default_timeout(300_000)
                print(f"{title}: {measure(page, url, options):.1f} frames a second", flush=True)
                browser.close()
    print(f"load of the computer in the last minute: {os.getloadavg()[0] / (os.cpu_count() or 1):.1f} for each core")


if __name__ == "__main__":
    main()
