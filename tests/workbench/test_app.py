"""The app as Streamlit runs it, without a browser."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

import models
from models import checkpoints
from workbench import faces, services

APP = Path(__file__).resolve().parents[2] / "workbench" / "app.py"


def start() -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=300).run()
    assert not app.exception
    return app


def text_of(app: AppTest) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.info, *app.warning, *app.error])


def png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def upload(app: AppTest, data: bytes, name: str = "picture.png") -> AppTest:
    app.segmented_control(key="source").set_value("Upload").run()
    app.file_uploader[0].upload(name, data).run()
    assert not app.exception
    return app


@pytest.fixture
def without_checkpoints(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    return tmp_path


def test_the_app_opens_with_a_sample_face_already_explained():
    app = start()
    assert app.title[0].value == "Explain"
    predicted = services.predict(faces.load_sample("astronaut")).predicted
    assert f"Prediction: {predicted}" in text_of(app)
    assert f"Grad-CAM for {predicted}" in text_of(app)
    assert not app.error


def test_every_sample_is_explained(subtests):
    app = start()
    for sample in faces.samples():
        with subtests.test(sample.name):
            app.selectbox(key="sample").set_value(sample.name).run()
            assert not app.exception
            assert not app.error
            predicted = services.predict(faces.load_sample(sample.name)).predicted
            assert f"Prediction: {predicted}" in text_of(app)


def test_another_class_gets_its_own_map():
    app = start()
    control = next(c for c in app.segmented_control if c.label == "Map for the class")
    control.set_value("sad").run()
    assert not app.exception
    assert "evidence for sad" in text_of(app)


def test_a_network_of_each_family_can_be_chosen_and_explains(monkeypatch, subtests):
    """That each of them explains a face is tested without the app."""
    # Of random weights the uncertainty, up to 40 forward passes of a large network, is offered and not computed.
    monkeypatch.setattr(
        "workbench.ui.slow_requests.pace",
        lambda network: 0.001 if services.networks.open_network(network).trained else 100,
    )
    app = start()
    families = {}
    for network in services.networks.network_names():
        with torch.device("meta"):  # without weights
            families.setdefault(type(models.create_model(network)), []).append(network)
    for network, *_ in families.values():
        with subtests.test(network):
            app.selectbox(key="network").set_value(network).run()
            assert not app.exception
            assert not app.error
            assert "Prediction: " in text_of(app)
            assert ("Weights not included" in text_of(app)) == (not services.networks.open_network(network).trained)


def test_a_network_without_a_checkpoint_stands_under_a_banner(without_checkpoints):
    assert "Weights not included" in text_of(start())


def test_a_damaged_checkpoint_is_a_sentence_and_the_app_goes_on(without_checkpoints):
    folder = without_checkpoints / "residual_cnn"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"not a checkpoint")
    (folder / "card.json").write_text("{}")
    app = start()
    assert "is not the card of a checkpoint" in app.error[0].value
    app.switch_page("../pages/about.py").run()
    assert not app.exception
    assert not app.error


def test_an_uploaded_image_is_explained():
    app = upload(start(), png(faces.sample_picture("grace_hopper")))
    assert not app.error
    assert "Prediction: " in text_of(app)


def test_of_two_faces_one_is_chosen():
    face = faces.sample_picture("astronaut").crop((100, 0, 360, 260))
    both = Image.new("RGB", (560, 280), "gray")
    both.paste(face, (5, 10))
    both.paste(face.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (290, 10))
    app = upload(start(), png(both))
    choice = next(box for box in app.selectbox if box.label == "2 faces found")
    choice.set_value(1).run()
    assert not app.exception
    assert "Prediction: " in text_of(app)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("empty.png", b""),
        ("words.jpg", b"these are words and not a picture"),
        ("cut_short.png", png(faces.sample_picture("astronaut"))[:5000]),
        ("../../etc/evil.png", b"\x80\x04N."),
    ],
)
def test_a_file_that_is_no_image_is_a_sentence_and_the_app_goes_on(name, data):
    app = upload(start(), data, name)
    assert app.error[0].value.endswith(".")
    assert "Traceback" not in text_of(app)
    app.segmented_control(key="source").set_value("Sample").run()
    assert not app.error
    assert "Prediction: " in text_of(app)


def test_a_good_image_after_a_bad_one_is_explained():
    app = upload(start(), b"these are words and not a picture", "words.png")
    assert app.error
    app.selectbox(key="network").set_value("vanilla_cnn").run()
    assert not app.exception
    app.file_uploader[0].upload("good.png", png(faces.sample_picture("astronaut"))).run()
    assert not app.exception
    assert not app.error
    assert "Prediction: " in text_of(app)


def test_an_image_without_a_face_has_a_way_on():
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8)
    app = upload(start(), png(Image.fromarray(noise)))
    assert "No face was found" in text_of(app)
    assert "Prediction: " not in text_of(app)
    next(button for button in app.button if button.label == "Crop by hand").click().run()
    assert not app.exception
    assert "Prediction: " in text_of(app)


def test_nothing_uploaded_says_where_to_begin():
    app = start()
    app.segmented_control(key="source").set_value("Upload").run()
    assert not app.exception
    assert "No image yet" in text_of(app)


def test_the_about_page_says_what_it_must_not_be_used_for():
    app = start()
    app.switch_page("../pages/about.py").run()
    assert not app.exception
    words = text_of(app)
    assert "not what a person feels" in words
    assert "Article 5(1)(f)" in words
    assert "not written to disk" in words


def test_the_toolbar_hides_what_a_page_does_not_use_and_keeps_it_chosen():
    app = start()
    app.selectbox(key="sample").set_value("drawn_sad")
    app.selectbox(key="network").set_value("resnet18").run()

    def styles() -> str:
        return "".join(html.proto.body for html in app.get("html"))

    assert "-face {display: none}" not in styles()
    assert "-network {display: none}" not in styles()
    app.switch_page("../pages/metrics.py").run()
    assert ".st-key-choose-network, .st-key-choose-face, .st-key-toolbar {display: none}" in styles()
    app.switch_page("../pages/dataset.py").run()
    assert ".st-key-choose-network {display: none}" in styles()
    app.switch_page("../pages/svd.py").run()
    assert app.selectbox(key="sample").value == "drawn_sad"
    assert app.selectbox(key="network").value == "resnet18"
