"""A server whose open files an attacker wants to use up, and clients that it must still serve."""

import logging
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress

import pytest
from helpers.browser import ROOT, free_port

from workbench.server import connections
from workbench.server.connections import LogLimit, network

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits open files as POSIX systems do")

SERVER = """
import resource, sys
import uvicorn
from workbench.server import connections
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
connections.HEADER_SECONDS = float(sys.argv[2])
connections.WRITE_SECONDS = float(sys.argv[3])

LARGE = bytes(32 << 20)

async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
    elif scope["type"] == "http":
        body = LARGE if scope["path"] == "/large" else b"ok"
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for at in range(0, len(body), 65536):
            await send({"type": "http.response.body", "body": body[at : at + 65536], "more_body": True})
        await send({"type": "http.response.body", "body": b""})

connections.limit_connections()
connections.limit_connections()  # a second call changes nothing
uvicorn.run(app, port=int(sys.argv[1]), lifespan="off", log_level="warning")
"""
REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@contextmanager
def serving(tmp_path, header_seconds=30.0, write_seconds=1.0):
    port, log = free_port(), tmp_path / "log"
    with log.open("wb") as out:
        command = [sys.executable, "-c", SERVER, str(port), str(header_seconds), str(write_seconds)]
        server = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out)
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                responds(port)
                break
            except OSError:
                time.sleep(0.1)
        yield port, log
    finally:
        server.terminate()
        server.wait(30)


def opened(port: int, data: bytes, source: str = "127.0.0.1") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0))
    client.sendall(data)
    return client


def responds(port: int, source: str = "127.0.0.1") -> float:
    """Seconds until a whole request is responded to."""
    began = time.monotonic()
    with opened(port, REQUEST, source) as client:
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    return time.monotonic() - began


def closed(client: socket.socket, seconds: float) -> bool:
    client.settimeout(seconds)
    try:
        return client.recv(1) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def test_unfinished_headers_of_300_clients_neither_stop_the_server_nor_fill_the_log(tmp_path):
    with serving(tmp_path) as (port, log), ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(opened(port, b"GET / HTTP/1.1\r\nHost: here\r\nX-Slow: "))
        assert responds(port) < 5
        assert responds(port) < 5
    assert log.stat().st_size < 10_000
    assert "Traceback" not in log.read_text()


def test_headers_that_stay_unfinished_are_closed_at_the_deadline_however_they_drip(tmp_path):
    with serving(tmp_path, header_seconds=1.0) as (port, _):
        silent, dripping = opened(port, b""), opened(port, b"GET / HTTP/1.1\r\n")
        began = time.monotonic()
        try:
            while time.monotonic() - began < 5:
                dripping.sendall(b"X: y\r\n")
                time.sleep(0.2)
        except ConnectionError:
            pass
        assert 0.8 < time.monotonic() - began < 4
        assert closed(silent, 2)


def test_a_response_that_nobody_reads_is_given_up_and_a_slow_reader_gets_it_all(tmp_path):
    request = REQUEST.replace(b"/ ", b"/large ")
    with serving(tmp_path) as (port, _), opened(port, request) as silent, opened(port, request) as slow:
        received = 0
        while received < 32 << 20 and (part := slow.recv(1 << 20)):
            received += len(part)
            time.sleep(0.05)
        assert received >= 32 << 20
        silent.settimeout(5)
        received = 0
        with suppress(ConnectionError):
            while part := silent.recv(1 << 20):
                received += len(part)
        assert received < 32 << 20


def test_clients_that_do_not_read_give_way_to_others(tmp_path):
    with serving(tmp_path, write_seconds=60.0) as (port, _), ExitStack() as stack:
        for _ in range(200):
            with suppress(ConnectionError):
                stack.enter_context(opened(port, REQUEST.replace(b"/ ", b"/large ")))
        time.sleep(2.5)
        assert responds(port) < 5
        assert responds(port) < 5


def test_requests_that_do_not_wait_for_a_response_get_one(tmp_path):
    with serving(tmp_path) as (port, _), opened(port, REQUEST * 20) as client:
        response = b""
        while part := client.recv(65536):
            response += part
    assert response.count(b"HTTP/1.1 200") == 1


def test_a_second_request_on_the_same_connection_has_the_deadline_too(tmp_path):
    with serving(tmp_path, header_seconds=1.0) as (port, _), opened(port, REQUEST) as client:
        response = b""
        while not response.endswith(b"ok"):
            response += client.recv(200)
        client.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        assert closed(client, 4)


def test_a_websocket_outlives_the_deadline(tmp_path):
    with serving(tmp_path, header_seconds=0.5) as (port, _), opened(port, UPGRADE) as client:
        assert client.recv(300).startswith(b"HTTP/1.1 101")
        assert not closed(client, 2)


def test_a_message_of_a_websocket_has_a_largest_size(tmp_path):
    size = connections.MESSAGE_BYTES + 1
    frame = b"\x82\xff" + size.to_bytes(8, "big") + bytes(4)
    with serving(tmp_path) as (port, _), opened(port, UPGRADE) as client:
        assert client.recv(300).startswith(b"HTTP/1.1 101")
        client.sendall(frame)
        client.settimeout(10)
        assert client.recv(300)[:1] in (b"\x88", b""), "closed before the message has come"


def test_websockets_of_one_address_leave_room_for_another(tmp_path):
    with serving(tmp_path) as (port, log), ExitStack() as stack:
        clients = [stack.enter_context(opened(port, UPGRADE, "127.0.0.3")) for _ in range(250)]
        time.sleep(1)
        assert sum(not closed(client, 0.01) for client in clients) < 120, "the share of one address is half of all"
        assert responds(port, "127.0.0.2") < 5
    assert log.stat().st_size < 10_000


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.168.1.7", "192.168.1.7"),
        ("::ffff:192.168.1.7", "192.168.1.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::1"),
        ("testclient", "testclient"),
    ],
)
def test_a_client_is_an_ipv4_address_or_an_ipv6_network(address, client):
    assert network(address) == client


def test_a_message_that_repeats_is_logged_a_few_times_a_minute_and_says_so(monkeypatch):
    monkeypatch.setattr(connections.time, "monotonic", lambda: now)
    now, limit = 1000.0, LogLimit()

    def logged(message: str, *args: object) -> list[str]:
        records = [logging.LogRecord("uvicorn.error", logging.WARNING, "", 0, message, args, None) for _ in range(50)]
        return [record.getMessage() for record in records if limit.filter(record)]

    shown = logged("Invalid request %s.", "a")
    assert len(shown) == connections.LINES
    assert shown[-1] == "Invalid request a. (More messages like this are left out this minute.)"
    assert logged("Invalid request %s.", "b") == []
    assert len(logged("Another message.")) == connections.LINES
    now = 1061.0
    assert len(logged("Invalid request %s.", "c")) == connections.LINES


def test_messages_made_up_by_a_client_do_not_fill_the_memory_of_the_log():
    limit = LogLimit()
    for i in range(3 * connections.KINDS):
        limit.filter(logging.LogRecord("uvicorn.error", logging.WARNING, "", 0, f"Odd header {i}", (), None))
    assert len(limit._seen) <= connections.KINDS + 1
