"""The page Metrics: checkpoints, cells of the confusion matrix, pairs, and missing files."""

import shutil
from functools import partial

import pytest
from helpers import page_visits
from helpers.page_visits import text_of

from models import checkpoints as shelf
from models.datasets.exclusion import hash_of
from models.text import counted
from workbench import services
from workbench.services.dataset import exclusions, imported
from workbench.ui import confusion

opened = partial(page_visits.opened, "metrics.py")


@pytest.fixture
def no_set(tmp_path, monkeypatch):
    """No set is imported."""
    monkeypatch.setattr(imported, "FOLDER", tmp_path)


@pytest.fixture
def own_shelf(tmp_path, monkeypatch):
    """A folder of two checkpoints that a test may damage."""
    for name in ("residual_cnn", "resnet18"):
        shutil.copytree(shelf.ROOT / name, tmp_path / "shelf" / name)
    monkeypatch.setattr(shelf, "ROOT", tmp_path / "shelf")
    return tmp_path / "shelf"


def test_the_table_has_every_measure_of_every_chosen_checkpoint(no_set):
    app = opened()
    text = text_of(app)
    chosen = app.multiselect(key="checkpoints").value
    assert set(chosen) <= set(shelf.list_checkpoints())
    for name in chosen:
        accuracy = services.metrics.evaluation.scores(name).text(services.metrics.evaluation.MEASURES[0])
        assert f"{accuracy}" in text
    assert all(f"| {wanted.label} |" in text for wanted in services.metrics.evaluation.MEASURES)
    assert "For demographic groups see the tab Groups" in text


def test_part_and_leaked_images_are_taken_from_the_link(no_set):
    app = opened(part="PublicTest", images="without near-duplicates", checkpoints=["resnet18"])
    text = text_of(app)
    assert app.multiselect(key="checkpoints").value == ["resnet18"]
    assert (
        services.metrics.evaluation.scores("resnet18", "PublicTest", "without near-duplicates").text(
            services.metrics.evaluation.MEASURES[0]
        )
        in text
    )
    assert "| images | 3\N{NARROW NO-BREAK SPACE}124 |" in text
    assert "It was fitted on PublicTest itself" in text


def test_a_cell_can_be_named_without_a_mouse(no_set):
    app = opened(label="fear", predicted="sad")
    expected = services.metrics.confusion.cell("residual_cnn", "fear", "sad")
    text = text_of(app)
    assert f"Of 528 images labeled fear, {len(expected.images)} are predicted as sad" in text
    for kind, n in expected.counts.items():
        assert f"**{kind[0].upper()}{kind[1:]}: {counted(n, 'image')}**" in text
    assert "is not imported here" in text
    assert list(app.main.dataframe[0].value["id"]) == [picture.id for picture in expected.images]
    app.selectbox(key="predicted").set_value("fear").run()
    assert not app.exception
    assert "images labeled fear, " in text_of(app)


def test_a_click_chooses_the_cell(monkeypatch):
    points = [{"customdata": ["disgust", "angry"]}]
    state = {confusion._CHART: {"selection": {"points": points}}, "label": "sad", "predicted": "neutral"}
    monkeypatch.setattr(confusion.st, "session_state", state)
    confusion._clicked()
    assert (state["label"], state["predicted"]) == ("disgust", "angry")
    state[confusion._CHART]["selection"]["points"] = []
    confusion._clicked()
    assert (state["label"], state["predicted"]) == ("disgust", "angry")


def test_a_link_to_explain_names_set_face_and_a_network_of_the_list():
    assert confusion.link_to("fer2013", "PrivateTest-00-0", "resnet18").endswith(
        "face=PrivateTest-00-0&network=resnet18"
    )
    assert "network" not in confusion.link_to("fer2013", "PrivateTest-00-0", "resnet18-short-official-s1")


def test_a_pair_is_tested_and_a_network_beside_itself_is_not(no_set):
    one, other = "resnet18-short-official-s0", "resnet18_bam-short-official-s0"
    app = opened(first=one, second=other)
    p = services.metrics.paired_tests.pair(one, other).p_value
    assert f"p = {p:.3f}, not significant" in text_of(app)
    app.selectbox(key="second").set_value(one).run()
    assert not app.exception
    assert "cannot be compared with itself" in text_of(app)


def test_nothing_chosen_offers_the_trained_networks(no_set):
    app = opened()
    app.multiselect(key="checkpoints").set_value([]).run()
    assert not app.exception
    assert "Choose one" in app.main.info[0].value
    app.main.button[0].click().run()
    assert not app.exception
    assert len(app.multiselect(key="checkpoints").value) > 1
    assert "accuracy ↑" in text_of(app)


def test_what_is_missing_or_damaged_is_said_and_the_rest_is_shown(no_set, own_shelf):
    (own_shelf / "resnet18" / "predictions.npz").unlink()
    (own_shelf / "residual_cnn" / "history.csv").write_bytes(b"\xff\xfe")
    app = opened(tab="Curves")
    warnings = "\n".join(element.value for element in app.main.warning)
    assert "resnet18 has no stored predictions" in warnings
    assert "`ferscope evaluate resnet18`" in warnings
    assert "The history of residual_cnn cannot be read" in warnings
    accuracy = services.metrics.evaluation.scores("residual_cnn").text(services.metrics.evaluation.MEASURES[0])
    assert accuracy in text_of(opened())


def test_a_shelf_without_checkpoints_opens_with_a_sentence(no_set, tmp_path, monkeypatch):
    monkeypatch.setattr(shelf, "ROOT", tmp_path / "nothing")
    app = opened()
    assert "No checkpoint to show" in text_of(app)


def test_images_whose_label_the_annotators_contradict_are_put_on_an_exclusion_list(no_set):
    app = opened(label="fear", predicted="sad")
    name, kind = app.selectbox(key="detail").value, "annotators agree with the network"
    assert app.segmented_control(key="kind").value == "network wrong"
    assert not any(button.key == "confusion-put" for button in app.main.button)
    app.segmented_control(key="kind").set_value(kind).run()
    wanted = services.metrics.confusion.cell(name, "fear", "sad").of(kind)
    app.button(key="confusion-put").click().run()
    assert not app.exception
    found = exclusions.read("wrong-labels")
    assert set(found.hashes) == {hash_of(image.id) for image in wanted}
    assert found.reason == f"labeled fear, predicted as sad by {name}, where {kind}"
    app = opened(label="fear", predicted="fear")
    assert not any(button.key == "confusion-put" for button in app.main.button)


def test_a_table_of_groups_is_measured_and_small_groups_are_hidden(no_set):
    app = opened(tab="Groups", detail="residual_cnn")
    names = services.metrics.evaluation.stored_predictions("residual_cnn").names
    rows = [f"{name}.jpg,{('dim', 'bright')[i % 2] if i > 4 else 'odd'},{i}" for i, name in enumerate(names)]
    app.file_uploader(key="groups").upload("meta.csv", "\n".join(["path,light,number", *rows]).encode()).run()
    assert not app.exception
    assert app.selectbox(key="groups-images").value == "path"
    text = text_of(app)
    assert "Largest difference in accuracy" in text
    assert "1 group is hidden: fewer than 20 images each, 5 together." in text
    (table,) = [frame.value for frame in app.main.dataframe if "light" in frame.value]
    assert table["light"].tolist() == ["bright", "dim"]
    app.selectbox(key="groups-column").set_value("number").run()
    assert "different values" in text_of(app)
    app.file_uploader(key="groups").set_value(("bad.csv", b"nothing", "text/csv")).run()
    assert "The table needs a first line" in text_of(app)


def test_mean_maps_and_embedding_of_shipped_networks_are_drawn(no_set):
    app = opened(tab="Mean maps", checkpoints=["residual_cnn", "efficientnet_lite0_svd_hfc"])
    assert "Grad-CAM of the predicted class** over 3\N{NARROW NO-BREAK SPACE}589 images of PrivateTest" in text_of(app)
    assert "Red: Residual CNN has the stronger mean map" in text_of(app)
    app.selectbox(key="mean-class").set_value("disgust").run()
    assert not app.exception
    app = opened(tab="Embedding", detail="residual_cnn")
    assert "The star is the chosen face" in text_of(app)
    for color in ("prediction", "error", "annotator entropy"):
        app.segmented_control(key="color").set_value(color).run()
        assert not app.exception


def test_images_that_exactly_one_of_two_classifies_correctly_are_counted_by_label(no_set):
    found = services.metrics.paired_tests.disagreements("residual_cnn", "resnet18")
    pair = services.metrics.paired_tests.pair("residual_cnn", "resnet18")
    assert sum(one.first_right for one in found) == pair.first_only
    assert sum(not one.first_right for one in found) == pair.second_only
    app = opened(tab="Significance", first="residual_cnn", second="resnet18")
    fear = [one for one in found if one.label == "fear"]
    assert f"| fear | {sum(o.first_right for o in fear)} | {sum(not o.first_right for o in fear)} |" in text_of(app)
