"""A browser and plain connections to the public demo."""

from __future__ import annotations

import io
import json
import socket
import time
from contextlib import suppress
from functools import cache

import httpx
import numpy as np

from workbench import faces, services

from .instances import Instance

API = "gradio_api/"
META = {"_type": "gradio.FileData"}


@cache
def face_png(side: int = 256) -> bytes:
    """A picture with a face, a PNG file."""
    buffer = io.BytesIO()
    faces.sample_picture("astronaut").resize((side, side)).save(buffer, "PNG")
    return buffer.getvalue()


@cache
def expected() -> dict[str, float]:
    """What the default network predicts for it."""
    picture = faces.read(face_png())
    prediction = services.predict(faces.crop(picture, (faces.detect(picture) or [faces.whole(picture)])[0]))
    return dict(zip(prediction.classes, prediction.probabilities.tolist(), strict=True))


class Browser:
    """A browser with its cookie, which uploads a picture once and has it classified again and again."""

    def __init__(self, instance: Instance):
        self.client = httpx.Client(base_url=instance.url, timeout=15)
        if instance.kind == "demo with a password":
            self.client.get("")
            self.client.post("login", data={"username": "class", "password": "right words"}).raise_for_status()
        self.path: str | None = None

    def use(self) -> bool:
        """One prediction."""
        if self.path is None:
            self.client.get("").raise_for_status()
            self.path = self.upload(face_png())
        shares = self.predicted(self.path)
        return bool(np.allclose([shares[c] for c in expected()], list(expected().values()), atol=1e-4))

    def upload(self, data: bytes) -> str:
        """The path of an uploaded picture."""
        response = self.client.post(f"{API}upload", files={"files": ("face.png", data)})
        return response.raise_for_status().json()[0]

    def predicted(self, path: str, network: object = services.networks.DEFAULT_NETWORK) -> dict[str, float]:
        """Class: probability; ValueError with the demo's error."""
        body = {"data": [{"path": path, "meta": META}, network]}
        event = self.client.post(f"{API}call/predict", json=body).raise_for_status().json()["event_id"]
        text = self.client.get(f"{API}call/predict/{event}").text
        kind, data = text.split("event: ")[-1].split("\ndata: ", 1)
        if kind != "complete":
            raise ValueError(data)
        return json.loads(data)[0]


def connected(instance: Instance, data: bytes) -> socket.socket | None:
    """A connection that has sent this; None where it was refused."""
    with suppress(OSError):
        sock = socket.create_connection(("127.0.0.1", instance.port), timeout=5)
        sock.sendall(data)
        return sock
    return None


def growth(instance: Instance, before: int, most: int) -> str:
    """What to say where the memory grew by more than so many MiB."""
    grown = instance.memory() - before
    return f"memory grew by {grown} MiB" if grown > most else ""


def join(client: httpx.Client, trigger: str, data: list, session: str) -> int:
    """Status of the request that an event of the page sends; `trigger` names a component's label and an event."""
    label, _, event = trigger.partition(".")
    config = client.get("config").json()
    ids = [c["id"] for c in config["components"] if c["props"].get("label") == label]
    found = next(d for d in config["dependencies"] if any(t[0] in ids and t[1] == event for t in d["targets"]))
    body = {"data": data, "fn_index": found["id"], "session_hash": session}
    return client.post(f"{API}queue/join", json=body).status_code


def close(socks: list[socket.socket | None]) -> None:
    """End connections."""
    for sock in filter(None, socks):
        sock.close()


def unfinished_headers(instance: Instance) -> int:
    """Hold 300 connections open whose headers never end, for twelve seconds; how many bytes the log grew by."""
    before = instance.log.stat().st_size
    socks = [connected(instance, b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ") for _ in range(300)]
    for _ in range(6):
        time.sleep(2)
        for sock in filter(None, socks):
            with suppress(OSError):
                sock.sendall(b"y")
    close(socks)
    return instance.log.stat().st_size - before
