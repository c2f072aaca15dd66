"""The public demo in a real Chromium with a fake camera: what a visitor with a phone does."""

import io
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from PIL import Image

from workbench import faces
from workbench.cli import ROOT

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking"]
FLAGS += ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]


def chromium() -> str | None:
    from shutil import which

    return next(filter(None, map(which, CHROMIUM_NAMES)), None)


pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("demo-browser"),
    pytest.mark.skipif(
        chromium() is None, reason="no Chromium in PATH: install chromium (Debian: apt install chromium)"
    ),
]


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
def url():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "workbench.gradio_app", f"--port={port}"]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}/"
    try:
        for _ in range(480):
            assert server.poll() is None, server.stdout.read().decode()
            try:
                urllib.request.urlopen(address, timeout=2)
                break
            except OSError:
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="module")
def browser(camera):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        film = f"--use-file-for-fake-video-capture={camera}"
        found = playwright.chromium.launch(executable_path=chromium(), args=[*FLAGS, film])
        yield found
        found.close()


@pytest.fixture(params=["wide", "phone in the dark"])
def page(request, url, browser):
    """The demo in a tab; afterwards: no request left this computer, and the console holds no error."""
    phone = request.param != "wide"
    outside, errors = [], []
    size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 720}
    tab = browser.new_page(viewport=size, color_scheme="dark" if phone else "light", permissions=["camera"])
    tab.set_default_timeout(60_000)
    tab.on("request", lambda r: None if r.url.startswith((url, "data:", "blob:")) else outside.append(r.url))
    tab.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    tab.goto(url)
    tab.get_by_text("The network answers").first.wait_for()
    yield tab
    width = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    tab.context.close()
    assert width <= 0, "the page is wider than the screen"
    assert outside == []
    assert errors == []


def accept(tab) -> None:
    tab.get_by_text("To use your own face").click()
    tab.get_by_label("I have read this").check()


def test_a_visitor_clicks_a_sample_accepts_uploads_changes_the_class_compares_and_opens_the_camera(page):
    said = page.get_by_text("The network answers").first
    before = page.locator(".bars").first.inner_text()
    page.get_by_role("button", name="sad").or_(page.get_by_label("Thumbnail 8")).first.click()
    page.wait_for_function("before => document.querySelector('.bars').innerText !== before", arg=before)
    assert page.get_by_text("Your own picture").count() == 0 or not page.get_by_text("Your own picture").is_visible()
    accept(page)
    page.get_by_text("Your own picture").wait_for()
    buffer = io.BytesIO()
    faces.sample_picture("grace_hopper").save(buffer, "JPEG")
    before = page.locator(".bar").first.locator("xpath=..").inner_text()
    page.locator('input[type="file"]').first.set_input_files(
        {"name": "../../me.jpg", "mimeType": "image/jpeg", "buffer": buffer.getvalue()}
    )
    page.wait_for_function("before => document.querySelector('.bars').innerText !== before", arg=before)

    page.get_by_label("Map for the class").first.click()
    page.get_by_role("option", name="sad").click()
    page.get_by_text("speaks for sad").or_(page.get_by_text("The map for sad is blank")).first.wait_for()
    assert said.is_visible()

    page.get_by_role("tab", name="Compare").click()
    page.get_by_role("button", name="Compare them").click()
    page.get_by_text("agree does not make them right").wait_for()

    page.get_by_role("tab", name="Live camera").click()
    page.get_by_text("Access Webcam").last.click()
    page.get_by_role("button", name="capture photo").click()
    page.get_by_text("Answered in").wait_for()
