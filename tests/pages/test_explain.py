"""Explain as Streamlit runs it: the prediction, the tabs below it, and *Predict first*."""

from __future__ import annotations

import pytest
import torch
from streamlit.testing.v1 import AppTest

from workbench import faces, services
from workbench.navigation import FOLDER
from workbench.services.explain import Explanation, map_by_method
from workbench.services.map_quiz import score
from workbench.ui import charts, map_details

APP = FOLDER.parent / "workbench" / "app.py"


def started(**link: str | list[str]) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=300)
    for key, value in link.items():
        app.query_params[key] = value
    return checked(app.run())


def checked(app: AppTest) -> AppTest:
    assert not app.exception
    assert not app.error
    return app


def words(app: AppTest) -> str:
    return "\n".join(m.value for m in [*app.main.markdown, *app.main.info, *app.main.warning])


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click()
    return checked(app.run())


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (
            "residual_cnn",
            {
                "Uncertainty": "30 forward passes",
                "Classes": "All share one scale, so a faint map is weak evidence",
                "Methods": "6 methods for happy",
                "Layers": "the map above uses `stage3`",
                "Faithfulness": "with random maps",
                "Attention maps": "no spatial attention",
            },
        ),
        (
            "resnet18_svd_hfc",
            {
                "Uncertainty": "no dropout, so repeated",
                "Layers": "uses `layer2`",
                "Attention maps": "Attention is not explanation",
            },
        ),
        ("mobilenet_v1", dict.fromkeys(map_details.SECTIONS, "Weights not included")),
    ],
)
def test_every_section_says_what_is_seen(network, said):
    app = started(network=network)
    for section, sentence in said.items():
        app.session_state["tab"] = section
        checked(app.run())
        assert sentence in words(app), section


def test_the_equation_of_several_heads_is_printed_once():
    app = started(network="hybrid_efficientnet_lite0")
    app.session_state["tab"] = "Attention maps"
    text = words(checked(app.run()))
    assert text.count("**Each head** (Vaswani") == 1
    assert "**Head " not in text


def test_a_network_that_enlarges_the_image_inside_says_so():
    side = services.networks.open_network("hybrid_efficientnet_lite0").model.side
    assert f"It resizes them to {side} × {side}" in words(started(network="hybrid_efficientnet_lite0"))
    assert "It resizes" not in words(started(network="residual_cnn"))


def test_a_section_and_a_method_are_opened_by_their_link():
    assert "LayerCAM for every class" in words(started(method="LayerCAM", tab="Classes"))


def test_a_slow_method_is_named_with_its_seconds_and_drawn_on_request(monkeypatch):
    asked = []
    real = map_by_method

    def counted(*question):
        asked.append(question[3])
        return real(*question)

    monkeypatch.setattr("workbench.ui.map_details.map_by_method", counted)
    app = started(tab="Methods")
    app.multiselect(key="methods-without-gradients").set_value(["Eigen-CAM"])
    app.multiselect(key="methods-pixels").set_value(["Integrated gradients"])
    checked(app.run())
    assert asked == []
    assert "Compute 2 maps (about" in app.button(key="draw").label
    press(app, "draw")
    assert asked == ["eigencam", "integrated_gradients"]
    assert "8 methods for happy" in words(app)
    assert "Red: evidence for the class" in words(app)
    checked(app.run())
    assert len(asked) == 2, "what was drawn is kept"
    assert "Compute 2 maps" not in [b.label for b in app.main.button]


def test_a_layer_is_chosen_from_the_tree_of_the_network():
    app = started(tab="Layers")
    box = app.selectbox(key="layer")
    assert box.value == "stage3"
    assert any(option.startswith("\N{EM SPACE}") and " × 6 × 6" in option for option in box.options)
    checked(box.set_value("stage1").run())
    assert "in layer `stage1`" in words(app)


def test_trust_is_measured_on_request_and_then_kept(monkeypatch):
    found, real = [], services.trust
    monkeypatch.setattr(services, "trust", lambda *question: found.append(real(*question)) or found[-1])
    app = started(tab="Faithfulness")
    assert found == []
    press(app, "measure")
    badge = found[0].badge
    assert f"passes {sum(badge.passed)} of 3 tests" in words(app)
    assert all(reason in words(app) for reason in badge.reasons)
    checked(app.run())
    assert len(found) == 1


def test_a_network_without_maps_still_shows_its_uncertainty():
    app = started(network="ensemble")
    assert "no layer of its own" in words(app)
    assert "Choose a member for maps: " in words(app)
    assert "Residual CNN" in words(app)
    assert "Prediction: " in words(app)


# ---- predict first


def guessed(**link: str | list[str]) -> AppTest:
    """The page after a guess with the class happy."""
    app = started(guess="true", **link)
    app.segmented_control(key="class-guess").set_value("happy")
    press(checked(app.run()), "reveal")
    return app


def test_map_and_prediction_stay_hidden_until_a_guess_is_scored():
    app = started(guess="true")
    assert "Which class will the network predict?" in words(app)
    assert "Prediction: " not in words(app)
    assert "class" not in [group.key for group in app.button_group], "its default would be the prediction"
    assert app.main.button(key="reveal").disabled, "nothing was picked yet"
    app.segmented_control(key="class-guess").set_value("sad")
    best = score(services.explain(faces.load_sample("astronaut")).map_of("happy"), range(4)).strongest
    app.multiselect(key="cells").set_value([services.map_quiz.cell_name(cell) for cell in best])
    press(checked(app.run()), "reveal")
    said = words(app)
    assert "You predicted sad:** wrong; by chance 14\N{NO-BREAK SPACE}% are right." in said
    assert "4 in common: intersection over union 1.00; random baseline 0.07" in said
    assert "Your score: 100\N{NO-BREAK SPACE}% of the best possible with 4 cells" in said
    assert "random cells 11\N{NO-BREAK SPACE}% on average" in said
    assert "Which regions annotators relied on is not known" in said


def test_a_guess_on_a_drawn_face_is_scored_against_what_was_drawn_too():
    app = guessed(sample="drawn_surprise", cells=["B2", "E2", "C6", "D6"])
    assert "Features drawn for surprise" in words(app)
    assert "4 in common: intersection over union 1.00;" in words(app)


def test_another_class_is_shown_without_a_guess_and_guess_again_begins_anew():
    app = guessed(cells=["A1"])
    app.segmented_control(key="class").set_value("sad")
    checked(app.run())
    assert "evidence for sad" in words(app)
    assert "Your score" not in words(app)
    app.segmented_control(key="class").set_value("happy")
    checked(app.run())
    press(app, "again")
    assert "Which class will the network predict?" in words(app)
    assert app.multiselect(key="cells").value == []


def test_a_guess_against_a_blank_map_has_no_score(monkeypatch):
    real = Explanation.map_of
    monkeypatch.setattr(Explanation, "map_of", lambda self, *a: 0 * real(self, *a))
    app = guessed(cells=["A1"])
    assert "is blank,** so no guess can agree with it" in words(app)


def test_the_cells_of_the_chart_have_the_names_and_positions_of_the_service():
    side = 48
    figure = charts.gridded(charts.face(torch.zeros(side, side), ""), side, services.map_quiz.GRID, picked=[7])
    points = figure.data[-1]
    assert list(points.customdata) == [services.map_quiz.cell_name(cell) for cell in range(services.map_quiz.GRID**2)]
    for cell, (x, y) in enumerate(zip(points.x, points.y, strict=True)):
        pixels = torch.zeros(side, side)
        pixels[int(y), int(x)] = 1
        assert score(pixels, [cell]).mass == 1
    frames = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert len(frames) == 1
    assert frames[0].x0 < points.x[7] < frames[0].x1
    assert frames[0].y0 < points.y[7] < frames[0].y1


def test_nearest_training_faces_have_label_and_votes_or_the_command_that_computes_them():
    assert "training images whose features are nearest" in words(started(tab="Training faces"))
    app = started(tab="Training faces", network="five_layer_cnn")
    assert any("ferscope refresh --only features" in info.value for info in app.info)
