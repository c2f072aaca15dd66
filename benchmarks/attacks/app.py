"""Attacks on the workbench: by a page of another site, and by a visitor in the same network (`--lan`)."""

from __future__ import annotations

import http.client
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.exceptions import WebSocketException

from .demo_client import close, connected, growth, unfinished_headers
from .instances import Attack, Instance
from .streamlit_client import HOST, elements, handshake, status
from .streamlit_client import Visitor as Session

ELSEWHERE = "127.0.0.2"  # where the other visitor comes from
FOREIGN = (
    "http://evil.example",
    "null",
    "file://",
    "file:///etc/passwd",
    "http://127.0.0.1:1",
    "http://127.0.0.1.evil",
)


class Someone:
    """Opens the page Explain from another address, again and again."""

    def __init__(self, instance: Instance) -> None:
        self._port = instance.port

    def use(self) -> bool:
        """Whether the sample face is explained."""
        with Session(self._port, ELSEWHERE) as session:
            return any("Prediction: " in text.body for text in elements(session.run(seconds=20), "markdown"))


def foreign_origins(instance: Instance) -> str:
    began = time.monotonic()
    taken = [origin for origin in FOREIGN * 20 if handshake(instance.port, origin) != 403]
    if taken:
        return f"taken: {taken[0]}"
    return "" if time.monotonic() - began < 10 else "it waited for somebody before it refused"


def foreign_page(instance: Instance) -> str:
    for host in ("evil.example", f"evil.example:{instance.port}", "127.0.0.1.evil.example"):
        if status(instance.port, "/", host) != 421 or handshake(instance.port, f"http://{host}", host) != 403:
            return f"{host} is served"
    connection = http.client.HTTPConnection(HOST, instance.port, timeout=10)
    connection.request("GET", "/svd")
    policy = connection.getresponse().getheader("content-security-policy", "")
    return "" if "frame-ancestors 'none'" in policy else "another site may frame it"


def slow_headers(instance: Instance) -> str:
    written = unfinished_headers(instance)
    return f"{written} bytes of log" if written > 100_000 else ""


def many_sessions(instance: Instance) -> str:
    """As many as are let in from one address, then a hundred that come and go."""
    before = instance.memory()
    with ExitStack() as stack, suppress(OSError, WebSocketException):
        for _ in range(200):
            stack.enter_context(Session(instance.port))
    for _ in range(100):
        with suppress(OSError, WebSocketException), Session(instance.port) as session:
            session.send(b"\xff")
    return growth(instance, before, 300)


def harmful_messages(instance: Instance) -> str:
    """What no page sends: emptying the caches of all, Git, no message at all, one of 60 MB."""
    before = instance.memory()
    with Session(instance.port) as session:
        session.run()
        for kind in ("clear_cache", "load_git_info", "set_run_on_save", "debug_shutdown_runtime"):
            session.send(BackMsg(**{kind: True}))
        session.send(b"\xff" * 1000)
        if not session.connected():
            return "an odd message ended the session"
        with suppress(OSError, WebSocketException):
            session.send(bytes(60 * 2**20))
        if session.connected():
            return "a message of 60 MB was taken"
    return growth(instance, before, 200)


def log_flood(instance: Instance) -> str:
    before = instance.log.stat().st_size
    for _ in range(2000):
        close([connected(instance, b"\x00\x01 no HTTP\r\n\r\n")])
    written = instance.log.stat().st_size - before
    return f"{written} bytes of log" if written > 300_000 else ""


def uploads_without_consent(instance: Instance) -> str:
    before = instance.memory()
    with Session(instance.port) as session:
        session.run()
        taken = [session.upload(24 * 2**20, str(i)) for i in range(12)].count(204)
        forms = (f"//_stcore/upload_file/{session.session}/1", f"/_stcore/./upload_file/{session.session}/1")
        taken += [session.upload(1000, path=form) for form in forms].count(204)
    return f"{taken} taken" if taken else growth(instance, before, 200)


def upload_volume(instance: Instance) -> str:
    """Thirty files of 24 MB from a session that may upload, since the page Train shows it an uploader."""
    before = instance.memory()
    with Session(instance.port) as session:
        session.run("train")
        taken = [session.upload(24 * 2**20, str(i)) for i in range(30)]
        if 204 not in taken:
            return "an upload that is allowed was refused"
        return growth(instance, before, 700) if 413 in taken else "all were taken"


def slow_bodies(instance: Instance) -> str:
    with Session(instance.port) as session:
        session.run()
        head = f"PUT /_stcore/upload_file/{session.session}/1 HTTP/1.1\r\nhost: {HOST}:{instance.port}\r\n"
        socks = [connected(instance, head.encode() + b"content-length: 1000\r\n\r\nx") for _ in range(60)]
        time.sleep(10)
        close(socks)
    return ""


def wrong_tokens(instance: Instance) -> str:
    """Sixty guesses of the teacher's token from twelve sessions; then the right one from another address."""

    def guess(session: Session, token: str) -> str:
        sent = session.run("share")
        (text, *_), (button, *_) = elements(sent, "text_input"), elements(sent, "button")
        sent = session.run("share", texts={text.id: token}, press=button.id)
        return " ".join(alert.body for alert in elements(sent, "alert"))

    def guesses(_: int) -> list[str]:
        with suppress(OSError, WebSocketException), Session(instance.port) as session:
            return [guess(session, "aaaa-bbbb-cccc") for _ in range(5)]
        return []

    with ThreadPoolExecutor(3) as pool:
        told = [answer for answers in pool.map(guesses, range(12)) for answer in answers]
    checked = sum("not the token" in answer for answer in told)
    if checked > 5 or not any("Too many wrong attempts" in answer for answer in told):
        return f"{checked} of {len(told)} guesses were checked"
    token = re.search(r"token: (\S+)", instance.log.read_text())[1]
    with Session(instance.port, ELSEWHERE) as session:
        told_teacher = guess(session, token)
    return "the teacher is locked out" if re.search("Too many|not the token", told_teacher) else ""


ATTACKS = [
    Attack("WebSockets of other sites", "app", foreign_origins),
    Attack("a foreign page: frame, host name", "app", foreign_page),
    Attack("300 unfinished headers", "app", slow_headers),
    Attack("300 sessions of one address", "app", many_sessions),
    Attack("messages that no page sends", "app", harmful_messages),
    Attack("bytes that are no HTTP", "app", log_flood),
    Attack("30 uploads of 24 MB", "app", upload_volume),
    Attack("12 uploads of 24 MB without token or consent", "app --lan", uploads_without_consent),
    Attack("60 slow bodies", "app --lan", slow_bodies),
    Attack("60 wrong tokens", "app --lan", wrong_tokens),
]
VISITORS = {"app": Someone, "app --lan": Someone}
