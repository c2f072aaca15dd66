"""What differs when a class looks on: the teacher's token, the notice, samples only."""

import io

import pytest
from streamlit.testing.v1 import AppTest

from workbench import access, faces
from workbench.navigation import FOLDER

APP = str(FOLDER.parent / "workbench" / "app.py")


@pytest.fixture
def in_class(monkeypatch):
    monkeypatch.setenv(access.LAN, "1")
    monkeypatch.setenv(access.TOKEN, "abcd-efgh-jkmn")
    monkeypatch.setattr("workbench.ui.classroom.time.sleep", lambda _seconds: None)


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


def test_in_a_class_the_notice_comes_before_a_picture_of_ones_own(in_class):
    app = AppTest.from_file(APP, default_timeout=300).run()
    app.segmented_control(key="source").set_value("Upload").run()
    assert not app.file_uploader
    assert "Article 5(1)(f)" in "".join(m.value for m in app.sidebar.markdown)
    app.checkbox(key="accepted").check().run()
    app.file_uploader[0].upload("me.png", png()).run()
    assert not app.exception
    assert not app.error


def test_samples_only_leaves_no_way_to_a_picture_of_ones_own(monkeypatch):
    monkeypatch.setenv(access.SAMPLES_ONLY, "1")
    app = AppTest.from_file(APP, default_timeout=300).run()
    assert not app.exception
    assert not app.file_uploader
    assert not any(group.key == "source" for group in app.sidebar.button_group)


def test_a_token_is_three_groups_that_nobody_guesses():
    tokens = {access.new_token() for _ in range(200)}
    assert len(tokens) == 200
    assert all(len(token) == 14 and token.count("-") == 2 for token in tokens)
    assert not any(letter in token for token in tokens for letter in "il1o0")


def test_without_a_token_given_out_no_text_is_one(monkeypatch):
    monkeypatch.delenv(access.TOKEN, raising=False)
    assert not access.is_token("")
    assert not access.is_token("abcd-efgh-jkmn")


def test_this_computers_addresses_leave_out_the_loopback_one():
    assert all(not address.startswith("127.") for address in access.addresses())
