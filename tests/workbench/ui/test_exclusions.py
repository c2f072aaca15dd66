"""The buttons of an exclusion list, as a visitor clicks them."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from workbench.services.dataset import exclusions


def page() -> None:
    from workbench.ui.exclusions import put_on_list

    put_on_list(("a" * 16, "b" * 16), "looked at", "marked", "marked image")


def test_images_are_put_on_a_list_and_taken_off_again(tmp_path, monkeypatch):
    monkeypatch.setattr(exclusions, "folder", lambda: tmp_path)
    app = AppTest.from_function(page).run()
    assert [button.label for button in app.button] == ["Put 2 marked images on the list"]
    app.button[0].click().run()
    assert [success.value for success in app.success] == ["The list wrong-labels now has 2 images."]
    assert exclusions.names() == ("wrong-labels",)
    app.button[1].click().run()
    assert [success.value for success in app.success] == ["The list wrong-labels now has 0 images."]
    assert exclusions.names() == ()
    assert not app.exception
