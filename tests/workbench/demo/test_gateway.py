"""The gateway before the public demo, without Gradio behind it."""

import asyncio
import io
import json
from pathlib import Path

import httpx
import pytest
from PIL import Image

from workbench.demo import gateway, scaling
from workbench.demo.gateway import API, FILE, Gateway
from workbench.demo.sessions import MAX_SESSIONS, PER_VISITOR, Sessions
from workbench.demo.uploads import Uploads
from workbench.server import bodies
from workbench.server.attempts import FREE
from workbench.server.bodies import MAX_BODY, MAX_UPLOAD
from workbench.server.bounded import BoundedStore, Limits
from workbench.server.rates import Bucket
from workbench.server.visitors import COOKIE

UPLOADS = Path("/somewhere/uploads")
PICTURE = b"\x89PNG\r\n\x1a\n of a visitor"


async def behind(scope, receive, send):
    """A demo that says what reached it; its password is "right"."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    status = 200
    if scope["path"] == "/login":
        status = 200 if b"right" in body else 400
    if scope["path"].endswith("/login_check"):
        status = 200 if (b"cookie", b"token=right") in scope["headers"] else 401
    said = next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)
    answer = {"length": len(body), "said": said, "body": body.decode("latin-1"), "event_id": "event-1"}
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


class Kept:
    """What a demo keeps of its sessions."""

    def __init__(self):
        self.waiting: dict[str, int] = {}
        self.forgotten: list[str] = []

    def unread(self, session: str) -> int:
        return self.waiting.get(session, 0)

    def pending(self, owner: str) -> int:
        return self.waiting.get(owner, 0)

    async def forget(self, session: str) -> None:
        self.forgotten.append(session)


def made(app=behind, kept: Kept | None = None, **settings) -> Gateway:
    kept = kept or Kept()
    return Gateway(app, Uploads(UPLOADS), Sessions(kept), **settings)


def ask(door: Gateway, method: str, path: str, client: str = "127.0.0.1", **more) -> httpx.Response:
    async def once() -> httpx.Response:
        transport = httpx.ASGITransport(door, client=(client, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as asked:
            response = await asked.request(method, path, **more)
        await asyncio.sleep(0)  # what is to be forgotten is
        return response

    return asyncio.run(once())


def visitor(door: Gateway) -> dict[str, str]:
    """Headers of a browser that has opened the page."""
    return {"cookie": f"a=b; {COOKIE}={ask(door, 'GET', '/').cookies[COOKIE]}"}


def upload(door: Gateway, data: bytes = PICTURE, name: str = "me.png", **more) -> httpx.Response:
    return ask(door, "POST", f"{API}upload", files={"files": (name, data)}, **more)


@pytest.fixture
def door() -> Gateway:
    return made()


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
    assert refused.json()["error"] == gateway.NOT_OURS


def test_an_address_that_climbs_is_decoded_before_it_is_judged(door):
    assert ask(door, "GET", f"{FILE}{UPLOADS}/%2e%2e/%2e%2e/etc/passwd").status_code == 404
    assert ask(door, "GET", f"{FILE}{UPLOADS}/%252e%252e/%252e%252e/etc/passwd").status_code == 404


@pytest.mark.parametrize("url", ["http://127.0.0.1:22/", "https://elsewhere.example/face.png", "file:///etc/passwd"])
def test_no_address_is_fetched_for_a_visitor(door, url):
    body = {"data": [{"path": None, "url": url}]}
    assert ask(door, "POST", f"{API}call/predict", json=body).status_code == 400


def test_a_file_goes_back_only_to_the_browser_that_brought_it(door):
    mine, other = visitor(door), visitor(door)
    assert mine != other
    (path,) = upload(door, headers=mine).json()
    question = {"data": [{"path": path, "url": f"http://demo{FILE}{path}"}]}
    for headers, status in ((mine, 200), (other, 404), ({}, 404), ({"cookie": f"{COOKIE}=made.up"}, 404)):
        assert ask(door, "GET", FILE + path, headers=headers).status_code == status
    for headers, status in ((mine, 200), (other, 400), ({}, 400)):
        assert ask(door, "POST", f"{API}queue/join", json=question, headers=headers).status_code == status


@pytest.mark.parametrize("form", ["{0}/{1}/{2}", "{0}//{1}/{2}", "{0}/./{1}/{2}", "{0}/{1}/{2}/", "{0}/{1}/%6de.png"])
def test_however_a_path_is_written_its_owner_has_the_file_and_nobody_else(door, form):
    mine, other = visitor(door), visitor(door)
    path = Path(upload(door, headers=mine).json()[0])
    written = form.format(path.parents[1], path.parent.name, path.name)
    response = ask(door, "GET", FILE + written, headers=mine)
    assert (response.status_code, response.content) == (200, PICTURE)
    for headers in (other, {}):
        assert ask(door, "GET", FILE + written, headers=headers).status_code == 404
        body = {"data": [{"path": written}]}
        assert ask(door, "POST", f"{API}queue/join", json=body, headers=headers).status_code == 400


def test_an_upload_stays_in_memory_and_the_demo_gets_its_token(tmp_path, door):
    door.uploads = Uploads(tmp_path)
    (path,) = upload(door).json()
    assert list(tmp_path.rglob("*")) == []
    body = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}, "residual_cnn", 0.1]}
    seen = ask(door, "POST", f"{API}call/predict", json=body).json()
    told = json.loads(seen["body"])["data"]
    assert told[0]["path"] is None
    assert door.uploads.bytes_of(told[0]["url"]) == PICTURE
    assert told[1:] == ["residual_cnn", 0.1]
    assert seen["said"] == seen["length"]


def test_a_file_is_handed_back_as_an_image_or_as_bytes(door):
    for data, kind in (
        (PICTURE, "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"<script>", "application/octet-stream"),
    ):
        response = ask(door, "GET", FILE + upload(door, data).json()[0])
        assert response.headers["content-type"] == kind
        assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b\\c.png", "..", "<svg onload=x>.png", "x" * 500, "é.png"])
def test_a_name_of_an_upload_is_reduced_to_plain_letters(door, name):
    path = Path(upload(door, name=name).json()[0])
    assert path.parents[1] == UPLOADS
    assert path.name.isascii()
    assert 0 < len(path.name) <= 60
    assert ask(door, "GET", FILE + str(path)).content == PICTURE


def test_an_upload_that_is_none_is_refused(door):
    assert ask(door, "POST", f"{API}upload", content=b"x").status_code == 400
    assert ask(door, "POST", f"{API}upload", data={"files": "no file"}).status_code == 400
    five = [("files", (f"{i}.png", PICTURE)) for i in range(5)]
    assert ask(door, "POST", f"{API}upload", files=five).status_code == 400
    too_large = upload(door, bytes(25 * 1024**2 + 1))
    assert (too_large.status_code, "larger than 25 MB" in too_large.json()["error"]) == (413, True)
    assert upload(door, bytes(25 * 1024**2)).status_code == 200


def photo(size: tuple[int, int]) -> bytes:
    """A JPEG of noise, which is large."""
    buffer = io.BytesIO()
    Image.effect_noise(size, 90).save(buffer, "JPEG", quality=98)
    return buffer.getvalue()


def test_a_photo_over_5_megabytes_is_kept_scaled_down(door):
    data = photo((3000, 2400))
    assert len(data) > scaling.MAX_FILE
    headers = visitor(door)
    (path,) = upload(door, data, headers=headers).json()
    assert door.uploads.uploads.size < len(data)
    shown = ask(door, "GET", FILE + path, headers=headers)
    assert shown.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(shown.content)).size == (1600, 1280)


def test_a_large_file_that_is_no_image_is_refused_when_it_is_used(door):
    (path,) = upload(door, b"no image" * 700_000).json()
    token = Path(path).parent.name
    assert door.uploads.uploads.size < 1000
    with pytest.raises(ValueError, match="not a JPEG"):
        door.uploads.bytes_of(f"upload:{token}")


def test_few_large_photos_wait_at_a_time(door):
    async def many() -> list[object]:
        return await asyncio.gather(
            *(door.scaler.fitted(bytes(scaling.MAX_FILE + 1)) for _ in range(scaling.MOST + 1)), return_exceptions=True
        )

    *kept, last = asyncio.run(many())
    assert all("not a JPEG" in why for _, why in kept)
    assert (last.status, last.sentence) == (429, bodies.BUSY)
    assert asyncio.run(door.scaler.fitted(PICTURE)) == (PICTURE, "")


def test_bodies_together_have_a_limit(door, monkeypatch):
    monkeypatch.setattr(bodies, "MAX_HELD", len(PICTURE))
    refused = upload(door)
    assert (refused.status_code, refused.json()["error"]) == (429, bodies.BUSY)


def test_uploads_are_bounded_for_each_visitor_and_in_all(door):
    mine, other = visitor(door), visitor(door)
    (first,) = upload(door, headers=other).json()
    paths = [upload(door, bytes(4 * 1024**2), headers=mine).json()[0] for _ in range(10)]
    kept = [ask(door, "GET", FILE + path, headers=mine).status_code for path in paths]
    assert kept == [404] * 6 + [200] * 4
    for i in range(40):
        door.work._tokens = 75
        upload(door, bytes(4 * 1024**2), client=f"10.0.0.{i}")
    assert door.uploads.uploads.size <= 64 * 1024**2
    assert ask(door, "GET", FILE + first, headers=other).status_code == 200


def test_a_cookie_that_was_not_given_out_is_none(door):
    first, second = (ask(door, "GET", "/", headers={"cookie": f"{COOKIE}={c}"}) for c in ("chosen", "chosen.signature"))
    assert COOKIE in first.cookies
    assert COOKIE in second.cookies
    assert COOKIE not in ask(door, "GET", "/", headers=visitor(door)).cookies


def test_camera_frames_have_a_limit_of_their_own(door):
    door.frames = Bucket(rate=0, burst=1)
    assert [ask(door, "POST", f"{API}stream/x", json={}).status_code for _ in range(2)] == [200, 429]


def test_a_programme_without_cookies_uses_what_it_uploaded(door):
    (path,) = upload(door).json()
    assert ask(door, "POST", f"{API}call/predict", json={"data": [{"path": path}]}).status_code == 200


def test_a_large_body_is_refused_whether_or_not_it_says_so(door):
    for path, most in ((f"{API}upload", MAX_UPLOAD), (f"{API}queue/join", MAX_BODY)):

        async def chunks(most: int = most):
            for _ in range(most // 65536 + 2):
                yield b"x" * 65536

        assert ask(door, "POST", path, content=b"x" * (most + 1)).status_code == 413
        assert ask(door, "POST", path, content=chunks()).status_code == 413
    assert upload(door).status_code == 200


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 100_000, b'{"data": NaN'])
def test_a_body_that_is_no_json_is_refused_with_a_sentence(door, body):
    refused = ask(door, "POST", f"{API}queue/join", content=body)
    assert refused.status_code == 400
    assert "JSON" in refused.json()["error"]


def test_all_visitors_share_one_limit_and_a_refusal_is_explained():
    door = made(work=Bucket(rate=0, burst=3))
    answers = [ask(door, "POST", f"{API}queue/join", json={}) for _ in range(5)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].json()["error"] == bodies.BUSY
    assert (door.served, door.refused) == (3, 2)
    assert ask(door, "GET", "/").status_code == 200  # looking costs nothing


def test_a_body_that_trickles_is_cut_off(monkeypatch):
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.05)

    async def slow():
        yield b"x"
        await asyncio.sleep(1)
        yield b"x"

    assert ask(made(), "POST", f"{API}upload", content=slow()).status_code == 408


def test_without_uploads_none_is_taken():
    door = made(open_uploads=False)
    refused = upload(door)
    assert (refused.status_code, refused.json()["error"]) == (403, gateway.NO_UPLOADS)


def test_a_visitor_who_goes_away_in_the_middle_leaves_nothing_behind(door):
    async def gone() -> None:
        headers = [(b"host", b"localhost")]
        scope = {"type": "http", "method": "POST", "path": f"{API}upload", "headers": headers, "client": None}
        messages = iter([{"type": "http.request", "body": b"x", "more_body": True}, {"type": "http.disconnect"}])

        async def receive():
            return next(messages)

        async def send(_message):
            return None

        await door(scope, receive, send)

    asyncio.run(gone())
    assert len(door.bodies) == 0
    assert upload(door).status_code == 200


def test_visitors_are_those_who_have_the_page_open():
    counts = []

    async def page(scope, receive, send):
        counts.append(door.visitors)
        await behind(scope, receive, send)

    door = made(page)
    ask(door, "GET", f"{API}heartbeat/abc")
    assert (counts, door.visitors) == ([1], 0)


def slow_bodies(door: Gateway, clients: list[str]) -> tuple[list[int], list[int]]:
    """Statuses of bodies that hardly come, and of uploads sent after two seconds from other clients."""

    async def trickle():
        while True:
            yield b"x"
            await asyncio.sleep(0.2)

    async def send(client: str, **more) -> int:
        transport = httpx.ASGITransport(door, client=(client, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as asked:
            return (await asked.post(f"{API}upload", **more)).status_code

    async def both():
        slow = [asyncio.create_task(send(client, content=trickle())) for client in clients]
        await asyncio.sleep(1.2)
        files = {"files": ("me.png", PICTURE)}
        quick = await asyncio.gather(*(send("10.9.9.9", files=files) for _ in range(5)))
        await asyncio.sleep(0)
        done = [task.result() for task in slow if task.done()]
        [task.cancel() for task in slow]
        return done, quick

    return asyncio.run(both())


def test_slow_bodies_give_way_to_others_with_an_explanation(door, monkeypatch):
    monkeypatch.setattr(bodies, "GRACE_SECONDS", 1.0)
    told, quick = slow_bodies(door, ["127.0.0.1"] * 24)
    assert quick == [200] * 5
    assert told
    assert set(told) == {408}


def test_one_address_has_a_share_of_the_bodies(door):
    told, quick = slow_bodies(door, ["10.0.0.1"] * 24)
    assert told == [429] * (24 - bodies.PER_ADDRESS)
    assert quick == [200] * 5


def test_sessions_are_bounded_for_each_visitor_and_in_all_and_forgotten():
    kept = Kept()
    door = made(kept=kept, work=Bucket(rate=0, burst=1000))
    mine, other = visitor(door), visitor(door)

    def begin(name: str, **more) -> int:
        return ask(door, "POST", f"{API}queue/join", json={"session_hash": name}, **more).status_code

    assert begin("of another", headers=other) == 200
    assert {begin(f"tab {i}", headers=mine) for i in range(PER_VISITOR + 3)} == {200}
    assert kept.forgotten == ["tab 0", "tab 1", "tab 2"]
    for i in range(2 * MAX_SESSIONS):
        door.shares = BoundedStore(Limits(9, 9))
        begin(f"program {i}")
    assert len(kept.forgotten) == 3 + 2 * MAX_SESSIONS - (MAX_SESSIONS - PER_VISITOR - 1)
    assert all(name.startswith(("tab", "program")) for name in kept.forgotten), "who has few keeps them"


def test_a_session_of_another_visitor_is_neither_used_nor_read(door):
    mine, other = visitor(door), visitor(door)
    body = {"session_hash": "mine"}
    assert ask(door, "POST", f"{API}queue/join", json=body, headers=mine).status_code == 200
    for headers, status in ((mine, 200), (other, 403), ({}, 403)):
        assert ask(door, "POST", f"{API}queue/join", json=body, headers=headers).status_code == status
        data = ask(door, "GET", f"{API}queue/data?session_hash=mine", headers=headers)
        assert data.status_code == status


@pytest.mark.parametrize("path", ["queue/data?session_hash=gone", "call/predict/gone"])
def test_who_comes_back_to_a_session_that_gave_way_is_reported(door, path):
    response = ask(door, "GET", f"{API}{path}")
    assert (response.status_code, "was deleted" in response.json()["error"]) == (404, True)


@pytest.mark.parametrize("name", [7, "", "x" * 65, ["a"], {"a": 1}])
def test_a_name_that_is_none_is_no_session(door, name):
    assert ask(door, "POST", f"{API}queue/join", json={"session_hash": name}).status_code == 400


def test_who_does_not_fetch_results_gets_no_more():
    kept = Kept()
    door = made(kept=kept)
    body = {"session_hash": "greedy"}
    assert ask(door, "POST", f"{API}queue/join", json=body).status_code == 200
    kept.waiting["greedy"] = 1000
    refused = ask(door, "POST", f"{API}queue/join", json=body)
    assert (refused.status_code, "not fetched" in refused.json()["error"]) == (429, True)
    assert ask(door, "POST", f"{API}queue/join", json={"session_hash": "other"}).status_code == 200


def test_who_has_many_requests_in_the_queue_waits_and_the_others_do_not():
    kept = Kept()
    kept.waiting = {"at 10.0.0.1": 6, "at 127.0.0.1": 6}
    door = made(kept=kept)
    body = {"session_hash": "a"}
    refused = ask(door, "POST", f"{API}queue/join", client="10.0.0.1", json=body)
    assert (refused.status_code, "still waiting" in refused.json()["error"]) == (429, True)
    assert ask(door, "POST", f"{API}queue/join", client="10.0.0.2", json=body).status_code == 200
    assert ask(door, "POST", f"{API}queue/join", json={"session_hash": "b"}).status_code == 200, "behind a tunnel"


@pytest.mark.parametrize("path", ["queue/join", "stream/x"])
def test_one_visitor_does_not_use_up_the_limit_of_all(door, path):
    first, second = visitor(door), visitor(door)
    flood = [ask(door, "POST", f"{API}{path}", headers=first, json={}).status_code for _ in range(100)]
    assert flood.count(429) > 30
    assert [ask(door, "POST", f"{API}{path}", headers=second, json={}).status_code for _ in range(5)] == [200] * 5


def test_a_call_of_a_program_counts_as_its_session(door):
    ask(door, "POST", f"{API}call/predict", json={"data": []})
    assert door.sessions._used.owner("event-1") == "at 127.0.0.1"


def test_responses_that_stay_open_give_way_to_later_ones_of_others():
    async def page(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"here", "more_body": True})
        await asyncio.sleep(30)

    kept = Kept()
    door = Gateway(page, Uploads(UPLOADS), Sessions(kept, streams=5))

    async def open_one(client: str) -> int:
        transport = httpx.ASGITransport(door, client=(client, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as asked:
            return len((await asked.get(f"{API}heartbeat/abc")).content)

    async def many():
        mine = asyncio.create_task(open_one("10.0.0.1"))
        await asyncio.sleep(0.05)
        flood = [asyncio.create_task(open_one("10.0.0.2")) for _ in range(50)]
        await asyncio.sleep(0.5)
        ended = [task.done() for task in (mine, *flood)]
        assert door.visitors == 5
        [task.cancel() for task in (mine, *flood)]
        await asyncio.sleep(0.1)
        return ended

    ended = asyncio.run(many())
    assert not ended[0]
    assert sum(ended) == 46
    assert door.visitors == 0


def test_wrong_passwords_lock_their_visitor_and_a_right_one_passes_elsewhere():
    door = made(password=True)
    statuses = [
        ask(door, "POST", "/login", client="10.0.0.1", data={"password": "guess"}).status_code for _ in range(FREE + 20)
    ]
    assert statuses == [400] * FREE + [429] * 20
    locked = ask(door, "POST", "/login", client="10.0.0.1", data={"password": "right"})
    assert (locked.status_code, "wait" in locked.json()["error"], int(locked.headers["retry-after"]) > 1) == (
        429,
        True,
        True,
    )
    assert ask(door, "POST", "/login", client="10.0.0.2", data={"password": "right"}).status_code == 200


def test_behind_a_tunnel_wrong_passwords_lock_their_browser_and_not_the_others():
    door = made(password=True)
    bad, good = visitor(door), visitor(door)
    for _ in range(FREE + 1):
        status = ask(door, "POST", "/login", data={"password": "guess"}, headers=bad).status_code
    assert status == 429
    assert ask(door, "POST", "/login", data={"password": "right"}, headers=good).status_code == 200


def test_wrong_passwords_of_all_addresses_together_have_a_limit():
    door = made(password=True)
    statuses = [
        ask(door, "POST", "/login", client=f"10.0.{i // 250}.{i % 250}", data={"password": "guess"}).status_code
        for i in range(200)
    ]
    assert statuses.count(400) <= 40
    assert set(statuses) == {400, 429}


def test_with_a_password_nothing_is_uploaded_or_read_before_the_login():
    door = made(password=True)
    logged_in = {"cookie": "token=right"}
    assert upload(door).status_code == 401
    (path,) = upload(door, headers=logged_in).json()
    assert ask(door, "GET", FILE + path).status_code == 401
    assert ask(door, "GET", FILE + path, headers=logged_in).content == PICTURE


def test_no_page_shows_the_demo_in_a_frame_unless_it_was_named(door):
    for response in (ask(door, "GET", "/"), ask(door, "GET", "/nothing"), ask(door, "GET", f"{API}info")):
        assert response.headers["content-security-policy"] == "frame-ancestors 'none'"
        assert response.headers["x-frame-options"] == "DENY"
    framed = ask(made(framed_by="https://school.example"), "GET", "/")
    assert framed.headers["content-security-policy"] == "frame-ancestors https://school.example"
    assert "x-frame-options" not in framed.headers
    assert "samesite=none; secure" in framed.headers["set-cookie"].lower()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:7860", 200),
        ("127.0.0.1:7860", 200),
        ("[::1]:7860", 200),
        ("192.168.1.5", 200),
        ("demo.example.org", 200),
        ("DEMO.example.org.", 200),
        ("a.school.example", 200),
        ("evil.example", 421),
        ("demo.example.org.evil.example", 421),
        ("", 421),
        ("[", 421),
    ],
)
def test_only_the_names_that_were_given_are_served(host, status):
    door = made(hosts=frozenset({"demo.example.org", "*.school.example"}))
    response = ask(door, "GET", "/", headers={"host": host})
    assert response.status_code == status
    if status == 421:
        assert "--host-name" in response.json()["error"]


def test_behind_a_tunnel_every_name_is_served(door):
    assert ask(door, "GET", "/", headers={"host": "abc.gradio.live"}).status_code == 200


def test_the_progress_of_an_upload_is_that_it_has_arrived(door):
    response = ask(door, "GET", f"{API}upload_progress?upload_id=x")
    assert "done" in response.text
