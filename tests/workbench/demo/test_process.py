"""The demo as a process of its own, as the page Share starts and ends it."""

import os
import sys
import time
import urllib.request

import psutil
import pytest
from PIL import Image

from models.files import write_json
from workbench.demo import own_process, process
from workbench.server.account import user

pytestmark = pytest.mark.xdist_group("sharing")


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield
    process.stop()


def ready(seconds: float = 240) -> process.Demo:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        demo = process.current()
        assert demo is not None, (own_process.folder() / "log.txt").read_text()
        if demo.ready:
            return demo
        time.sleep(0.5)
    raise AssertionError("the demo did not come up")


def test_a_demo_is_started_found_again_and_ended(monkeypatch):
    monkeypatch.setattr(process, "_PATIENCE", 600)
    assert process.current() is None
    begun = process.start(share=False, samples_only=True)
    assert not begun.ready
    demo = ready()
    assert (demo.pid, demo.link, demo.requested) == (begun.pid, None, False)
    assert b"FERScope" in urllib.request.urlopen(demo.local).read()
    assert process.start(share=False).pid == begun.pid, "two clicks start one demo"
    process.stop()
    assert process.current() is None
    assert not psutil.pid_exists(begun.pid) or psutil.Process(begun.pid).status() == psutil.STATUS_ZOMBIE
    process.stop()  # ending nothing is no error


def test_another_process_of_the_same_number_is_not_taken_for_the_demo():
    known = {"pid": os.getpid(), "requested": False, "started": time.time()}
    write_json(own_process.folder() / "process.json", known)
    assert process.current() is None
    process.stop()  # and does not end it: we are still here


def sleeper(*arguments: str) -> psutil.Popen:
    return psutil.Popen([sys.executable, "-c", "import time; time.sleep(600)", *arguments])


def test_a_clock_that_was_set_does_not_lose_the_demo(monkeypatch):
    demo = sleeper(process._status())
    try:
        monkeypatch.setattr(psutil.Process, "create_time", lambda one: 0.0)
        assert own_process.running({"pid": demo.pid}, process._status()).pid == demo.pid
    finally:
        demo.kill()
        demo.wait()


def test_a_demo_that_never_responds_is_ended(monkeypatch):
    silent = sleeper(process._status())
    known = {"pid": silent.pid, "requested": True, "started": time.time() - 1000}
    write_json(own_process.folder() / "process.json", known)
    assert process.current() is None
    assert silent.wait(10) != 0


def test_half_a_name_and_password_is_refused():
    with pytest.raises(process.SharingError, match="neither"):
        process.start(share=False, user="class")


@pytest.mark.skipif(os.name != "posix", reason="folders of others are told by their mode, which only POSIX has")
def test_a_folder_that_others_can_read_is_not_used(tmp_path):
    own_process.folder().chmod(0o755)
    with pytest.raises(process.SharingError, match="another user"):
        process.start(share=False)
    (tmp_path / f"ferscope-share-{user()}").chmod(0o700)


def test_an_address_becomes_a_qr_code_that_readers_can_read():
    import cv2
    import numpy as np

    picture = cv2.imdecode(np.frombuffer(process.qr_code("https://example.org/demo"), np.uint8), cv2.IMREAD_GRAYSCALE)
    text, *_ = cv2.QRCodeDetector().detectAndDecode(picture)
    assert text == "https://example.org/demo"
    assert Image.fromarray(picture).size[0] >= 200
