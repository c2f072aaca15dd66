"""What tests of several pages share."""

import pytest

from workbench import services


@pytest.fixture
def quick(monkeypatch):
    """Every network is quick enough to be asked at once, however busy this computer is."""
    monkeypatch.setattr(services, "pace", lambda network: 0.001)
