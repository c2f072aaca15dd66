"""Debug challenge as Streamlit runs it."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from workbench import services
from workbench.navigation import FOLDER
from workbench.services.debug_challenge import FAULTS
from workbench.ui import debug_checks

APP = FOLDER.parent / "workbench" / "app.py"


def opened(**link: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=300)
    for key, value in link.items():
        app.query_params[key] = value
    app.run()
    app.switch_page("../pages/debug_challenge.py")
    return checked(app.run())


def checked(app: AppTest) -> AppTest:
    assert not app.exception
    assert not app.error
    return app


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click()
    return checked(app.run())


def words(app: AppTest) -> str:
    return "\n".join(m.value for m in [*app.main.markdown, *app.main.info, *app.main.warning])


def banner(app: AppTest) -> str:
    return "".join(html.proto.body for html in app.main.get("html"))


def kept(app: AppTest) -> str:
    return "\n".join(item.text for item in app.session_state["screen"].items)


def test_the_banner_stands_and_is_kept_while_the_switch_is_on_and_goes_with_it():
    app = opened()
    assert "Faulty on purpose (challenge 1)" in banner(app)
    assert "Faulty on purpose (challenge 1)" in kept(app)
    stamps = [
        a.text for item in app.session_state["screen"].items if item.figure for a in item.figure.layout.annotations
    ]
    assert stamps.count("faulty on purpose") >= 3
    app.toggle(key="broken").set_value(False)
    checked(app.run())
    assert "Faulty on purpose" not in banner(app)
    assert "Faulty on purpose" not in kept(app)
    assert "Prediction of the reference network: happy" in words(app)


def test_each_puzzle_is_diagnosed_and_then_explained():
    app = opened()
    for number in range(1, 6):
        fault = services.debug_challenge.fault_of(number)
        assert app.number_input(key="puzzle").value == number
        assert app.segmented_control(key="diagnosis").value is None
        assert fault.wrong not in words(app)
        app.segmented_control(key="diagnosis").set_value(fault.title)
        press(checked(app.run()), "commit")
        assert f"Correct. The fault: {fault.title.lower()}" in words(app)
        assert fault.sign in words(app)
        press(app, "next")
        assert "The fault:" not in words(app)


def test_a_wrong_diagnosis_is_reported():
    app = opened(puzzle="1")
    wrong = next(fault.title for fault in FAULTS.values() if fault != services.debug_challenge.fault_of(1))
    app.segmented_control(key="diagnosis").set_value(wrong)
    checked(app.run())
    press(app, "commit")
    assert f"Not correct: you chose {wrong.lower()}" in words(app)


def test_every_test_runs_on_the_faulty_and_on_the_reference_network():
    app = opened(beside="true")
    for test in debug_checks.CHECKS:
        app.segmented_control(key="test").set_value(test)
        checked(app.run())
    app.toggle(key="broken").set_value(False)
    for test in debug_checks.CHECKS:
        app.segmented_control(key="test").set_value(test)
        checked(app.run())


def test_one_fault_can_be_shown_by_its_name():
    app = opened(fault="Wrong normalisation", test="Numbers")
    assert "to 255" in words(app) or "to 25" in words(app)


def test_random_weights_are_not_broken_further():
    app = opened(network="mobilenet_v1")
    assert "With random weights no fault can be diagnosed" in words(app)
    next(b for b in app.main.button if b.label.startswith("Show")).click()
    checked(app.run())
    assert "Prediction of the faulty network" in words(app)


@pytest.mark.parametrize("puzzle", ["inf", "nan", "", "1e400"])
def test_a_number_that_is_none_opens_the_first_puzzle(puzzle):
    app = opened(puzzle=puzzle)
    assert app.number_input[0].value == 1
