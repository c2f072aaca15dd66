"""The web demo in a real Chromium: the same numbers as PyTorch, the camera, offline use, errors."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest
from helpers.accessibility import severe_findings
from helpers.browser import CHROMIUM, FLAGS, free_port, needs_chromium, served
from web_demo import difference

from workbench import faces
from workbench.services import web_demo
from workbench.services.web_demo import storage

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("web-demo-browser"), needs_chromium]

NETWORKS = ("residual_cnn", "multibranch_dsc_cbam")
CAMERA = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]


CONTROLLED = """() => new Promise((done) => {
    const { serviceWorker } = navigator;
    serviceWorker.controller ? done() : serviceWorker.addEventListener("controllerchange", () => done());
})"""
STORED = "caches.keys().then(([name]) => caches.open(name)).then((c) => c.keys()).then((all) => all.map((r) => r.url))"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("web") / "demo"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "FER2013", Path("missing"))
        demo = web_demo.write(folder, NETWORKS)
    assert demo.bytes - demo.sizes[f"networks/{NETWORKS[1]}.onnx"] < 15e6, "with one network"
    address = f"http://localhost:{(port := free_port())}/"
    command = [sys.executable, "-m", "workbench.server.static", str(folder), f"--port={port}"]
    with served(command, address, folder.parent / "log.txt"):
        yield address


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    from playwright.sync_api import sync_playwright

    film = tmp_path_factory.mktemp("camera") / "face.mjpeg"
    faces.sample_picture("astronaut").crop((100, 0, 350, 190)).resize((320, 240)).save(film, "JPEG")
    with sync_playwright() as playwright:
        flags = [*FLAGS, *CAMERA, f"--use-file-for-fake-video-capture={film}"]
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield found
        found.close()


@pytest.fixture
def page(url, browser):
    """The demo on a phone; afterwards: no request left its folder, and the console holds no error."""
    outside, errors = [], []
    tab = browser.new_page(viewport={"width": 390, "height": 844}, permissions=["camera"])
    tab.on("request", lambda r: None if r.url.startswith((url, "blob:")) else outside.append(r.url))
    tab.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    tab.goto(url)
    tab.get_by_text("Prediction:").first.wait_for()
    yield tab
    width = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    tab.context.close()
    assert outside == []
    assert errors == []
    assert width <= 0, "the page is wider than the screen"


def test_cropped_faces_have_the_predictions_and_maps_of_pytorch(page):
    for network in NETWORKS:
        for sample in faces.samples():
            picture = faces.load_sample(sample.name).picture
            found = difference(page, picture, network, cropped=True)
            assert found.same, (network, sample.name)
            assert found.probability < 0.01, (network, sample.name)
            assert found.map < 1e-3, (network, sample.name)


def test_faces_of_photographs_are_detected_and_framed_as_in_the_workbench(page):
    for name in ("astronaut", "grace_hopper"):
        found = difference(page, faces.sample_picture(name), NETWORKS[0], cropped=False)
        assert found.same, name
        assert found.probability < 0.01, name
        assert found.map < 1e-3, name


def test_a_visitor_uses_every_tab_a_photo_and_the_camera(page):
    page.get_by_role("tab", name="Explain").focus()
    assert severe_findings(page) == []
    for tab, text in (
        ("Frequency", "High frequencies: edges"),
        ("SVD", "Rank-8 approximation: the sum"),
        ("Attention", "has no spatial attention."),
        ("Compare", "Spearman correlation"),
        ("About", "Any decision about a person."),
    ):
        page.keyboard.press("ArrowRight")
        page.get_by_text(text).first.wait_for()
        assert page.get_by_role("tab", name=tab).evaluate("tab => tab === document.activeElement")
        assert severe_findings(page) == []
    page.get_by_role("tab", name="SVD").click()
    page.get_by_label("Rank k").fill("3")
    page.get_by_text("Rank-3 approximation").wait_for()
    page.get_by_role("tab", name="Explain").click()
    page.get_by_label("Map for the class").select_option("sad")
    page.get_by_text("evidence for sad").or_(page.get_by_text("no region supports sad")).first.wait_for()

    assert not page.get_by_text("Choose a photo").is_visible()
    page.get_by_text("Use your own image: consent notice").click()
    page.get_by_label("I have read this").check()
    page.set_input_files('input[type="file"]', {"name": "x.jpg", "mimeType": "image/jpeg", "buffer": b"\xff\xd8\xffno"})
    page.get_by_text("This file is no image that this browser can read.").wait_for()
    buffer = io.BytesIO()
    faces.sample_picture("grace_hopper").save(buffer, "JPEG")
    page.set_input_files('input[type="file"]', {"name": "x.jpg", "mimeType": "image/jpeg", "buffer": buffer.getvalue()})
    page.get_by_label("Your image with a box around one face").wait_for()
    assert not page.get_by_text("This file is no image").is_visible()

    page.get_by_role("button", name="Start the camera").click()
    page.get_by_text(re.compile(r"^([2-9]|\d\d+) frames a second")).wait_for()
    assert not page.get_by_text("No face is found").is_visible()
    page.get_by_role("button", name="Stop the camera").click()
    page.get_by_text("The camera is off.").wait_for()


def test_after_the_first_visit_it_works_without_a_connection(page, url):
    page.evaluate(CONTROLLED)
    page.context.set_offline(True)
    page.goto(url)
    page.get_by_text("Prediction:").first.wait_for()
    stored = page.evaluate(
        "(async () => (await (await caches.open((await caches.keys())[0])).keys()).map(r => r.url))()"
    )
    assert stored
    assert all(address.startswith(url) for address in stored)


def test_a_browser_without_webassembly_is_told_so(url, browser):
    tab = browser.new_page()
    tab.add_init_script("delete globalThis.WebAssembly")
    tab.goto(url)
    tab.get_by_text("This browser has no WebAssembly").wait_for()
    tab.context.close()
