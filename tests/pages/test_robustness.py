"""The page Robustness: one face under perturbations, occlusion, shifted crops, curves over a test set."""

import io
import json
import shutil
from functools import partial

import pytest
from helpers import page_visits
from helpers.page_visits import text_of
from PIL import Image

from models import checkpoints
from workbench import faces, services
from workbench.analysis.corruptions import CORRUPTIONS
from workbench.services.robustness import tips
from workbench.surveys.robustness import FILE
from workbench.surveys.sample import weights_digest
from workbench.ui import adversarial, robustness

opened = partial(page_visits.opened, "robustness.py")
pytestmark = pytest.mark.usefixtures("quick")


def opened_with_test_set(**link):
    """The page with its curves on the test set open."""
    app = opened(**link)
    app.session_state["test-set-open"] = True
    return app.run()


def test_the_page_says_how_far_a_face_can_be_rotated_before_the_prediction_changes():
    app = opened()
    found = services.robustness(faces.load_sample("astronaut"), "residual_cnn", "rotation")
    below, above = tips(found)
    classes = services.networks.open_network("residual_cnn").classes
    told = text_of(app)
    assert f"happy from {robustness.number(below.kept)}° to {robustness.number(above.kept)}°" in told
    assert f"at {robustness.number(above.value)}°, to {classes[above.predicted]}" in told
    assert app.select_slider(key="at").value == above.value, "it begins where the answer has just changed"


def test_every_change_of_the_image_has_its_values_and_its_sentence():
    app = opened()
    for name in ("blur", "jpeg", "high-pass"):  # the neutral value lies below, above, and at zero
        app.selectbox(key="change").set_value(name).run()
        assert not app.exception
        told = text_of(app)
        assert f"**{CORRUPTIONS[name].title}:** {CORRUPTIONS[name].note}" in told
        slider = app.select_slider(key="at")
        assert len(slider.options) == len(CORRUPTIONS[name].values)
        slider.set_value(CORRUPTIONS[name].values[0]).run()
        assert not app.exception


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_sentence_and_the_row_begin_with_the_image_as_it_is(name):
    found = services.robustness(faces.load_sample("grace_hopper"), "residual_cnn", name)
    sentence = robustness.where_it_changes(found, services.networks.open_network("residual_cnn").classes)
    assert sentence.startswith("**Prediction: neutral ")
    assert ("it first changes at" in sentence) != ("at every value from" in sentence)
    row = [found.values[i] for i in robustness._chosen(found)]
    assert len(row) == 5
    assert CORRUPTIONS[name].neutral in row
    assert row == sorted(row)
    assert all(tip.value in row for tip in tips(found) if tip.value is not None)


def test_a_prediction_that_changes_at_once_is_kept_at_one_value_only():
    found = services.robustness(faces.load_sample("astronaut"), "residual_cnn", "blur")
    found.probabilities[1:] = found.probabilities[1:].roll(1, 1)
    sentence = robustness.where_it_changes(found, services.networks.open_network("residual_cnn").classes)
    assert "happy at 0 only; it first changes at 0.5, to neutral" in sentence


def test_what_is_not_measured_is_said_with_the_command_and_its_minutes(tmp_path, monkeypatch):
    folder = tmp_path / "residual_cnn"
    shutil.copytree(checkpoints.checkpoint_folder("residual_cnn"), folder, ignore=shutil.ignore_patterns(FILE))
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    app = opened_with_test_set()
    code = [block.value for block in app.code]
    assert "ferscope robustness residual_cnn" in code
    assert "all 12 curves over a sample of the test images in about" in text_of(app)
    app = opened(tab="Rotation")
    assert "ferscope train --model rarn\nferscope robustness rarn" in [block.value for block in app.code]
    assert "**RARN: not run.**" in text_of(app)
    assert not [button for button in app.main.button if "ferscope" in button.label.lower()]


def test_a_curve_beside_the_weights_takes_the_place_of_the_command(tmp_path, monkeypatch):
    folder = tmp_path / "residual_cnn"
    shutil.copytree(checkpoints.checkpoint_folder("residual_cnn"), folder, ignore=shutil.ignore_patterns(FILE))
    values = CORRUPTIONS["rotation"].values
    curve = {"values": values, "accuracy": [0.25] * len(values), "interval": [[0.2, 0.3]] * len(values)}
    question = {"part": "PrivateTest", "pictures": 400, "of": 3589, "seed": 0, "data": "x"}
    weights = weights_digest(folder)
    (folder / FILE).write_text(json.dumps({**question, "weights": weights, "curves": {"rotation": curve}}))
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    app = opened_with_test_set()
    told = text_of(app)
    assert "400 of the 3\N{NARROW NO-BREAK SPACE}589 images of PrivateTest" in told
    assert "| Residual CNN | 25.0 (20.0\N{WORD JOINER}–\N{WORD JOINER}30.0) |" in text_of(opened(tab="Rotation"))
    assert "ferscope robustness residual_cnn" not in [block.value for block in app.code]
    app.selectbox(key="change").set_value("blur").run()
    assert "ferscope robustness residual_cnn" in [block.value for block in app.code], "blur is missing"


def test_a_curve_of_other_weights_is_not_shown_but_named(tmp_path, monkeypatch):
    folder = tmp_path / "residual_cnn"
    shutil.copytree(checkpoints.checkpoint_folder("residual_cnn"), folder)
    question = {
        "part": "PrivateTest",
        "pictures": 400,
        "of": 3589,
        "seed": 0,
        "data": "x",
        "weights": "others",
        "curves": {},
    }
    (folder / FILE).write_text(json.dumps(question))
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    assert "belongs to other weights" in text_of(opened_with_test_set())


def test_an_untrained_network_has_a_banner():
    app = opened_with_test_set(network="mobilenet_v1")
    assert "Weights not included" in text_of(app)
    assert "Not run: MobileNet v1, weights not included" in text_of(app)


def test_a_network_without_a_layer_for_maps_moves_its_frame_all_the_same():
    app = opened(tab="Crop", network="ensemble")
    assert "The maps cannot be compared" in text_of(app)
    assert "crops have the same prediction" in text_of(app)


def test_a_slow_network_runs_only_after_a_click(monkeypatch):
    monkeypatch.setattr("workbench.ui.slow_requests.pace", lambda network: 1.0)
    app = opened()
    assert "about 15 s" in text_of(app)
    assert "Prediction: happy" not in text_of(app)
    next(button for button in app.button if button.label == "Classify all steps").click().run()
    assert "Prediction: happy" in text_of(app)
    app.selectbox(key="sample").set_value("grace_hopper").run()
    assert "Prediction:" not in text_of(app), "another face is another question"


def test_where_nothing_hidden_changes_the_prediction_the_page_says_so():
    app = opened(tab="Occlusion")
    assert "No single region matters much" in text_of(app)
    app.segmented_control(key="score").set_value("logit").run()
    assert "Red: the logit of happy drops" in text_of(app)
    app = opened(tab="Occlusion", sample="grace_hopper")
    assert "Red: the probability of neutral drops" in text_of(app)
    app.segmented_control(key="patch").set_value("a half").run()
    assert "24 × 24 pixels" in text_of(app)


def test_the_frame_of_an_upload_moves_on_the_whole_image():
    app = opened(tab="Crop")
    buffer = io.BytesIO()
    faces.sample_picture("grace_hopper").save(buffer, "PNG")
    app.segmented_control(key="source").set_value("Upload").run()
    app.file_uploader[0].upload("one.png", buffer.getvalue()).run()
    assert not app.exception
    app.slider(key="size").set_value(200).run()
    app.slider(key="turn").set_value(0).run()
    picture = faces.sample_picture("grace_hopper")
    box = faces.load_sample("grace_hopper").box
    move = services.framing.Move(right=app.slider(key="right").value / 100, size=2)
    expected = services.framing.framed(picture, box, "residual_cnn", move=move).prediction
    assert f"**Moved crop: {expected.predicted}" in text_of(app)


def test_an_image_that_is_cropped_by_hand_at_its_corner_moves_without_an_error():
    app = opened(tab="Crop")
    buffer = io.BytesIO()
    Image.new("RGB", (300, 200), "gray").save(buffer, "PNG")
    app.segmented_control(key="source").set_value("Upload").run()
    app.file_uploader[0].upload("one.png", buffer.getvalue()).run()
    next(button for button in app.button if button.label == "Crop by hand").click().run()
    for label, value in (("Size", 5), ("Center, from the left", 0), ("Center, from the top", 0)):
        next(slider for slider in app.slider if slider.label == label).set_value(value).run()
    app.slider(key="right").set_value(-40).run()
    assert not app.exception
    assert "The crop lies outside of the image" in text_of(app)
    app.slider(key="right").set_value(0).run()
    assert not app.exception
    assert "of 24 crops have the same prediction" in text_of(app)
    assert "Empty: outside of the image." in text_of(app)


def test_a_checkpoint_with_a_name_of_its_own_has_its_page(tmp_path, monkeypatch):
    shutil.copytree(
        checkpoints.checkpoint_folder("vanilla_cnn"), tmp_path / "mine", ignore=shutil.ignore_patterns(FILE)
    )
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    app = opened_with_test_set(network="mine")
    assert "ferscope robustness mine" in "".join(code.value for code in app.main.code)


def test_smallest_adversarial_change_has_its_strength_and_both_predictions():
    app, face = opened(tab="Adversarial"), faces.load_sample("astronaut")
    found = services.adversarial.adversarial(face, "residual_cnn", "pgd")
    assert found.change.level is not None
    assert f"{found.change.level:g} of 255 gray levels per pixel turns happy into" in text_of(app)
    app.segmented_control(key="attack").set_value("FGSM, one step").run()
    assert not app.exception
    one_step = services.adversarial.adversarial(face, "residual_cnn", "fgsm")
    assert adversarial.sentence(one_step) in text_of(app)
