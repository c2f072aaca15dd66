"""The faces that come with the workbench."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from PIL import Image

from workbench.decoders.errors import PictureError
from workbench.faces.cropping import Face, crop
from workbench.faces.decoding import read
from workbench.faces.detection import detect

_DRAWN = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")  # the emotions of FER2013


@dataclass(frozen=True)
class Sample:
    """A face that comes with the workbench.

    Attributes:
        name: what `load_sample` takes.
        title: a few words for a list.
        credit: source and license in one line.
    """

    name: str
    title: str
    credit: str


_SAMPLES = (
    Sample("astronaut", "Astronaut (Eileen Collins)", "Photograph: NASA, public domain; from scikit-image."),
    Sample(
        "grace_hopper",
        "Rear admiral (Grace Hopper)",
        "Photograph: James S. Davis, United States Navy, public domain; from matplotlib.",
    ),
    *(
        Sample(
            f"drawn_{e}",
            f"Drawn face: {e}",
            f"Drawn by FERScope to look {e}, Apache-2.0. A network trained on photographs may predict another class.",
        )
        for e in _DRAWN
    ),
)


def samples() -> tuple[Sample, ...]:
    """The faces that need no upload, always in the same order; the first is the default."""
    return _SAMPLES


@lru_cache(maxsize=32)
def sample_picture(name: str) -> Image.Image:
    """The whole RGB image of a sample, for drawing its box on; copy it before changing it.

    Raises:
        PictureError: there is no such sample; the message lists the names.
    """
    if name not in {sample.name for sample in _SAMPLES}:
        names = ", ".join(sample.name for sample in _SAMPLES)
        raise PictureError(f'"{name}" is not a sample. Choose one of {names}.')
    if name == "astronaut":
        # The file itself, because skimage.data.astronaut() imports half of scikit-image.
        return read((resources.files("skimage") / "data" / "astronaut.png").read_bytes())
    if name == "grace_hopper":
        from matplotlib import cbook

        with cbook.get_sample_data("grace_hopper.jpg") as file:
            return read(file.read())
    from models.datasets.synthetic.faces import draw_face

    return Image.fromarray(draw_face(name.removeprefix("drawn_"), size=480)).convert("RGB")


@lru_cache(maxsize=32)
def load_sample(name: str) -> Face:
    """The face of a sample: the largest one found in a photograph, the whole of a drawing (its `box` is None).

    Raises:
        PictureError: there is no such sample; the message lists the names.
    """
    picture = sample_picture(name)
    return Face(picture) if name.startswith("drawn_") else crop(picture, detect(picture)[0])
