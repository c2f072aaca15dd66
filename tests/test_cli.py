"""The `ferscope` command, as a person types it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import types
import urllib.request
from pathlib import Path

import pytest
from helpers.browser import free_port, wait_until_served

from models.training.recipes import RECIPES
from workbench import cli
from workbench.server import access

ROOT = Path(__file__).resolve().parents[1]
FERSCOPE = Path(sys.executable).with_name("ferscope")


def test_without_arguments_it_shows_every_command(capsys):
    cli.main([])
    shown = capsys.readouterr().out
    assert [name for name in cli.COMMANDS if not re.search(rf"^  {name}  +\w", shown, re.MULTILINE)] == []
    cli.main(["--help"])
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize(("typed", "meant"), [("tarin", "train"), ("date", "data"), ("ap", "app"), ("zo", "zoo")])
def test_an_unknown_command_names_the_nearest(typed, meant, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([typed])
    assert end.value.code == 2
    assert f'no command "{typed}"; did you mean "{meant}"?' in capsys.readouterr().err


def test_a_command_gets_the_arguments_after_its_name(monkeypatch):
    import models.train

    got = []
    monkeypatch.setattr(models.train, "main", got.extend)
    cli.main(["train", "--epochs", "2"])
    assert got == ["--epochs", "2"]


def test_a_reader_that_has_seen_enough_is_no_error():
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = subprocess.Popen([FERSCOPE, "networks", "list"], text=True, **pipes)
    command.stdout.close()  # as `| head` does
    assert (command.stderr.read(), command.wait()) == ("", 0)


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([name, "--help"])
    assert end.value.code in (0, None)
    assert f"ferscope {name}" in capsys.readouterr().out


def test_the_help_of_train_lists_the_recipes(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    listed = re.search(r"Recipes: (.+?)\.", " ".join(capsys.readouterr().out.split()))[1]
    assert set(listed.split(", ")) == set(RECIPES)


def test_the_help_does_not_wait_for_torch():
    code = (
        "import sys, workbench.server.access; from workbench import cli; cli.main([]); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_a_taken_port_is_one_sentence_with_the_way_on():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SystemExit) as end:
            cli.main(["app", "--port", str(port)])
    assert end.value.code == f"Port {port} is in use or not permitted: choose another with --port."


def test_for_a_class_a_port_that_is_taken_on_another_address_is_one_sentence():
    with socket.socket() as other:
        other.bind(("127.0.0.2", 0))
        other.listen()
        port = other.getsockname()[1]
        assert cli.port_is_free(port)
        with pytest.raises(SystemExit) as end:
            cli.main(["app", "--lan", "--port", str(port)])
    assert end.value.code == f"Port {port} is in use or not permitted: choose another with --port."


def test_a_port_of_ipv6_is_looked_at_as_such(monkeypatch):
    port = free_port()
    if socket.has_ipv6 and cli.port_is_free(port, "::1"):
        with socket.socket(socket.AF_INET6) as other:
            other.bind(("::1", port))
            other.listen()
            assert not cli.port_is_free(port, "::1")
            assert cli.port_is_free(port)
    monkeypatch.setattr(cli.socket, "socket", lambda *_: (_ for _ in ()).throw(OSError("no IPv6 here")))
    assert not cli.port_is_free(port, "::1")


def plain(text: str) -> str:
    """An error in a frame, in one line."""
    return " ".join(text.replace("│", " ").split())


@pytest.mark.parametrize("name", ["http://fer.example.org", "fer.example.org:8501", "*", "a b", "<b>", ""])
def test_what_is_no_host_name_is_refused(name, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["app", "--host-name", name])
    assert end.value.code == 2
    assert "without http:// and without a port" in plain(capsys.readouterr().err)


@pytest.mark.parametrize("port", ["0", "65536", "eighty", "-1"])
def test_a_port_that_does_not_exist_is_refused(port, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["app", f"--port={port}"])
    assert end.value.code == 2
    assert "from 1 to 65535" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="sends Ctrl-C as POSIX systems do")
def test_the_app_starts_from_any_folder_and_ends_quietly_at_ctrl_c(tmp_path):
    port = free_port()
    log = tmp_path / "log"
    with log.open("wb") as out:
        app = subprocess.Popen([FERSCOPE, "app", "--port", str(port)], cwd=tmp_path, stdout=out, stderr=out)
    try:
        assert wait_until_served(f"http://127.0.0.1:{port}/_stcore/health", app), log.read_text()
        app.send_signal(signal.SIGINT)
        assert app.wait(60) == 0
    finally:
        if app.poll() is None:
            app.terminate()
            app.wait(60)
    said = log.read_text()
    assert f"http://127.0.0.1:{port}" in said, "the settings of .streamlit/config.toml were not found"
    assert not re.search("Network URL|Traceback|Aborted|Error", said), said
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def handshake(port: int, host: str, origin: str | None = None) -> int:
    """The status that a browser gets which opens the app's web socket under this host name."""
    lines = [
        "GET /_stcore/stream HTTP/1.1",
        f"Host: {host}:{port}",
        f"Origin: {origin or f'http://{host}:{port}'}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return int(connection.recv(100).split()[1])


@pytest.mark.skipif(os.name != "posix", reason="sends Ctrl-C as POSIX systems do")
def test_for_a_class_the_app_prints_a_token_and_serves_its_own_names_only():
    port = free_port()
    command = [FERSCOPE, "app", "--port", str(port), "--lan", "--host-name", "fer.example.org"]
    app = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        said = "".join(app.stdout.readline() for _ in range(4 + len(access.addresses())))
        assert wait_until_served(f"http://127.0.0.1:{port}/_stcore/health", app), said
        assert handshake(port, "evil.example") == 403, "a foreign name that points here is not ours"
        for name in ("127.0.0.1", "localhost", "fer.example.org", socket.gethostname(), *access.own_names()):
            assert handshake(port, name) == 101, name
        assert handshake(port, "127.0.0.1", "https://fer.example.org") == 101, "a proxy that names us by our address"
        assert handshake(port, "127.0.0.1", "https://evil.example") == 403
        for address in access.addresses():
            assert urllib.request.urlopen(f"http://{address}:{port}/_stcore/health", timeout=60).status == 200
            assert handshake(port, address) == 101
            assert f"http://{address}:{port}" in said
    finally:
        app.send_signal(signal.SIGINT)
        assert app.wait(60) == 0
    assert re.search(r"Teacher's token: \w{4}-\w{4}-\w{4}", said)


@pytest.mark.parametrize("name", sorted(set(cli.COMMANDS) - {"app"}))
def test_ctrl_c_ends_every_command_without_a_traceback(name, monkeypatch, capsys):
    def stopped(argv):
        raise KeyboardInterrupt

    module = types.SimpleNamespace(main=stopped)
    monkeypatch.setattr("workbench.cli.importlib.import_module", lambda _: module)
    with pytest.raises(SystemExit) as end:
        cli.main([name])
    assert end.value.code == 130
    assert capsys.readouterr().err == "Stopped.\n"
