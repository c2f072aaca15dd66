"""The gateway before Streamlit's server: hosts, origins, frames, uploads."""

import asyncio
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from streamlit import config
from streamlit.proto.BackMsg_pb2 import BackMsg

from workbench.server import access
from workbench.ui import gateway, streamlit_internals, uploads
from workbench.ui.gateway import Gateway, same_site

ROOT = Path(__file__).resolve().parents[3]
HERE = "http://127.0.0.1:8501"
STREAM = "ws://127.0.0.1:8501/_stcore/stream"
FOREIGN = [
    *("http://evil.example", "https://127.0.0.1.evil.example", "http://127.0.0.1:9999", "null", "file://", ""),
    *("file:///etc/passwd", "http://", "http://[", "ws://127.0.0.1:8501", "chrome-extension://abc"),
]


@pytest.fixture(autouse=True)
def hosts():
    """The hosts of the settings, and none that an earlier test left."""
    before = config.get_option("server.allowedHosts")
    config.set_option("server.allowedHosts", [*gateway.HOSTS, "teacher-pc"])
    yield
    config.set_option("server.allowedHosts", before)


@pytest.fixture
def store():
    """Files that Streamlit would hold: session → id → file."""
    return {}


@pytest.fixture
def client(store):
    async def page(request):
        await request.body()
        return PlainTextResponse("page")

    async def put(request):
        data = await request.body()
        session, name = request.path_params["session"], request.path_params["name"]
        if request.method == "PUT":
            store.setdefault(session, {})[name] = SimpleNamespace(data=data)
        else:
            store.get(session, {}).pop(name, None)
        return PlainTextResponse("", 204)

    async def stream(socket):
        await socket.accept()
        await socket.send_text(socket.headers.get("origin", "none"))
        with suppress(WebSocketDisconnect):
            await socket.receive_text()

    routes = [
        Route("/_stcore/upload_file/{session}/{name}", put, methods=["PUT", "DELETE"]),
        WebSocketRoute("/_stcore/stream", stream),
        Route("/{path:path}", page, methods=["GET", "POST", "PUT"]),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(Gateway, files=store)])
    return TestClient(app, base_url=HERE, client=("192.168.1.5", 1000))


class Upload:
    """An upload as an ASGI server hands it over; its body never comes where none is given."""

    def __init__(self, app, path="/_stcore/upload_file/mine/1", address="192.168.1.66", method="PUT", body=None):
        self.app, self.body, self.sent = app, body, []
        length = b"1000" if body is None else str(len(body)).encode()
        self.scope = {
            "type": "http", "method": method, "path": path, "query_string": b"", "client": (address, 1),
            "headers": [(b"host", b"127.0.0.1"), (b"content-length", length)],
        }  # fmt: skip

    async def receive(self):
        if self.body is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": self.body, "more_body": False}

    async def send(self, message):
        self.sent.append(message)

    async def run(self):
        await self.app(self.scope, self.receive, self.send)
        return self.sent[0]["status"]


@pytest.fixture
def permitted(monkeypatch):
    """A session that a page has shown an uploader."""
    monkeypatch.setattr(uploads, "permitted", {"mine", "other", *"abcdefghij"}.__contains__)


def put(client, session="mine", name="1", size=1000, **headers):
    return client.put(f"/_stcore/upload_file/{session}/{name}", content=bytes(size), headers=headers).status_code


# ---------------------------------------------------------------------------------------------------------------------
# Hosts, origins, frames


@pytest.mark.parametrize("host", ["127.0.0.1:8501", "localhost", "[::1]:8501", "teacher-pc:8501", "TEACHER-PC."])
def test_our_own_hosts_are_served(host, client):
    assert client.get("/", headers={"Host": host}).text == "page"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil", "<script>", "a]b", "[", ""]
)
def test_another_host_is_told_what_to_do_and_nothing_else(host, client):
    response = client.get("/", headers={"Host": host})
    assert response.status_code == 421
    assert "ferscope app --host-name" in response.text
    assert "<script>" not in response.text


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_websocket_of_another_site_is_refused(origin, client):
    assert not same_site(origin, "127.0.0.1:8501")
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(STREAM, headers={"Origin": origin}):
        pass


def test_a_websocket_of_another_host_is_refused(client):
    headers = {"Origin": "http://evil.example", "Host": "evil.example"}
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(STREAM, headers=headers):
        pass


@pytest.mark.parametrize("origin", [None, HERE, "https://fer.example.org", "https://a.github.dev:8443"])
def test_a_websocket_of_ours_comes_from_the_same_host_for_streamlit(origin, client, monkeypatch):
    monkeypatch.setenv(access.HOST_NAMES, "fer.example.org *.github.dev")
    headers = {} if origin is None else {"Origin": origin}
    with client.websocket_connect(STREAM, headers=headers) as socket:
        assert socket.receive_text() == ("none" if origin is None else HERE)


def test_sessions_are_limited_by_address_and_given_back(client, monkeypatch):
    monkeypatch.setattr(gateway, "SESSIONS", 5)
    two = ExitStack()
    for _ in range(3):
        for _ in range(2):  # Gateway.each, from five in all: at least two
            two.enter_context(client.websocket_connect(STREAM))
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(STREAM):
            pass
        two.close()


def test_sessions_are_limited_in_all(client, monkeypatch):
    monkeypatch.setattr(gateway, "SESSIONS", 4)
    with ExitStack() as stack:
        for i in range(4):
            elsewhere = TestClient(client.app, client=(f"192.168.1.{i}", 1))
            stack.enter_context(elsewhere.websocket_connect(STREAM))
        elsewhere = TestClient(client.app, client=("192.168.1.9", 1))
        with pytest.raises(WebSocketDisconnect), elsewhere.websocket_connect(STREAM):
            pass


def test_a_visitor_asks_streamlit_only_for_what_pages_ask(client):
    def message(**fields):
        return BackMsg(**fields).SerializeToString()

    async def passed(data):
        messages = [{"type": "websocket.receive", "bytes": one} for one in data] + [{"type": "websocket.disconnect"}]
        receive = gateway._expected(lambda: asyncio.sleep(0, messages.pop(0)))
        return (await receive())["type"]

    for harmful in (
        message(clear_cache=True),
        message(load_git_info=True),
        message(set_run_on_save=True),
        b"\xff",
        b"",
    ):
        assert asyncio.run(passed([harmful])) == "websocket.disconnect"
    assert asyncio.run(passed([message(stop_script=True)])) == "websocket.receive"


@pytest.mark.parametrize(
    ("path", "who", "old"),
    [("/", "'none'", "DENY"), ("/svd", "'none'", "DENY"), ("/component/x", "'self'", "SAMEORIGIN")],
)
def test_no_other_site_may_frame_the_app(path, who, old, client):
    headers = client.get(path).headers
    assert headers["content-security-policy"] == f"frame-ancestors {who}"
    assert headers["x-frame-options"] == old
    refused = client.get(path, headers={"Host": "evil"})
    assert refused.headers["content-security-policy"] == f"frame-ancestors {who}"


# ---------------------------------------------------------------------------------------------------------------------
# Uploads


def test_only_a_session_that_was_shown_an_uploader_may_upload(client, store, permitted):
    assert put(client, "foreign") == 403
    assert put(client) == 204
    assert list(store) == ["mine"]


@pytest.mark.parametrize(
    "path",
    [
        *("//_stcore/upload_file/mine/1", "/_stcore//upload_file/mine/1", "/_stcore/./upload_file/mine/1"),
        *("/_stcore/upload_file/mine/1/", "/_stcore/upload_file/mine//1", "/_stcore/upload_file/mine/1/.."),
        *("/_stcore/upload_file/foreign/../mine/1", "/_stcore/upload_file/mine%2F1", "/_stcore/upload_file/mine"),
        *("/x/_stcore/upload_file/mine/1", "/_stcore/upload_file/mine/1\n", "/svd", "/_stcore/upload_file/mine./1"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST", "PATCH", "TRACE"])
def test_an_upload_has_one_form_of_path_only(path, method, client, store, permitted):
    assert asyncio.run(Upload(client.app, path=path, method=method, body=b"x").run()) == 405
    assert store == {}


def test_a_session_holds_so_many_bytes_until_it_removes_some(client, store, permitted, monkeypatch):
    monkeypatch.setattr(uploads, "ALONE", uploads.Limits(session=100_000, address=10**9, all=10**9))
    assert [put(client, name=str(i), size=40_000) for i in range(3)] == [204, 204, 413]
    assert put(client, "other", size=40_000) == 204
    assert client.delete("/_stcore/upload_file/mine/0").status_code == 204
    assert put(client, name="3", size=40_000) == 204


def test_an_address_and_all_together_hold_so_many_bytes(client, store, permitted, monkeypatch):
    monkeypatch.setattr(uploads, "ALONE", uploads.Limits(session=100_000, address=150_000, all=10**9))
    assert [put(client, session, size=60_000) for session in "abc"] == [204, 204, 413]
    elsewhere = TestClient(client.app, base_url=HERE, client=("192.168.1.6", 1000))
    assert put(elsewhere, "d", size=60_000) == 204
    monkeypatch.setattr(uploads, "ALONE", uploads.Limits(session=100_000, address=150_000, all=200_000))
    assert put(elsewhere, "e", size=60_000) == 503


def test_many_empty_files_count_too(client, permitted, monkeypatch):
    monkeypatch.setattr(uploads, "ALONE", uploads.Limits(session=10 * uploads.SMALLEST, address=10**9, all=10**9))
    results = [put(client, name=str(i), size=10) for i in range(30)]
    assert results.count(204) <= 10
    assert results[-1] == 413


def test_a_file_says_its_size_and_is_not_too_large(client, store, permitted):
    assert put(client, size=(config.get_option("server.maxUploadSize") + 2) * uploads.MIB) == 413
    chunked = client.put("/_stcore/upload_file/mine/1", content=iter([b"x"]))
    assert chunked.status_code == 411
    assert store == {}


def test_slow_bodies_end_in_time_and_leave_room_for_another_address(client, permitted, monkeypatch):
    monkeypatch.setattr(gateway, "BODY_SECONDS", 0.5)

    async def attack():
        slow = [asyncio.create_task(Upload(client.app).run()) for _ in range(30)]
        await asyncio.sleep(0.1)
        elsewhere = asyncio.create_task(Upload(client.app, "/_stcore/upload_file/other/1", "192.168.1.7").run())
        await asyncio.sleep(0.1)
        assert not elsewhere.done(), "its body is waited for"
        return [await one for one in slow]

    statuses = asyncio.run(attack())
    assert statuses.count(429) == 30 - gateway.BODIES_EACH
    assert statuses.count(408) == gateway.BODIES_EACH
    assert put(client) == 204, "the places are given back"


def test_every_uploader_of_the_pages_permits_its_session(monkeypatch):
    bare = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in [*(ROOT / "workbench").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]
        for name in ("st.file_uploader(", "st.camera_input(", "st.audio_input(", "st.chat_input(")
        if name in path.read_text("utf-8") and path.name != "uploads.py"
    ]
    assert bare == []
    context = SimpleNamespace(session_id="")
    monkeypatch.setattr(streamlit_internals, "get_script_run_ctx", lambda: context)
    for i in range(2 * uploads.SESSIONS):
        context.session_id = f"session {i}"
        uploads.permit_session()
    assert uploads.permitted(context.session_id)
    assert not uploads.permitted("session 0")
    assert len(uploads._may) == uploads.SESSIONS
