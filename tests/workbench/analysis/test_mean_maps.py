"""Mean maps are the means of the single maps, by predicted class and correctness."""

import torch
from torch import nn

from workbench.analysis.cam import gradcam
from workbench.analysis.mean_maps import mean_maps


def test_each_group_has_the_mean_and_deviation_of_its_images():
    torch.manual_seed(1)
    body = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU())
    model = nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)).eval()
    x, labels, told = torch.rand(20, 1, 8, 8), torch.arange(20) % 3, []
    found = mean_maps(model, x, labels, "0", batch=8, progress=told.append)
    assert told == [8, 16, 20]
    assert [(one.class_, one.correct) for one in found] == [(k, right) for k in range(3) for right in (True, False)]
    assert sum(one.count for one in found) == 20
    predicted = model(x).argmax(1)
    for one in found:
        chosen = (predicted == one.class_) & ((labels == one.class_) == one.correct)
        assert one.count == int(chosen.sum())
        if not one.count:
            assert float(one.mean.abs().sum()) == 0
            continue
        maps = gradcam(model, x[chosen], [one.class_], "0")[:, 0]
        maps = maps / maps.amax((1, 2), keepdim=True).clamp(min=1e-30)
        torch.testing.assert_close(one.mean, maps.mean(0))
        torch.testing.assert_close(one.deviation, maps.std(0, correction=0), atol=1e-4, rtol=1e-4)
