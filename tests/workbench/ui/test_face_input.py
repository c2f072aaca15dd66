"""Where the face comes from."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from models.datasets import FaceSet
from workbench import faces
from workbench.services.dataset import imported as sets
from workbench.ui import face_input

APP = Path(__file__).resolve().parents[3] / "workbench" / "app.py"


def opened(source: str, **parameters: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=300)
    app.query_params.update(parameters)
    app.switch_page("../pages/about.py").run()
    if not parameters:
        app.segmented_control(key="source").set_value(source).run()
    assert not app.exception
    return app


def png(name: str) -> bytes:
    buffer = io.BytesIO()
    faces.sample_picture(name).save(buffer, "PNG")
    return buffer.getvalue()


def upload(app: AppTest, *names: str) -> AppTest:
    app.file_uploader[0].set_value([(f"{name}.png", png(name), "image/png") for name in names]).run()
    assert not app.exception
    return app


def face_of(app: AppTest) -> faces.Face | None:
    return app.session_state["face"]


@pytest.fixture
def imported(tmp_path, monkeypatch) -> FaceSet:
    monkeypatch.setattr(sets, "FOLDER", tmp_path)
    images = 40 * np.arange(4, dtype=np.uint8)[:, None, None] * np.ones((1, 48, 48), np.uint8)
    splits = np.array(["Training", "Training", "PublicTest", "PrivateTest"])
    drawn = FaceSet(images, np.array([3, 0, 1, 5]), np.array(list("abcd")), splits)
    drawn.save(tmp_path / "drawn.npz")
    return drawn


def test_of_several_uploads_the_newest_is_used_until_another_is_chosen():
    app = upload(opened("Upload"), "grace_hopper")
    first = face_of(app).key
    upload(app, "grace_hopper", "astronaut")
    assert face_of(app).key == faces.load_sample("astronaut").key != first
    choice = app.selectbox(key="picture_in_use")
    assert choice.options == ["1. grace_hopper.png", "2. astronaut.png"]
    choice.set_value(app.session_state["uploads"][0]).run()
    assert face_of(app).key == first


def test_the_upload_in_use_survives_another_page():
    app = upload(opened("Upload"), "grace_hopper", "astronaut")
    app.selectbox(key="picture_in_use").set_value(app.session_state["uploads"][0]).run()
    chosen = face_of(app).key
    app.switch_page("../pages/svd.py").run()
    assert not app.exception
    assert face_of(app).key == chosen
    assert app.session_state["face_name"] == "uploaded image"


def test_of_many_uploads_one_decoded_image_is_kept():
    app = upload(opened("Upload"), *["drawn_sad"] * (face_input.MOST + 2))
    assert len(app.selectbox(key="picture_in_use").options) == face_input.MOST
    assert isinstance(app.session_state["picture"][1], Image.Image)


def test_a_face_of_a_set_is_shown_with_its_part_and_label(imported):
    app = opened("Dataset")
    assert (face_of(app).gray(48) == 0).all()
    assert any("Training, labeled happy. Image 1 of 4" in caption.value for caption in app.caption)
    app.button(key="set-next").click().run()
    assert (face_of(app).gray(48) == 40).all()
    app.button(key="set-previous").click().run()
    app.button(key="set-previous").click().run()
    assert (face_of(app).gray(48) == 120).all()
    assert app.query_params["face"] == imported.ids[3]
    app.button(key="set-random").click().run()
    assert not app.exception


def test_a_face_of_a_set_is_found_by_its_id(imported):
    app = opened("Dataset")
    app.text_input(key="face_id").set_value(f" {imported.ids[2]} ").run()
    assert (face_of(app).gray(48) == 80).all()
    app.text_input(key="face_id").set_value("nobody").run()
    assert not app.exception
    assert '"nobody" is not a face of drawn' in app.error[0].value
    assert (face_of(app).gray(48) == 80).all()


def test_a_link_opens_a_face_of_a_set(imported):
    app = opened("Dataset", set="drawn", face=imported.ids[2])
    assert (face_of(app).gray(48) == 80).all()
    assert app.query_params["face"] == imported.ids[2]
    assert imported.ids[2] in app.session_state["face_name"]
    assert not app.warning


def test_a_damaged_set_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(sets, "FOLDER", tmp_path)
    (tmp_path / "damaged.npz").write_bytes(b"not a set")
    app = opened("Dataset")
    assert "is not an imported set of faces" in app.error[0].value


def test_samples_only_leaves_no_way_to_an_image_of_ones_own(monkeypatch, imported):
    monkeypatch.setenv("FERSCOPE_SAMPLES_ONLY", "1")
    app = opened("Sample", set="drawn", face=imported.ids[2])
    assert not any(group.key == "source" for group in app.button_group)
    assert not app.file_uploader
    assert face_of(app).key == faces.load_sample("astronaut").key


def test_in_a_class_the_notice_comes_before_ones_own_image(monkeypatch):
    monkeypatch.setenv("FERSCOPE_LAN", "1")
    app = opened("Upload")
    assert not app.file_uploader
    app.checkbox(key="accepted").check().run()
    assert app.file_uploader


def test_nothing_is_left_of_an_own_image_once_another_one_is_chosen():
    app = upload(opened("Upload"), "grace_hopper")
    app.session_state["results"] = {"of the picture": 1}
    upload(app, "grace_hopper", "astronaut")
    assert "results" not in app.session_state
    app.session_state["results"] = {"of the picture": 1}
    app.segmented_control(key="source").set_value("Sample").run()
    assert "picture" not in app.session_state
    assert "results" not in app.session_state
