"""The network: strip [n, 1, 32, w] to logits [n, w/4, 38], with a receptive field of about three characters.

Wide enough to see how blurred and how heavy its neighbours are, too narrow to learn what letters follow one another in names.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

CLASSES = 38


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """``width`` multiplies the channels, ``reach`` columns are read at once, neighbours are mixed ``mixes`` times."""

    width: float = 1.0
    reach: int = 1
    mixes: int = 3


class LineNet(nn.Module):
    """Three convolutions shrink the strip to 4 rows, one reads each column of them as a whole, others mix neighbouring columns."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        a, b, c, d = (8 * round(shape.width * channels / 8) for channels in (16, 32, 48, 128))
        self.see = nn.Sequential(_conv(1, a, 3, 2, 1), _conv(a, b, 3, 2, 1), _conv(b, c, 3, (2, 1), 1))
        self.read = _conv(c, d, (4, shape.reach), 1, (0, shape.reach // 2))
        self.mix = nn.ModuleList([Mix(d, 5) for _ in range(shape.mixes)])
        self.answer = nn.Conv2d(d, CLASSES, 1)

    def forward(self, lines: torch.Tensor) -> torch.Tensor:
        seen = self.read(self.see(lines))
        for mix in self.mix:
            seen = mix(seen)
        logits: torch.Tensor = self.answer(seen)
        return logits.squeeze(2).transpose(1, 2)


class Mix(nn.Module):
    """Columns look ``reach`` // 2 to either side, channel by channel, then channels mix; added to what was there."""

    def __init__(self, channels: int, reach: int) -> None:
        super().__init__()
        self.along = nn.Conv2d(channels, channels, (1, reach), padding=(0, reach // 2), groups=channels, bias=False)
        self.across = _conv(channels, channels, 1, 1, 0)

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        mixed: torch.Tensor = seen + self.across(self.along(seen))
        return mixed


def _conv(
    before: int, after: int, kernel: int | tuple[int, int], stride: int | tuple[int, int], padding: int | tuple[int, int]
) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, kernel, stride, padding, bias=False), nn.BatchNorm2d(after), nn.ReLU())
