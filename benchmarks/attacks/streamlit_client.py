"""A program that speaks to the app as a browser does: a session over a WebSocket, and uploads beside it."""

from __future__ import annotations

import http.client
import socket
import time
from contextlib import ExitStack
from typing import Any, Self

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

HOST = "127.0.0.1"


def handshake(port: int, origin: str | None, host: str | None = None, source: str = HOST) -> int:
    """The status with which the app responds to a WebSocket that says it comes from `origin`; 0: none within 30 s."""
    lines = [
        "GET /_stcore/stream HTTP/1.1",
        f"Host: {host or f'{HOST}:{port}'}",
        *([] if origin is None else [f"Origin: {origin}"]),
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ]
    try:
        with socket.create_connection((HOST, port), timeout=30, source_address=(source, 0)) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
            return int(connection.recv(100).split()[1])
    except (OSError, IndexError):
        return 0


def status(port: int, path: str = "/_stcore/health", host: str | None = None, source: str = HOST) -> int:
    """The status of a request; 0: no response within 10 s."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10, source_address=(source, 0))
    try:
        connection.request("GET", path, headers={"Host": host or f"{HOST}:{port}"})
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def elements(sent: list[ForwardMsg], kind: str) -> list[Any]:
    """What of a kind ("markdown", "alert", "button" …) a page has drawn."""
    drawn = [message.delta.new_element for message in sent if message.WhichOneof("type") == "delta"]
    return [getattr(element, kind) for element in drawn if element.WhichOneof("type") == kind]


class Visitor:
    """A session of the app.

    Attributes:
        session: its id, as the app names it.
        token: against forged requests, as a cookie and a header.
    """

    def __init__(self, port: int, source: str = HOST) -> None:
        self.port, self.source = port, source
        connection = http.client.HTTPConnection(HOST, port, timeout=60, source_address=(source, 0))
        connection.request("GET", "/_stcore/health")
        response = connection.getresponse()
        self.token = response.getheader("set-cookie", "").partition("_streamlit_xsrf=")[2].partition(";")[0]
        connection.close()
        self._open = ExitStack()
        opening = connect(
            f"ws://{HOST}:{port}/_stcore/stream",
            origin=f"http://{HOST}:{port}",
            subprotocols=["streamlit"],
            additional_headers={"Cookie": f"_streamlit_xsrf={self.token}"},
            source_address=(source, 0),
            max_size=None,
        )
        self._socket = self._open.enter_context(opening)
        self.session = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session."""
        self._open.close()

    def run(
        self,
        page: str = "",
        query: str = "",
        seconds: float = 120,
        texts: dict[str, str] | None = None,
        press: str = "",
    ) -> list[ForwardMsg]:
        """Open a page of the app, with a text in each widget of `texts` and a button pressed, both by their ids.

        Returns:
            What the app sends until the script of the page has ended.
        """
        message = BackMsg()
        message.rerun_script.page_name, message.rerun_script.query_string = page, query
        for id_, text in (texts or {}).items():
            message.rerun_script.widget_states.widgets.add(id=id_, string_value=text)
        if press:
            message.rerun_script.widget_states.widgets.add(id=press, trigger_value=True)
        self._socket.send(message.SerializeToString())
        sent, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            sent.append(ForwardMsg.FromString(self._socket.recv(timeout=end - time.monotonic())))
            if sent[-1].WhichOneof("type") == "new_session":
                self.session = sent[-1].new_session.initialize.session_id
            if sent[-1].WhichOneof("type") == "script_finished" and self.session:
                return sent
        raise TimeoutError(f"page {page!r} is not finished after {seconds:.0f} s")

    def send(self, message: BackMsg | bytes) -> None:
        """Send any message, or bytes that are none."""
        self._socket.send(message if isinstance(message, bytes) else message.SerializeToString())

    def upload(self, size: int, name: str = "picture", path: str | None = None) -> int:
        """Upload a file of so many zeros; the status, 0 where the connection was closed before one came."""
        start = f'--b\r\nContent-Disposition: form-data; name="f"; filename="{name}.png"\r\n\r\n'.encode()
        body = start + bytes(size) + b"\r\n--b--\r\n"
        connection = http.client.HTTPConnection(HOST, self.port, timeout=60, source_address=(self.source, 0))
        headers = {
            "Content-Type": "multipart/form-data; boundary=b",
            "X-Xsrftoken": self.token,
            "Cookie": f"_streamlit_xsrf={self.token}",
        }
        try:
            connection.request("PUT", path or f"/_stcore/upload_file/{self.session}/{name}", body, headers)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def connected(self) -> bool:
        """Whether the app still holds the session."""
        try:
            self._socket.ping().wait(5)
        except (OSError, WebSocketException):
            return False
        return True
