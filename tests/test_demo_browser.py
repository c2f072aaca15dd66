"""The public demo in a real Chromium with a fake camera: what a visitor with a phone does."""

import io
import sys

import pytest
from helpers.accessibility import severe_findings
from helpers.browser import CHROMIUM, FLAGS, free_port, needs_chromium, served
from PIL import Image

from workbench import faces

FAKE_CAMERA = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]

# Gradio's own: the header of a message is a button, and the button that closes it is inside.
KNOWN = {"nested-interactive": ".toast-header"}

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
    scheme = "dark" if phone else "light"
    tab = browser.new_page(viewport=size, color_scheme=scheme, reduced_motion="reduce", permissions=["camera"])
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
    """Accept the consent notice, which then folds away."""
    tab.get_by_role("button", name="Use your own image: consent notice").click()
    tab.get_by_label("I have read this").check()
    tab.get_by_role("button", name="Your own image: consent given").wait_for()
    tab.get_by_label("I have read this").wait_for(state="hidden")


def bars(tab, instead_of: str = "") -> str:
    """Wait until the probabilities of the tab Explain are there, and others than before."""
    return tab.wait_for_function(
        "before => { const now = document.querySelector('.bars')?.innerText; return now !== before && now }",
        arg=instead_of,
    ).json_value()


def test_map_and_prediction_come_first_and_the_keyboard_uncovers_the_face(page):
    chart, said = page.locator(".map").bounding_box(), page.get_by_text("Prediction:").first.bounding_box()
    assert chart["y"] + chart["height"] <= page.viewport_size["height"]
    assert said["y"] + 40 <= page.viewport_size["height"]
    assert severe_findings(page, KNOWN) == []
    slider = page.get_by_label("Part of the face that the map covers")
    slider.press("Home")
    page.wait_for_function(  # one frame later: with reduced motion, every change of style takes 1 ms
        "getComputedStyle(document.querySelectorAll('.map img')[1]).clipPath === 'inset(0px 100% 0px 0px)'"
    )
    shown = page.locator(".map img, .whole img").evaluate_all("all => all.map(e => e.alt)")
    assert shown == [
        "The face as the network receives it",
        "Grad-CAM for happy over the face",
        "The image with a box around each face",
    ]
    assert page.get_by_role("button", name="Sample face: sad").is_visible()


def send(tab, data: bytes) -> None:
    """Upload a file as one's own image."""
    tab.locator('input[type="file"]').first.set_input_files(
        {"name": "../../me.jpg", "mimeType": "image/jpeg", "buffer": data}
    )


@pytest.mark.parametrize("page", ["phone in the dark"], indirect=True)
def test_an_error_clears_the_last_result_and_stays_until_it_is_closed(page):
    accept(page)
    send(page, b"not a picture")
    error = page.get_by_text("This is not a JPEG")
    error.wait_for()
    page.locator(".map").wait_for(state="detached")
    page.locator(".bars").wait_for(state="detached")
    page.get_by_text("No result. Choose a sample face").wait_for()
    page.clock.install()
    page.clock.fast_forward(60_000)
    assert error.is_visible()
    assert severe_findings(page, KNOWN) == []
    page.get_by_test_id("toast-close").click()
    error.wait_for(state="hidden")


def test_a_visitor_uses_a_sample_an_upload_another_class_compare_and_the_camera(page):
    of_a_sample = bars(page)
    page.get_by_role("button", name="Sample face: sad").click()
    of_the_sad_one = bars(page, instead_of=of_a_sample)
    assert not page.get_by_text("Your own image", exact=True).is_visible()
    accept(page)
    page.get_by_text("Your own image", exact=True).wait_for()
    buffer = io.BytesIO()
    faces.sample_picture("grace_hopper").save(buffer, "JPEG")
    send(page, buffer.getvalue())
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
