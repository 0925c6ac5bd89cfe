"""Charts as inline SVG, dark on light: they print, and need no script and no library."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]

WIDTH, HEIGHT = 640, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 16, 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Maps low…high to start…end in pixels; on a logarithmic one whatever lies below ``low``, zero included, is drawn at it."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        value = min(max(value, self.low), self.high)
        share = (
            math.log(value / self.low) / math.log(self.high / self.low)
            if self.log
            else (value - self.low) / (self.high - self.low)
        )
        return self.start + share * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        """Decades, or four to eight round steps."""
        if self.log:
            return [10.0**power for power in range(round(math.log10(self.low)), round(math.log10(self.high)) + 1)]
        rough = (self.high - self.low) / 5
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * 0.99)
        first = math.ceil(self.low / step - 1e-9)
        return [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]


class Chart:
    """A frame with two axes, to which marks are added; :meth:`text` is the SVG."""

    def __init__(self, title: str, x: Scale, y: Scale, labels: tuple[str, str], height: int = HEIGHT) -> None:
        self.x, self.y, self.height = x, y, height
        self._parts = [f"<title>{escape(title)}</title>"]
        self._axes(*labels)

    def _axes(self, x_label: str, y_label: str) -> None:
        left, right, bottom, top = self.x.start, self.x.end, self.y.start, self.y.end
        for tick in self.x.ticks:
            at = self.x.at(tick)
            self._line((at, bottom), (at, top), "grid")
            self.words((at, bottom + 16), tick_text(tick, log=self.x.log), anchor="middle")
        for tick in self.y.ticks if y_label else ():
            at = self.y.at(tick)
            self._line((left, at), (right, at), "grid")
            self.words((left - 6, at + 4), tick_text(tick, log=self.y.log), anchor="end")
        self._parts.append(f'<path class="axis" d="M{left} {top}V{bottom}H{right}"/>')
        self.words(((left + right) / 2, bottom + 36), x_label, anchor="middle", kind="label")
        middle = (top + bottom) / 2
        turned = f'<text class="label" text-anchor="middle" transform="translate(14 {middle:.1f}) rotate(-90)">{escape(y_label)}</text>'
        self._parts.append(turned)

    def words(self, at: Point, text: str, *, anchor: str = "start", kind: str = "tick") -> None:
        """Text at a place in pixels."""
        self._parts.append(f'<text class="{kind}" x="{at[0]:.1f}" y="{at[1]:.1f}" text-anchor="{anchor}">{escape(text)}</text>')

    def _line(self, start: Point, end: Point, kind: str) -> None:
        self._parts.append(f'<line class="{kind}" x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"/>')

    def line(self, points: Iterable[Point], kind: str) -> None:
        """Through points in the chart's own values."""
        places = " ".join(f"{self.x.at(x):.1f},{self.y.at(y):.1f}" for x, y in points)
        self._parts.append(f'<polyline class="{kind}" points="{places}"/>')

    def area(self, points: Sequence[Point], kind: str) -> None:
        places = " ".join(f"{self.x.at(x):.1f},{self.y.at(y):.1f}" for x, y in points)
        self._parts.append(f'<polygon class="{kind}" points="{places}"/>')

    def dot(self, at: Point, kind: str) -> None:
        self._parts.append(f'<circle class="{kind}" cx="{self.x.at(at[0]):.1f}" cy="{self.y.at(at[1]):.1f}" r="4"/>')

    def upright(self, x: float, kind: str) -> None:
        """A line over the whole height."""
        self._line((self.x.at(x), self.y.start), (self.x.at(x), self.y.end), kind)

    def text(self) -> str:
        return f'<svg viewBox="0 0 {WIDTH} {self.height}" role="img">{"".join(self._parts)}</svg>'


def across(low: float, high: float, *, log: bool = False, left: float = _LEFT) -> Scale:
    """The horizontal scale of a chart."""
    return Scale(low=low, high=high, start=left, end=WIDTH - _RIGHT, log=log)


def upwards(low: float, high: float, *, log: bool = False, height: int = HEIGHT) -> Scale:
    """The vertical scale of a chart."""
    return Scale(low=low, high=high, start=height - _BOTTOM, end=_TOP, log=log)


def decade_below(value: float) -> float:
    """The power of ten at or below it."""
    return 10.0 ** math.floor(math.log10(value) + 1e-9)


def tick_text(value: float, *, log: bool) -> str:
    if not log:
        return f"{value:.6g}"
    power = round(math.log10(value))
    return "1" if power == 0 else f"0.{'0' * (-power - 1)}1" if -3 <= power < 0 else f"1e{power}"
