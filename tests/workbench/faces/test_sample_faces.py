"""The faces that come with the workbench."""

import subprocess
import sys

import pytest

from models.datasets.synthetic.faces import EXPRESSIONS
from workbench import faces
from workbench.faces import PictureError


def test_samples_are_the_astronaut_grace_hopper_and_a_drawing_of_each_emotion():
    names = [sample.name for sample in faces.samples()]
    assert names[:2] == ["astronaut", "grace_hopper"]
    assert {name.removeprefix("drawn_") for name in names[2:]} == set(EXPRESSIONS) - {"contempt"}
    assert len(set(names)) == len(names) == 9


@pytest.mark.parametrize("sample", faces.samples(), ids=lambda sample: sample.name)
def test_every_sample_is_a_credited_square_face_with_its_whole_picture(sample):
    face, picture = faces.load_sample(sample.name), faces.sample_picture(sample.name)
    assert "public domain" in sample.credit or "FERScope" in sample.credit
    assert face.picture.width == face.picture.height
    assert face.picture.mode == picture.mode == "RGB"
    assert (face.box is None) == sample.name.startswith("drawn_")
    assert faces.load_sample(sample.name) is face


def test_samples_are_all_different():
    assert len({faces.load_sample(sample.name).key for sample in faces.samples()}) == len(faces.samples())


@pytest.mark.parametrize("load", [faces.load_sample, faces.sample_picture])
def test_an_unknown_sample_is_refused_with_the_names_that_exist(load):
    with pytest.raises(PictureError, match=r'"mona_lisa" is not a sample.*astronaut.*drawn_surprise'):
        load("mona_lisa")


def test_importing_faces_brings_neither_torch_nor_streamlit():
    code = "import sys, workbench.faces; print('torch' in sys.modules, 'streamlit' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False"]
