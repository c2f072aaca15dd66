"""`ferscope explain`: a self-contained HTML report and a CSV table of a network's predictions for many images.

    ferscope explain photo.jpg                       # report.html and report.csv
    ferscope explain --sample astronaut              # the same for a sample of the app
    ferscope explain clip.mp4 --fps 5                # a video: timeline of each face, see explain_video.py
    ferscope explain faces/ --out faces.html --network resnet18 --classes happy sad --method layercam --maps npy

Images are read, explained and written a batch at a time, so that a folder of thousands needs no more memory than one of
a hundred.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from models.checkpoints import CheckpointError
from models.files import DiskFullError

from .. import services
from . import explain_video
from .explain_files import shown
from .explain_report import Choices, write_report


def explain(
    pictures: Annotated[tuple[Path, ...], tyro.conf.Positional],
    out: Path = Path("report.html"),
    network: str = services.networks.DEFAULT_NETWORK,
    classes: Annotated[tuple[str, ...], tyro.conf.arg(aliases=["--class"])] = (),
    method: str = "gradcam",
    layer: str | None = None,
    maps: Literal["png", "npy"] | None = None,
    cropped: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False,
    fps: float = 5.0,
    sample: tuple[str, ...] = (),
) -> None:
    """Explain images, or the faces of a video over time, in an HTML report and a CSV table.

    Args:
        pictures: image files, or folders of them; or one video
        out: the report; the table has the same name with .csv, a row for each face, with 0 in its column `face` if none
            was detected, and a row for each file without a prediction, with the reason in its column `outcome`
        network: name of a network; by default that of the app: the most accurate one, or one with attention within a
            point of it
        classes: classes of the maps; by default the predicted one of each face
        method: gradcam, gradcam++, xgradcam, hirescam, layercam or elementwise
        layer: layer of the maps, as `ferscope models NAME` lists them; by default the network's own
        maps: write each map, as large as the cropped face, to a folder beside the report: png shows it over the face,
            npy has its numbers
        cropped: every image is a cropped face, so none is looked for; without this, images of at most 64 pixels a side
            and those that a face fills are taken as cropped
        fps: frames a second of a video that are looked at
        sample: samples of the app by name, as astronaut or drawn_happy, before the images or without any
    """
    if not pictures and not sample:
        sys.exit(
            "Give at least one image, or a folder of images: ferscope explain photo.jpg. "
            "Without one of your own: ferscope explain --sample astronaut"
        )
    if any(explain_video.is_video(path) for path in pictures):
        explain_video.explain(pictures, out, network, fps)
        return
    if out.suffix.lower() not in (".html", ".htm"):
        sys.exit(f"--out {shown(out)}: the report is an HTML page; give a name that ends with .html")
    try:
        done = write_report(pictures, out, Choices(network, method, layer, classes, cropped, maps), sample)
    except (CheckpointError, DiskFullError, ValueError, OSError) as error:
        sys.exit(str(error))
    faces, faceless = done.counts["face"], done.counts["no face"]
    print(f"{shown(out)}, {shown(out.with_suffix('.csv'))}: faces: {faces}; images without a detected face: {faceless}")
    if not services.networks.open_network(network).trained:
        print(f"{network} has random weights: its predictions mean nothing.")
    for one in done.left_out[:5]:
        print(f"{shown(one.file)}: {one.why}")
    if len(done.left_out) > 5:
        print(f"and {len(done.left_out) - 5} more files left out; the report lists them.")


def main(argv: list[str] | None = None) -> None:
    """Run `ferscope explain ...`; on an error, print one sentence and exit with status 1."""
    tyro.cli(explain, prog="ferscope explain", args=argv)


if __name__ == "__main__":
    main()
