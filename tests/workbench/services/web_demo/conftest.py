"""A network for the tests of the web demo."""

from __future__ import annotations

import pytest
from helpers.web_networks import late_network

from workbench.services.networks import Network


@pytest.fixture(scope="session")
def late() -> Network:
    return late_network()
