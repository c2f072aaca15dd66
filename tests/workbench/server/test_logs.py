"""A log stays bounded, and says what it left out."""

import io
import logging
import sys
import time

from workbench.server import rates
from workbench.server.logs import LimitedStream, limit_log


def test_a_flood_of_lines_is_cut_and_counted(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(rates.time, "monotonic", lambda: now[0])
    out = io.StringIO()
    stream = LimitedStream(out, a_minute=6000)
    for _ in range(100_000):
        stream.write("x" * 99 + "\n")
    assert len(out.getvalue()) <= 6000
    now[0] += 30
    stream.write("later\n")
    assert "99940 lines of the log were left out]\nlater\n" in out.getvalue()
    stream.flush()


def test_tracebacks_and_loggers_of_the_process_share_the_limit(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    logger = logging.getLogger("test of a limited log")
    logger.propagate = False
    logger.addHandler(logging.StreamHandler())
    start = time.monotonic()
    limit_log(a_minute=1000)
    for _ in range(1000):
        logger.warning("a line of the log")
        print("a traceback", file=sys.stderr)
    assert 900 < len(out.getvalue()) <= 1001 + (time.monotonic() - start) * 1000 / 60
