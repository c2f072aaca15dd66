"""What tests of several pages share."""

import pytest


@pytest.fixture
def quick(monkeypatch):
    """Every network is quick enough to be asked at once, however busy this computer is."""
    for module in ("slow_requests", "uncertainty"):
        monkeypatch.setattr(f"workbench.ui.{module}.pace", lambda network: 0.001)
