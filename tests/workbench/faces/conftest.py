"""The photographs that tests of faces share."""

import pytest
from PIL import Image

from workbench import faces
from workbench.faces import Box


@pytest.fixture(scope="package")
def astronaut() -> Image.Image:
    return faces.sample_picture("astronaut")


@pytest.fixture(scope="package")
def astronaut_box(astronaut) -> Box:
    return faces.detect(astronaut)[0]


@pytest.fixture(scope="package")
def grace_hopper() -> Image.Image:
    return faces.sample_picture("grace_hopper")
