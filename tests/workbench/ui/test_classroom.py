"""What differs when a class looks on: the teacher's token, the notice, samples only."""

import io
import re

import pytest
from streamlit.testing.v1 import AppTest

from workbench import faces
from workbench.navigation import FOLDER
from workbench.server import access
from workbench.server.attempts import Attempts
from workbench.ui import classroom

APP = str(FOLDER.parent / "workbench" / "app.py")


@pytest.fixture
def in_class(monkeypatch):
    monkeypatch.setenv(access.LAN, "1")
    monkeypatch.setenv(access.TOKEN, "abcd-efgh-jkmn")
    monkeypatch.setattr("workbench.ui.classroom.time.sleep", lambda _seconds: None)
    monkeypatch.setattr(classroom, "_attempts", Attempts())
    monkeypatch.setattr(classroom, "_address", lambda: "192.168.1.5")


def share_page() -> AppTest:
    app = AppTest.from_file(APP, default_timeout=300)
    app.switch_page("../pages/share.py").run()
    assert not app.exception
    return app


def png() -> bytes:
    buffer = io.BytesIO()
    faces.sample_picture("astronaut").save(buffer, "PNG")
    return buffer.getvalue()


def test_on_ones_own_computer_nobody_asks_for_a_token():
    assert any(button.label == "Start the demo" for button in share_page().button)


def test_in_a_class_only_the_token_opens_what_shares(in_class):
    app = share_page()
    assert not any(button.label == "Start the demo" for button in app.button)
    app.text_input[-1].set_value("abcd-efgh-jkmx")
    app.button[-1].click().run()
    assert "not the token" in app.error[0].value
    assert not any(button.label == "Start the demo" for button in app.button)
    app.text_input[-1].set_value(" ABCD-efgh-jkmn ")
    app.button[-1].click().run()
    assert any(button.label == "Start the demo" for button in app.button)


def test_after_five_wrong_tokens_even_the_right_one_has_to_wait(in_class):
    app = share_page()
    for _ in range(5):
        app.text_input[-1].set_value("abcd-efgh-jkmx")
        app.button[-1].click().run()
        assert "not the token" in app.error[0].value
    app.text_input[-1].set_value("abcd-efgh-jkmn")
    app.button[-1].click().run()
    assert re.fullmatch(r"Too many wrong attempts: wait \d\d seconds, then try again\.", app.error[0].value)
    assert not any(button.label == "Start the demo" for button in app.button)


def test_wrong_tokens_of_one_address_do_not_lock_out_another(in_class):
    for _ in range(6):
        wait = classroom._attempts.begin("192.168.1.66")
    assert wait > 0
    app = share_page()
    app.text_input[-1].set_value("abcd-efgh-jkmn")
    app.button[-1].click().run()
    assert any(button.label == "Start the demo" for button in app.button)


def test_in_a_class_the_notice_comes_before_an_image_of_ones_own(in_class):
    app = AppTest.from_file(APP, default_timeout=300).run()
    app.segmented_control(key="source").set_value("Upload").run()
    assert not app.file_uploader
    assert "Article 5(1)(f)" in "".join(m.value for m in app.markdown)
    app.checkbox(key="accepted").check().run()
    app.file_uploader[0].upload("me.png", png()).run()
    assert not app.exception
    assert not app.error


def test_samples_only_leaves_no_way_to_an_image_of_ones_own(monkeypatch):
    monkeypatch.setenv(access.SAMPLES_ONLY, "1")
    app = AppTest.from_file(APP, default_timeout=300).run()
    assert not app.exception
    assert not app.file_uploader
    assert not any(group.key == "source" for group in app.button_group)


def test_a_token_is_three_groups_that_nobody_guesses():
    tokens = {access.new_token() for _ in range(200)}
    assert len(tokens) == 200
    assert all(len(token) == 14 and token.count("-") == 2 for token in tokens)
    assert not any(letter in token for token in tokens for letter in "il1o0")


def test_without_a_token_given_out_no_text_is_one(monkeypatch):
    monkeypatch.delenv(access.TOKEN, raising=False)
    assert not access.is_token("")
    assert not access.is_token("abcd-efgh-jkmn")


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("fer.example.org", True),
        ("FER.example.org.", True),
        ("a.github.dev", True),
        ("github.dev", False),
        ("evilgithub.dev", False),
        ("evil.org", False),
        ("", False),
    ],
)
def test_names_given_at_the_start_are_ours_and_no_others(name, ours, monkeypatch):
    monkeypatch.setenv(access.HOST_NAMES, "fer.example.org *.github.dev")
    assert access.is_host_name(name) is ours


def test_the_own_names_come_without_a_question_to_another_computer(monkeypatch):
    monkeypatch.setattr(access.socket, "gethostname", lambda: "Teacher-PC.school.org")
    monkeypatch.setattr(access.socket, "getaddrinfo", None)
    assert access.own_names() == ["teacher-pc", "teacher-pc.local", "teacher-pc.school.org"]


def test_this_computers_addresses_leave_out_the_loopback_one():
    assert all(not address.startswith("127.") for address in access.addresses())
