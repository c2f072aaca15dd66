"""The web demo in Chromium: agreement with PyTorch, size, frames a second, memory.

    python benchmarks/web_demo.py [--faces 100] [--seconds 20] [--minutes 10] [--network residual_cnn]

Faces are the samples and drawn ones. The camera is a film of the astronaut's face that moves from side to side. Memory
is that of the browser's processes without what they share (USS), once every half minute while the camera runs.
"""

from __future__ import annotations

import base64
import io
import math
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
import tyro
from live_camera import CAMERA, CHROMIUM, FLAGS, film, served
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from models.datasets import EMOTIONS
from models.datasets.synthetic.faces import draw_face
from workbench import faces, services

_EXPLAIN = """async ([data, network, cropped]) => {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const found = await ferscope.explain(new Blob([bytes], { type: "image/png" }), network, cropped);
    const grids = (maps) => maps.map(({ height, width, values }) => [height, width, Array.from(values)]);
    return {
        probabilities: found.probabilities, boxes: found.boxes,
        maps: grids(found.maps), attention: grids(found.attention),
    };
}"""


@dataclass(frozen=True)
class Difference:
    """How far the browser's results for a face are from the workbench's.

    Attributes:
        same: whether the predicted class is the same.
        probability: largest difference of a probability.
        map: largest difference of a map, as a share of the largest value of all classes, or of an attention map.
    """

    same: bool
    probability: float
    map: float


def difference(page: Page, picture: Image.Image, network: str, cropped: bool) -> Difference:
    """Explain an image in the browser and with PyTorch."""
    found = explained(page, picture, network, cropped)
    wanted = services.explain(faces.Face(picture) if cropped else faces.find(picture)[0], network)
    shares = np.array(found["probabilities"])
    spatial = [m.values[0] for m in wanted.attention if m.spatial]
    pairs = list(zip(_grids(found["attention"]), spatial, strict=True))
    if wanted.atlas is not None:
        pairs.append((torch.stack(_grids(found["maps"])), wanted.atlas[0]))
    return Difference(
        int(shares.argmax()) == int(wanted.prediction.probabilities.argmax()),
        float(np.abs(shares - wanted.prediction.probabilities.numpy()).max()),
        max((float((a - b).abs().max() / b.abs().max()) for a, b in pairs), default=0.0),
    )


def explained(page: Page, picture: Image.Image, network: str, cropped: bool) -> dict[str, Any]:
    """What the page computes for an image: probabilities, maps, attention maps, boxes of the faces."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return page.evaluate(_EXPLAIN, [base64.b64encode(buffer.getvalue()).decode(), network, cropped])


def _grids(maps: list) -> list[torch.Tensor]:
    return [torch.tensor(values).view(height, width) for height, width, values in maps]


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    faces: int = 100
    seconds: float = 20
    minutes: float = 10
    network: tuple[str, ...] = (services.networks.DEFAULT_NETWORK,)


def pictures(count: int) -> Iterator[Image.Image]:
    """The samples, then drawn faces of other people."""
    for i in range(count):
        if i < len(faces.samples()):
            yield faces.load_sample(faces.samples()[i].name).picture
        else:
            yield Image.fromarray(draw_face(EMOTIONS[i % len(EMOTIONS)], 96, seed=i)).convert("RGB")


def agreement(page: Page, options: Options) -> None:
    """Print the largest differences from PyTorch."""
    for network in options.network:
        found = [difference(page, picture, network, cropped=True) for picture in pictures(options.faces)]
        same = sum(one.same for one in found)
        probability, map_ = max(one.probability for one in found), max(one.map for one in found)
        print(f"{network}: same prediction for {same} of {len(found)} faces, ±{probability:.1e}, maps ±{map_:.1e}")


def detection(page: Page, network: str) -> None:
    """Print how far the boxes of rotated and reduced photographs are from the workbench's, in sides of the face."""
    same, farthest, count = 0, 0.0, 0
    for name in ("astronaut", "grace_hopper"):
        for angle in (0, 10, 30, 60, 90, 180):
            for scale in (1.0, 0.4):
                picture = faces.sample_picture(name).rotate(angle, Image.Resampling.BICUBIC, expand=True)
                picture = picture.resize([max(1, round(scale * side)) for side in picture.size])
                wanted, found = faces.detect(picture), explained(page, picture, network, cropped=False)["boxes"]
                count += 1
                same += len(wanted) == len(found)
                for mine, theirs in zip(found, wanted, strict=False):
                    apart = math.dist((mine["x"], mine["y"]), theirs.center) + abs(mine["side"] - theirs.side)
                    farthest = max(farthest, apart / theirs.side, abs(mine["angle"] - theirs.angle) / 90)
    print(f"detection: as many faces in {same} of {count} photographs, boxes within {farthest:.3f} of their side")


def live(page: Page, seconds: float, minutes: float) -> None:
    """Print frames a second and the browser's memory while the camera runs."""
    page.get_by_text("Use your own image: consent notice").click()
    page.get_by_label("I have read this").check()
    page.get_by_role("button", name="Start the camera").click()
    page.get_by_text(re.compile(r"^[1-9]\d* frames a second")).wait_for()
    page.wait_for_timeout(3000)
    rates = []
    for _ in range(round(seconds)):
        page.wait_for_timeout(1000)
        rates.append(page.evaluate(_RATE))
    print(f"camera: {sum(rates) / max(1, len(rates)):.1f} frames a second", flush=True)
    client = page.context.new_cdp_session(page)
    client.send("Performance.enable")
    for _ in range(round(2 * minutes)):
        page.wait_for_timeout(30_000)
        client.send("HeapProfiler.collectGarbage")
        found = {one["name"]: one["value"] for one in client.send("Performance.getMetrics")["metrics"]}
        nodes, heap = found["Nodes"], found["JSHeapUsedSize"] / 1e6
        print(f"  {memory() / 1e6:.0f} MB, heap of the page {heap:.1f} MB, {nodes:.0f} nodes", flush=True)


_RATE = "Number.parseInt(document.querySelector('p.quiet').textContent)"


def memory() -> int:
    """Bytes of all processes of the browser that this one started, without those that they share."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            total += process.memory_full_info().uss if "chrom" in process.name() else 0
    return total


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        demo = services.web_demo.write(Path(place) / "demo", options.network)
        print(f"{len(options.network)} networks: {demo.bytes / 1e6:.1f} MB")
        film(file := Path(place) / "face.mjpeg")
        flags = [*FLAGS, *CAMERA, f"--use-file-for-fake-video-capture={file}"]
        with served("workbench.server.static", str(demo.folder), "--port={port}") as url:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
            page = browser.new_page(viewport={"width": 390, "height": 844}, permissions=["camera"])
            page.goto(url)
            page.get_by_text("Prediction:").first.wait_for()
            agreement(page, options)
            detection(page, options.network[0])
            live(page, options.seconds, options.minutes)
            browser.close()
    print(f"load of the computer in the last minute: {os.getloadavg()[0] / (os.cpu_count() or 1):.1f} for each core")


if __name__ == "__main__":
    main()
