"""What tests of several pages share."""

import sys

import pytest


@pytest.fixture
def quick(monkeypatch):
    """Every network is quick enough to be asked at once, however busy this computer is."""
    monkeypatch.setattr(sys.modules["workbench.services.robustness"], "pace", lambda network: 0.001)
