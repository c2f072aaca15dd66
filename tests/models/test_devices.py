"""What `--device` means."""

import pytest

from models.devices import device_of
from models.evaluate import main


@pytest.mark.parametrize(("gpu", "found"), [(True, "cuda"), (False, "cpu")])
def test_auto_is_what_is_there(monkeypatch, gpu, found):
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    assert device_of("auto") == found
    assert device_of("cpu") == "cpu"


@pytest.mark.parametrize("name", ["cuda", "gpu", ""])
def test_a_device_that_is_not_there_ends_with_what_is(monkeypatch, name):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ValueError, match=rf"no device {name} here: give --device auto, .*\(cpu"):
        device_of(name)


def test_the_command_says_so(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SystemExit, match="no device cuda here"):
        main(["residual_cnn", "--device", "cuda"])
