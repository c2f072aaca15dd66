"""The folder of the web demo: the built page, networks, face detector, samples and words, for any static web server."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np

from models.files import write_bytes

from ...analysis.colors import class_colors
from ...faces import load_sample, samples
from ...faces.yunet import weights
from ...server.consent import ACCEPT, LIMITS, NOT_FOR, notice
from ..metrics.evaluation import is_of_fer2013
from ..networks import Network, is_trained, network_names, open_network
from .errors import WebDemoError
from .onnx_files import any_size
from .storage import Exported, Progress, Storage, export_network
from .tracing import planes

PAGE = Path(__file__).resolve().parents[2] / "web"
"""The built page: HTML, scripts, style, ONNX Runtime Web."""

_STAYS = (
    "Your image is not sent anywhere: detection and prediction run in this browser, nothing is stored, and the image "
    "is gone when you choose another one or close the page."
)
_NO_MEANING = (
    "It was not trained on FER2013 but on other images, so for a face unlike those its prediction means little."
)
_MEANING = "It estimates the label that annotators would give this face, not what the person feels."


@dataclass(frozen=True, eq=False)
class WebDemo:
    """A written web demo.

    Attributes:
        folder: where it is.
        networks: its networks by name.
        sizes: bytes of each file, by its path in the folder.
    """

    folder: Path
    networks: dict[str, Exported]
    sizes: dict[str, int]

    @property
    def bytes(self) -> int:
        """Bytes of all files together."""
        return sum(self.sizes.values())


def write(
    folder: Path, names: Sequence[str], storage: Storage | None = None, progress: Progress = lambda _: None
) -> WebDemo:
    """Write the web demo into a folder; files of the same names are replaced.

    Args:
        folder: the new folder.
        names: trained networks, the first one is shown first.
        storage: type of the weights; None: the smallest that gives the workbench's results, see `Measured`.
        progress: called with a line of text before something that takes a minute.

    Raises:
        WebDemoError: a network is unknown, not trained, or cannot be exported; the built page is missing.
        CheckpointError: the weights of a network cannot be read. OSError: the folder cannot be written.
    """
    if not (PAGE / "index.html").is_file():
        raise WebDemoError(f"The built page is not in {PAGE}. In a checkout, `make web` builds it.")
    nets = [_trained(name) for name in dict.fromkeys(names)]
    if not nets:
        raise WebDemoError("A web demo needs at least one network.")
    exported = {net.name: export_network(net, storage, progress) for net in nets}
    files = {path.relative_to(PAGE).as_posix(): path.read_bytes() for path in sorted(PAGE.rglob("*")) if path.is_file()}
    worker = files.pop("sw.js")
    files |= {f"networks/{name}.onnx": found.used.data for name, found in exported.items()}
    files |= {"yunet.onnx": any_size(weights())}
    files |= {f"samples/{sample.name}.png": _png(sample.name) for sample in samples()}
    files["demo.json"] = json.dumps(_contents(nets, exported), ensure_ascii=False).encode()
    version = hashlib.sha256(b"".join(hashlib.sha256(data).digest() for data in files.values())).hexdigest()[:16]
    kept = json.dumps({"version": version, "files": ["./", *files]})
    files["sw.js"] = f"self.FERSCOPE = {kept};\n".encode() + worker
    for name, data in files.items():
        write_bytes(folder / name, data)
    return WebDemo(folder, exported, {name: len(data) for name, data in files.items()})


def _trained(name: str) -> Network:
    try:
        found = is_trained(name)
    except ValueError as error:
        raise WebDemoError(str(error)) from error
    if not found:
        trained = ", ".join(n for n in network_names() if is_trained(n))
        raise WebDemoError(f'"{name}" has no trained weights here. Choose one of: {trained}.')
    return open_network(name)


def _png(sample: str) -> bytes:
    """The cropped face of a sample as a PNG file."""
    buffer = io.BytesIO()
    load_sample(sample).picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _contents(nets: Sequence[Network], exported: dict[str, Exported]) -> dict:
    """What the page reads at its start: networks, samples, words, colors."""
    colors = (255 * matplotlib.colormaps["inferno"](np.arange(256))[:, :3]).round().astype(np.uint8)
    return {
        "networks": [_network(net, exported[net.name]) for net in nets],
        "samples": [
            {"name": s.name, "title": s.title, "credit": s.credit, "file": f"samples/{s.name}.png"} for s in samples()
        ],
        "words": {
            "limits": LIMITS,
            "accept": ACCEPT,
            "notice": notice(False, _STAYS).replace("**", "").split("\n\n"),
            "notFor": NOT_FOR,
        },
        "inferno": colors.tobytes().hex(),
    }


def _network(net: Network, exported: Exported) -> dict:
    card = net.card
    assert card is not None  # `_trained` checked it
    return {
        "name": net.name,
        "title": net.spec.title,
        "file": f"networks/{net.name}.onnx",
        "classes": net.classes,
        "colors": class_colors(net.classes),
        "size": net.input_size,
        "channels": planes(net),
        "temperature": net.temperature,
        "layer": exported.traced.layer,
        "attention": [{"title": found.title, "layer": found.layer} for found in exported.traced.attention],
        "storage": exported.used.storage,
        "meaning": _MEANING if is_of_fer2013(card) else _NO_MEANING,
    }
