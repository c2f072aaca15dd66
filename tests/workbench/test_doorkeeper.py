"""What stands before the public demo, without Gradio behind it."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from workbench import doorkeeper
from workbench.doorkeeper import API, COOKIE, FILE, MAX_BODY, Bucket, Doorkeeper

UPLOADS = Path("/somewhere/uploads")
MINE = str(UPLOADS / "abc" / "me.png")


async def behind(scope, receive, send):
    """A demo that says what reached it; an upload answers with the name of a file."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    answer = json.dumps([MINE] if scope["path"].endswith("/upload") else {"length": len(body)}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": answer})


def ask(door: Doorkeeper, method: str, path: str, **more) -> httpx.Response:
    async def once() -> httpx.Response:
        transport = httpx.ASGITransport(door)
        async with httpx.AsyncClient(transport=transport, base_url="http://demo") as client:
            return await client.request(method, path, **more)

    return asyncio.run(once())


@pytest.fixture
def door() -> Doorkeeper:
    return Doorkeeper(behind, UPLOADS)


@pytest.mark.parametrize(
    "path",
    [
        "/monitoring",
        f"{API}proxy=http://127.0.0.1:22/",
        "/gradio_api/vibe-edit",
        "/docs",
        f"{API}component_server",
        "/x",
    ],
)
def test_addresses_that_the_demo_does_not_need_do_not_exist(door, path):
    assert ask(door, "GET", path).status_code == 404
    assert ask(door, "POST", path, json={}).status_code == 404


@pytest.mark.parametrize("path", ["/", "/config", "/assets/a.js", "/static/x.svg", f"{API}info", f"{API}heartbeat/abc"])
def test_addresses_that_the_page_needs_pass(door, path):
    assert ask(door, "GET", path).status_code == 200


@pytest.mark.parametrize(
    "file",
    [
        "/etc/passwd",
        f"{UPLOADS}/../../etc/passwd",
        "checkpoints/residual_cnn/card.json",
        str(UPLOADS),
        "http://127.0.0.1:22/",
        "file:///etc/passwd",
        "",
    ],
)
def test_no_file_but_an_uploaded_one_is_served_or_read(door, file):
    assert ask(door, "GET", FILE + file).status_code == 404
    body = {"data": [{"path": file, "meta": {"_type": "gradio.FileData"}}]}
    refused = ask(door, "POST", f"{API}queue/join", json=body)
    assert refused.status_code == 400
    assert refused.json()["error"] == doorkeeper.NOT_OURS


def test_an_address_that_climbs_is_decoded_before_it_is_judged(door):
    assert ask(door, "GET", f"{FILE}{UPLOADS}/%2e%2e/%2e%2e/etc/passwd").status_code == 404
    assert ask(door, "GET", f"{FILE}{UPLOADS}/%252e%252e/%252e%252e/etc/passwd").status_code == 404


@pytest.mark.parametrize("url", ["http://127.0.0.1:22/", "https://elsewhere.example/face.png", "file:///etc/passwd"])
def test_no_address_is_fetched_for_a_visitor(door, url):
    body = {"data": [{"path": None, "url": url}]}
    assert ask(door, "POST", f"{API}call/predict", json=body).status_code == 400


def test_a_file_goes_back_only_to_the_browser_that_brought_it(door):
    page = ask(door, "GET", "/")
    mine = {"cookie": f"a=b; {COOKIE}={page.cookies[COOKIE]}"}
    other = {"cookie": f"{COOKIE}={ask(door, 'GET', '/').cookies[COOKIE]}"}
    assert mine != other
    assert ask(door, "POST", f"{API}upload", content=b"x", headers=mine).json() == [MINE]
    question = {"data": [{"path": MINE, "url": f"http://demo{FILE}{MINE}"}]}
    for headers, status in ((mine, 200), (other, 404), ({}, 404)):
        assert ask(door, "GET", FILE + MINE, headers=headers).status_code == status
    for headers, status in ((mine, 200), (other, 400), ({}, 400)):
        assert ask(door, "POST", f"{API}queue/join", json=question, headers=headers).status_code == status


def test_who_brings_the_same_picture_may_use_it_too(door):
    visitors = [{"cookie": f"{COOKIE}={ask(door, 'GET', '/').cookies[COOKIE]}"} for _ in range(3)]
    for headers in visitors[:2]:  # a file is named by its content
        ask(door, "POST", f"{API}upload", content=b"x", headers=headers)
    assert [ask(door, "GET", FILE + MINE, headers=headers).status_code for headers in visitors] == [200, 200, 404]


def test_camera_frames_do_not_pass_the_limit_of_bodies(door, monkeypatch):
    monkeypatch.setattr(doorkeeper, "MAX_BODIES", 0)
    assert ask(door, "POST", f"{API}stream/x", json={}).status_code == 429


def test_a_programme_without_cookies_uses_what_it_uploaded(door):
    assert ask(door, "POST", f"{API}upload", content=b"x").json() == [MINE]
    assert ask(door, "POST", f"{API}call/predict", json={"data": [{"path": MINE}]}).status_code == 200


def test_a_large_body_is_refused_whether_or_not_it_says_so(door):
    async def chunks():
        for _ in range(MAX_BODY // 65536 + 2):
            yield b"x" * 65536

    assert ask(door, "POST", f"{API}upload", content=b"x" * (MAX_BODY + 1)).status_code == 413
    assert ask(door, "POST", f"{API}upload", content=chunks()).status_code == 413
    assert ask(door, "POST", f"{API}upload", content=b"x" * 1000).status_code == 200


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 100_000, b'{"data": NaN'])
def test_a_body_that_is_no_json_is_refused_with_a_sentence(door, body):
    refused = ask(door, "POST", f"{API}queue/join", content=body)
    assert refused.status_code == 400
    assert "JSON" in refused.json()["error"]


def test_all_visitors_together_have_one_limit_and_the_refused_are_told():
    door = Doorkeeper(behind, UPLOADS, work=Bucket(rate=0, burst=3))
    answers = [ask(door, "POST", f"{API}queue/join", json={}) for _ in range(5)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].json()["error"] == doorkeeper.BUSY
    assert (door.answered, door.refused) == (3, 2)
    assert ask(door, "GET", "/").status_code == 200  # looking costs nothing


def test_a_bucket_fills_again(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(doorkeeper.time, "monotonic", lambda: now[0])
    bucket = Bucket(rate=2, burst=2)
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    now[0] += 0.5
    assert [bucket.take(), bucket.take()] == [True, False]
    now[0] += 100
    assert [bucket.take() for _ in range(3)] == [True, True, False]


def test_a_body_that_trickles_is_cut_off(monkeypatch):
    monkeypatch.setattr(doorkeeper, "BODY_SECONDS", 0.05)

    async def slow():
        yield b"x"
        await asyncio.sleep(1)
        yield b"x"

    assert ask(Doorkeeper(behind, UPLOADS), "POST", f"{API}upload", content=slow()).status_code == 408


def test_without_uploads_none_is_taken():
    door = Doorkeeper(behind, UPLOADS, open_uploads=False)
    refused = ask(door, "POST", f"{API}upload", content=b"x")
    assert (refused.status_code, refused.json()["error"]) == (403, doorkeeper.NO_UPLOADS)


def test_a_visitor_who_goes_away_in_the_middle_leaves_nothing_behind(door):
    async def gone() -> None:
        scope = {"type": "http", "method": "POST", "path": f"{API}upload", "headers": []}
        messages = iter([{"type": "http.request", "body": b"x", "more_body": True}, {"type": "http.disconnect"}])

        async def receive():
            return next(messages)

        async def send(_message):
            return None

        await door(scope, receive, send)

    asyncio.run(gone())
    assert door._reading == 0
    assert ask(door, "POST", f"{API}upload", content=b"x").status_code == 200


def test_visitors_are_those_who_have_the_page_open():
    counts = []

    async def page(scope, receive, send):
        counts.append(door.visitors)
        await behind(scope, receive, send)

    door = Doorkeeper(page, UPLOADS)
    ask(door, "GET", f"{API}heartbeat/abc")
    assert (counts, door.visitors) == ([1], 0)
