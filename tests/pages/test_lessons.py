"""The page Lessons: the result is shown after a prediction, or by a link, and not before."""

import re

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import ButtonGroup, NumberInput

from workbench import services
from workbench.navigation import FOLDER
from workbench.ui.lessons import LESSONS, following
from workbench.ui.lessons.commitment import Choice, Field, Number
from workbench.ui.lessons.progress import Progress

APP = FOLDER.parent / "workbench" / "app.py"
every_lesson = pytest.mark.parametrize("lesson", [*LESSONS])


def opened(**link: str) -> AppTest:
    """The page by a link."""
    app = AppTest.from_file(str(APP), default_timeout=300)
    app.run()
    for name, value in link.items():
        app.query_params[name] = value
    app.switch_page("../pages/lessons.py").run()
    assert sound(app)
    return app


def sound(app: AppTest) -> bool:
    return not app.exception and not app.error


def text_of(app: AppTest) -> str:
    """All words of the main area."""
    main = app.main
    elements = [*main.markdown, *main.title, *main.header, *main.caption, *main.info, *main.warning, *main.latex]
    return "\n".join(element.value for element in elements)


def step_of(app: AppTest) -> str:
    return app.segmented_control(key="step").value


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.main.button if button.label == label).click().run()
    assert sound(app)
    return app


def asked(app: AppTest, lesson: str):
    """The widget of the prediction; its label is the question."""
    return next(w for w in [*app.radio, *app.number_input, *app.button_group] if w.key == f"guess-{lesson}")


def commit(app: AppTest, lesson: str, second: bool = False) -> AppTest:
    """Say something that suits every network: one of the first options, fields or numbers."""
    widget = asked(app, lesson)
    at = 1 if second else 0
    if isinstance(widget, NumberInput):
        widget.set_value(widget.min + (at + 1) * widget.step)
    else:
        widget.set_value(at if isinstance(widget, ButtonGroup) else ("none", "some")[at])
    return press(app, "Submit the change" if second else "Submit and reveal")


@pytest.fixture(scope="module")
def app() -> AppTest:
    return opened()


def at(app: AppTest, lesson: str, step: str = "try") -> AppTest:
    """One lesson and step in a visit that goes on."""
    app.session_state["commitments"] = {}
    app.session_state["opened"] = set()
    app.selectbox(key="lesson").set_value(lesson).run()
    if step_of(app) != step:
        app.segmented_control(key="step").set_value(step).run()
    assert sound(app)
    return app


@every_lesson
def test_a_lesson_shows_the_result_after_the_prediction_and_leads_to_the_next_one(app, lesson):
    at(app, lesson)
    assert LESSONS[lesson].question in text_of(app)
    before = text_of(app)
    press(app, "Predict")
    before += text_of(app).replace(asked(app, lesson).label, "")  # the question may hold numbers of its own
    assert app.segmented_control(key="step").options == ["try", "predict"]
    assert "**Result:**" not in before

    commit(app, lesson)
    assert step_of(app) == "reveal"
    answer = re.search(r"\*\*Result:\*\* (.+?)\. ", text_of(app))[1]
    assert "You predicted:" in text_of(app)
    assert f" {answer}" not in before, "the answer stood on the page before"

    press(app, "Why")
    assert app.main.latex
    assert "| symbol |" in text_of(app)
    press(app, "Take away")
    assert app.main.header[0].value.endswith(".")
    if after := following(LESSONS[lesson]):
        press(app, f"Next lesson: {after.title}")
        assert step_of(app) == "try"
        assert after.question in text_of(app)
    else:
        press(app, "All lessons")


@pytest.mark.parametrize(
    ("lesson", "network"),
    [
        *((lesson, "multibranch_dsc_cbam") for lesson in LESSONS),
        ("separable", "mobilenet_v2"),
        ("frequency", "ensemble"),
    ],
)
def test_a_lesson_takes_a_network_that_suits_and_says_so(app, lesson, network):
    app.selectbox(key="network").set_value(network)
    at(app, lesson)
    taken, text = LESSONS[lesson].network(network), text_of(app)
    assert ("This lesson needs" in text) == (taken != network)
    if taken != network:
        assert services.networks.get_spec(taken).title in text
    assert ("Weights not included.**" in text) == (not services.networks.open_network(taken).trained)
    press(app, "Predict")
    commit(app, lesson)
    app.selectbox(key="network").set_value("residual_cnn").run()
    assert sound(app)


def test_a_prediction_that_is_changed_is_shown_as_changed(app):
    at(app, "imbalance", "predict")
    commit(app, "imbalance")
    assert "Changed" not in text_of(app)
    app.segmented_control(key="step").set_value("predict").run()
    assert "The result has been shown" in text_of(app)
    app.toggle(key="change").set_value(True).run()
    commit(app, "imbalance", second=True)
    assert "**You predicted:** 2" in text_of(app)
    assert "Changed once after the reveal; first prediction: 1" in text_of(app)


def test_an_empty_form_commits_nothing(app):
    at(app, "leakage", "predict")
    press(app, "Submit and reveal")
    assert step_of(app) == "predict"
    assert "Result:" not in text_of(app)


def test_another_face_asks_for_another_prediction(app):
    app.selectbox(key="sample").set_value("astronaut").run()
    at(app, "convolution", "predict")
    commit(app, "convolution")
    app.selectbox(key="sample").set_value("drawn_sad").run()
    assert sound(app)
    assert step_of(app) == "predict"
    assert "Result:" not in text_of(app)
    app.selectbox(key="sample").set_value("astronaut").run()
    assert app.segmented_control(key="step").options[-1] == "take-away"


def test_a_lesson_that_no_face_changes_keeps_its_prediction(app):
    at(app, "leakage", "predict")
    commit(app, "leakage")
    app.selectbox(key="sample").set_value("drawn_angry").run()
    assert step_of(app) == "reveal"
    app.selectbox(key="sample").set_value("astronaut").run()


@pytest.mark.parametrize(("lesson", "step"), [("frequency", "reveal"), ("leakage", "why")])
def test_a_teachers_link_opens_any_step(lesson, step):
    app = opened(lesson=lesson, step=step)
    assert LESSONS[lesson].question in text_of(app)
    assert step_of(app) == step
    if step == "reveal":
        assert "No prediction was made" in text_of(app)
    app.selectbox(key="lesson").set_value("svd").run()
    assert app.segmented_control(key="step").options == ["try", "predict"], "the link opened one lesson, not all"


@every_lesson
def test_the_control_of_a_lesson_moves_to_its_ends(app, lesson):
    at(app, lesson)
    for slider in app.main.slider:
        for end in (slider.min, slider.max):
            app.slider(key=slider.key).set_value(end).run()
            assert sound(app)
    for group in app.main.button_group:
        if group.key not in ("step", "source"):  # the source of the face is in the toolbar
            for i in (0, -1):
                options = range(1, 10) if "1" in group.options else group.options
                app.segmented_control(key=group.key).set_value(options[i]).run()
                assert sound(app)


def test_a_slider_at_its_end_survives_a_network_with_fewer_channels(app):
    app.selectbox(key="network").set_value("resnet18").run()
    at(app, "convolution")
    app.slider(key="kernel").set_value(app.slider(key="kernel").max).run()
    app.selectbox(key="network").set_value("residual_cnn").run()
    assert sound(app)
    assert app.slider(key="kernel").value <= app.slider(key="kernel").max


def test_a_number_is_judged_by_its_distance():
    number = Number("?", 0, 100, 1, 40.0, unit=" %", near=5)
    assert number.verdict(40) == "Correct."
    assert number.verdict(43) == "Close: 3 percentage points too high."
    assert number.verdict(20) == "20 percentage points too low."
    nothing = Number("?", 0, 1, 0.1, None, none="nowhere")
    assert nothing.words(None) == "nowhere"
    assert nothing.verdict(1) == "No number is correct."


def test_a_field_is_judged_by_its_rank():
    import torch

    shares = torch.tensor([0.1, 0.5, 0.4, 0, 0, 0, 0, 0, 0])
    field = Field.strongest("?", shares, "blank")
    assert field.words(field.answer) == "field 2"
    assert field.verdict(2) == "Your field is ranked 2 of 9."
    blank = Field.strongest("?", torch.zeros(9), "blank")
    assert blank.words(blank.answer) == "blank"
    assert blank.verdict(0) == "No field is correct."


def test_a_choice_is_right_or_not():
    choice = Choice("?", {"a": "this", "b": "that"}, "b")
    assert choice.words("b") == "that"
    assert choice.verdict("b") == "Correct."
    assert choice.verdict("a") == "Not correct."


def test_the_page_opens_with_an_overview_that_shows_the_progress():
    app = opened()
    buttons = {button.key for button in app.main.button}
    assert {f"open-{key}" for key in LESSONS} <= buttons
    assert "step" not in {group.key for group in app.button_group}
    assert text_of(app).count("not started") == len(LESSONS)
    app.button(key="open-leakage").click().run()
    assert app.query_params["lesson"] in ("leakage", ["leakage"])
    press(app, "Predict")
    commit(app, "leakage")
    app.segmented_control(key="step").set_value("take-away").run()
    press(app, "All lessons")
    assert text_of(app).count("not started") == len(LESSONS) - 1
    assert "finished, predicted: " in text_of(app)
    assert app.button(key="open-leakage").label == "Again"
    assert "1 of 13 lessons finished" in app.main.get("progress")[0].proto.text


def test_a_lesson_without_a_face_opens_without_one_and_others_say_what_is_missing():
    app = opened(lesson="leakage")
    app.segmented_control(key="source").set_value("Upload").run()
    assert step_of(app) == "try"
    app.selectbox(key="lesson").set_value("convolution").run()
    assert sound(app)
    assert "No image yet" in app.info[0].value


def test_progress_is_put_in_words():
    assert Progress(False, None).words == "not started"
    assert Progress(False, "").words == "result seen"
    assert Progress(True, "Close: 3 too high.").words == "finished, predicted: close: 3 too high"
    assert Progress(True, "Correct.").correct
    assert not Progress(True, "Not correct.").correct


def test_the_lesson_on_transfer_learning_opens_its_training_in_the_form():
    app = opened(lesson="transfer", step="reveal")
    assert "not run" in text_of(app) or "On FER2013's PrivateTest" in text_of(app)
    app.segmented_control(key="variant").set_value("scratch").run()
    app.button(key="train-variant").click().run()
    assert not app.exception
    assert app.title[0].value == "Train"
    held = {key: app.selectbox(key=f"train-{key}").value for key in ("model", "recipe", "start_from", "set")}
    assert held == {"model": "efficientnet_lite0", "recipe": "scratch", "start_from": "Random", "set": "drawn faces"}
