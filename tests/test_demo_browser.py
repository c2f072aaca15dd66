"""The public demo in a real Chromium with a fake camera: what a visitor with a phone does."""

import io
import sys

import pytest
from helpers.browser import CHROMIUM, FLAGS, free_port, needs_chromium, served
from PIL import Image

from workbench import faces

FAKE_CAMERA = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demo-browser"), needs_chromium]


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """A film for the fake camera: a face that moves from side to side."""
    picture = faces.sample_picture("astronaut").crop((100, 0, 350, 190)).resize((320, 240))
    film = tmp_path_factory.mktemp("camera") / "face.mjpeg"
    with film.open("wb") as file:
        for i in range(40):
            frame = picture.transform(picture.size, Image.Transform.AFFINE, (1, 0, abs(i - 20) - 10, 0, 1, 0))
            buffer = io.BytesIO()
            frame.save(buffer, "JPEG", quality=90)
            file.write(buffer.getvalue())
    return film


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    address = f"http://127.0.0.1:{(port := free_port())}/"
    command = [sys.executable, "-m", "workbench.gradio_app", f"--port={port}"]
    with served(command, address, tmp_path_factory.mktemp("demo") / "log.txt"):
        yield address


@pytest.fixture(scope="module")
def browser(camera):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        film = f"--use-file-for-fake-video-capture={camera}"
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *FAKE_CAMERA, film])
        yield found
        found.close()


@pytest.fixture(params=["wide", "phone in the dark"])
def page(request, url, browser):
    """The demo in a tab; afterwards: no request left this computer, and the console holds no error."""
    phone = request.param != "wide"
    outside, errors = [], []
    size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 720}
    tab = browser.new_page(viewport=size, color_scheme="dark" if phone else "light", permissions=["camera"])
    tab.set_default_timeout(300_000)
    tab.on("request", lambda r: None if r.url.startswith((url, "data:", "blob:")) else outside.append(r.url))
    tab.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    tab.goto(url)
    tab.get_by_text("Prediction:").first.wait_for()
    yield tab
    width = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    tab.context.close()
    assert width <= 0, "the page is wider than the screen"
    assert outside == []
    assert errors == []


def accept(tab) -> None:
    tab.get_by_text("Use your own image").click()
    tab.get_by_label("I have read this").check()


def bars(tab, instead_of: str = "") -> str:
    """Wait until the probabilities of the tab Explain are there, and others than before."""
    return tab.wait_for_function(
        "before => { const now = document.querySelector('.bars')?.innerText; return now !== before && now }",
        arg=instead_of,
    ).json_value()


def test_a_visitor_uses_a_sample_an_upload_another_class_compare_and_the_camera(page):
    of_a_sample = bars(page)
    page.get_by_role("button", name="sad").or_(page.get_by_label("Thumbnail 8")).first.click()
    of_the_sad_one = bars(page, instead_of=of_a_sample)
    assert not page.get_by_text("Your own image", exact=True).is_visible()
    accept(page)
    page.get_by_text("Your own image", exact=True).wait_for()
    buffer = io.BytesIO()
    faces.sample_picture("grace_hopper").save(buffer, "JPEG")
    page.locator('input[type="file"]').first.set_input_files(
        {"name": "../../me.jpg", "mimeType": "image/jpeg", "buffer": buffer.getvalue()}
    )
    bars(page, instead_of=of_the_sad_one)

    map_of_sad = page.get_by_text("evidence for sad").or_(page.get_by_text("The map for sad is blank")).first
    map_of_sad.wait_for(state="hidden")
    page.get_by_label("Map for the class").first.click()
    page.get_by_role("option", name="sad").click()
    map_of_sad.wait_for()
    assert page.get_by_text("Prediction:").first.is_visible()

    page.get_by_role("tab", name="Compare").click()
    page.get_by_role("button", name="Compare on the face").click()
    page.get_by_text("Agreement does not prove").wait_for()

    page.get_by_role("tab", name="Live camera").click()
    page.get_by_text("Access Webcam").last.click()
    page.get_by_role("button", name="capture photo").click()
    page.get_by_text("Computed in").wait_for()
