"""Attacks on the public demo."""

from __future__ import annotations

import io
import os
import secrets
import shutil
import signal
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
from PIL import Image

from models.checkpoints import checkpoint_folders
from models.paths import CODE as ROOT
from workbench import services
from workbench.demo.page import OWN_IMAGE
from workbench.server.attempts import BURST, PER_SECOND

from .demo_client import API, META, Browser, close, connected, face_png, growth, join, unfinished_headers
from .instances import Attack, Instance


def network_by_path(instance: Instance) -> str:
    browser = Browser(instance)
    path = browser.upload(face_png())
    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(ROOT / "checkpoints" / services.networks.DEFAULT_NETWORK, Path(name) / "evil")
        shipped = (run for run in checkpoint_folders() if run not in services.networks.network_names())
        names = [f"{name}/evil", f"file://{name}/evil", "../checkpoints/vanilla_cnn", "./checkpoints/vanilla_cnn", "."]
        names += [str(ROOT / "checkpoints" / "vanilla_cnn"), *shipped, 7, None, "x" * 100_000]
        taken = []
        for network in names:
            with suppress(ValueError):
                browser.predicted(path, network)
                taken.append(str(network)[:40])
            time.sleep(0.1)
    return f"taken: {', '.join(taken)}" if taken else ""


def many_sessions(instance: Instance) -> str:
    """The same large picture in sixty sessions: of one browser, then of a new one for each."""
    browser, large, before = Browser(instance), face_png(1600), instance.memory()
    for i in range(60):
        if i >= 30:
            browser = Browser(instance)
            browser.client.get("")
        with suppress(httpx.HTTPError):
            path = browser.upload(large)
            data = [{"path": path, "meta": META}, True]
            join(browser.client, f"{OWN_IMAGE}.input", data, secrets.token_hex(6))
    time.sleep(5)
    return growth(instance, before, 300)


def unread_results(instance: Instance) -> str:
    """Sixty requests in one session, and in sixty, whose results nobody fetches."""
    browser, before = Browser(instance), instance.memory()
    browser.client.get("")
    data = [{"path": browser.upload(face_png()), "meta": META}, True]
    for session in ["greedy"] * 60 + [secrets.token_hex(6) for _ in range(60)]:
        with suppress(httpx.HTTPError):
            join(browser.client, f"{OWN_IMAGE}.input", data, session)
    time.sleep(3)
    return growth(instance, before, 150)


def slow_headers(instance: Instance) -> str:
    grown = unfinished_headers(instance) >> 10
    return f"log grew by {grown} KiB" if grown > 300 else ""


def slow_bodies(instance: Instance) -> str:
    head = f"POST /{API}upload HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1000000\r\n\r\n".encode()
    socks = [connected(instance, head) for _ in range(60)]
    for _ in range(15):
        time.sleep(1)
        for sock in filter(None, socks):
            with suppress(OSError):
                sock.sendall(b"x")
    close(socks)
    return ""


def slow_readers(instance: Instance) -> str:
    before = instance.memory()
    request = b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" * 20
    socks = [connected(instance, request) for _ in range(200)]
    time.sleep(10)
    close(socks)
    return growth(instance, before, 200)


def open_responses(instance: Instance) -> str:
    heads = [f"GET /{API}heartbeat/{i} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode() for i in range(300)]
    socks = [connected(instance, head) for head in heads]
    time.sleep(8)
    close(socks)
    return ""


def upload_volume(instance: Instance) -> str:
    before = instance.memory()
    picture = face_png() + bytes(5 * 1024**2 - len(face_png()))

    def send(i: int) -> None:
        with suppress(httpx.HTTPError):
            browser = Browser(instance)
            if i % 2:
                browser.client.get("")
            browser.upload(picture)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(80)))
    return growth(instance, before, 350)


def request_flood(instance: Instance) -> str:
    """Up to sixty requests a second for ten seconds, of one client without a cookie."""
    until = time.monotonic() + 10

    def flood() -> None:
        with suppress(httpx.HTTPError), httpx.Client(base_url=instance.url, timeout=15) as client:
            path = client.post(f"{API}upload", files={"files": ("face.png", face_png())}).json()[0]
            body = {"data": [{"path": path, "meta": META}, services.networks.DEFAULT_NETWORK, "", "gradcam"]}
            while time.monotonic() < until:
                client.post(f"{API}call/explain", json=body)
                time.sleep(0.1)

    threads = [threading.Thread(target=flood) for _ in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return ""


def log_flood(instance: Instance) -> str:
    """Requests that Gradio reports with a stack trace, and bytes that are no HTTP."""
    before = instance.log.stat().st_size
    with httpx.Client(base_url=instance.url, timeout=15) as client:
        for i in range(400):
            with suppress(httpx.HTTPError):
                client.post(f"{API}call/predict", json={"data": [{"a": i}, ["b"]]})
    close([connected(instance, b"\x00\xff no HTTP\r\n\r\n") for _ in range(1000)])
    grown = (instance.log.stat().st_size - before) >> 10
    return f"log grew by {grown} KiB" if grown > 500 else ""


def others_upload(instance: Instance) -> str:
    mine, other = Browser(instance), Browser(instance)
    [browser.client.get("") for browser in (mine, other)]
    path = Path(mine.upload(face_png()))
    folder, last = path.parent, path.name
    forms = [f"{path}", f"{folder}//{last}", f"{folder}/./{last}", f"{path}/", f"{folder}/%66ace.png", f"/{path}"]
    got = [form for form in forms if other.client.get(f"{API}file={form}").status_code == 200]
    for form in forms:
        with suppress(ValueError, httpx.HTTPError):
            other.predicted(form)
            got.append(f"predicted {form}")
    return f"another visitor had {got[0]}" if got else ""


def files_and_addresses(instance: Instance) -> str:
    """Files of this computer, other servers, and pages that the demo does not need."""
    paths = [
        *("gradio_api/file=/etc/passwd", "gradio_api/file=..%2f..%2fetc/passwd", "static/..%2f..%2fpyproject.toml"),
        *(
            "gradio_api/proxy=http://127.0.0.1:1/",
            "monitoring",
            "docs",
            "gradio_api/deep_link",
            "gradio_api/run/predict",
        ),
    ]
    with httpx.Client(base_url=instance.url, timeout=15) as client:
        found = [path for path in paths if client.get(path).status_code == 200]
        for path in ("/etc/passwd", "http://127.0.0.1:1/x.png", str(ROOT / "pyproject.toml")):
            status = client.post(f"{API}call/predict", json={"data": [{"path": path, "meta": META}, "x"]}).status_code
            found += [path] if status != 400 else []
    return f"reached: {', '.join(found)}" if found else ""


def broken_requests(instance: Instance) -> str:
    """JSON that is none or too deep, a bomb of a picture, a body that is too large."""
    buffer = io.BytesIO()
    Image.new("L", (20_000, 20_000)).save(buffer, "PNG")
    browser, before = Browser(instance), instance.memory()
    with suppress(ValueError):
        browser.predicted(browser.upload(buffer.getvalue()))
        return "a picture of 400 megapixels was taken"
    bodies = (b"{", b"[" * 100_000, b"\xff\xfe", b'{"data": ["' + b"x" * 7_000_000 + b'"]}')
    statuses = [browser.client.post(f"{API}queue/join", content=body).status_code for body in bodies]
    taken = [status for status in statuses if status not in (400, 413)]
    return f"statuses {statuses}" if taken else growth(instance, before, 200)


def foreign_page(instance: Instance) -> str:
    """A page elsewhere that frames the demo, or points a name of its own at it."""
    with httpx.Client(base_url=instance.url) as client:
        policy = client.get("").headers.get("content-security-policy", "")
        status = client.get("", headers={"host": "evil.example"}).status_code
    if "frame-ancestors 'none'" not in policy:
        return "may be framed"
    return "" if status == 421 else f"served as evil.example: {status}"


def wrong_passwords(instance: Instance) -> str:
    def guess(i: int) -> int:
        with suppress(httpx.HTTPError), httpx.Client(base_url=instance.url, timeout=15) as client:
            if i % 2:
                client.get("")
            return client.post("login", data={"username": "class", "password": f"guess {i}"}).status_code
        return 0

    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(guess, range(400)))
    seconds, checked = time.monotonic() - began, statuses.count(400)
    too_many = checked > BURST + PER_SECOND * seconds + 1
    return f"{checked} guesses checked in {seconds:.0f} s" if too_many or 200 in statuses else ""


def before_the_login(instance: Instance) -> str:
    with httpx.Client(base_url=instance.url) as client:
        sent = client.post(f"{API}upload", files={"files": ("face.png", face_png())}).status_code
        asked = client.post(f"{API}call/predict", json={"data": [None, services.networks.DEFAULT_NETWORK]}).status_code
        shown = client.get("config").status_code
    return "" if {sent, asked, shown} == {401} else f"upload {sent}, call {asked}, page {shown}"


def killed(instance: Instance) -> str:
    return _left_behind(instance, instance.process.kill)


def stopped(instance: Instance) -> str:
    return _left_behind(instance, lambda: os.kill(instance.process.pid, signal.SIGSTOP))


def _left_behind(instance: Instance, end) -> str:
    """What of an upload and its result can be found in files, after the demo was ended."""
    browser = Browser(instance)
    marked = face_png() + b"a mark behind the picture"
    path = browser.upload(marked)
    browser.predicted(path)
    body = {"data": [{"path": path, "meta": META}, services.networks.DEFAULT_NETWORK, "", "gradcam"]}
    browser.client.get(f"{API}call/explain/{browser.client.post(f'{API}call/explain', json=body).json()['event_id']}")
    end()
    with suppress(psutil.TimeoutExpired):
        instance.process.wait(2)
    files = [file for file in instance.folder.rglob("*") if file.is_file()]
    left = [file.name for file in files if b"a mark behind" in file.read_bytes() or file.name == "map.png"]
    return f"left: {', '.join(left)}" if left else ""


ATTACKS = [
    Attack("a network named by a path or an unlisted name", "demo", network_by_path),
    Attack("the same picture in 60 sessions", "demo", many_sessions),
    Attack("120 results that nobody fetches", "demo", unread_results),
    Attack("300 unfinished headers", "demo", slow_headers),
    Attack("60 slow bodies", "demo", slow_bodies),
    Attack("200 clients that do not read", "demo", slow_readers),
    Attack("300 responses that stay open", "demo", open_responses),
    Attack("80 uploads of 5 MB", "demo", upload_volume),
    Attack("60 requests a second", "demo", request_flood),
    Attack("stack traces and bytes that are no HTTP", "demo", log_flood),
    Attack("another visitor's upload, however spelled", "demo", others_upload),
    Attack("files of this computer and other servers", "demo", files_and_addresses),
    Attack("broken JSON, a picture bomb, a large body", "demo", broken_requests),
    Attack("a foreign page: frame, host name", "demo", foreign_page),
    Attack("requests before the login", "demo with a password", before_the_login),
    Attack("400 wrong passwords", "demo with a password", wrong_passwords),
    Attack("uploads of a killed demo", "demo", killed, alone=True),
    Attack("uploads of a stopped demo (SIGSTOP)", "demo", stopped, alone=True),
]
VISITORS = {"demo": Browser, "demo with a password": Browser}
