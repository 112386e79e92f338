"""Where to write labels beside points so that they cover neither points nor each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, bottom, right, top, in pixels
FONT = 8
TEXT_ON_TEXT, TEXT_ON_MARK, TEXT_ON_SPECK = 1000, 200, 12


@dataclass(frozen=True)
class Label:
    """A text that belongs to a point in data coordinates."""

    point: Point
    text: str
    colour: str = "black"


def place(axes: Axes, labels: Sequence[Label], marks: Sequence[Point] = (), specks: Sequence[Point] = ()) -> None:
    """Write each label at the nearest of several offsets that covers least; call it when all else is drawn.

    Args:
        marks: points (besides those labelled) not to be covered.
        specks: points that may be covered where nothing else is left.
    """
    from matplotlib.figure import Figure

    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    # The layout is settled now, and later drawings would move the points away from under their labels.
    scale = figure.dpi / 72
    costs = [
        *((_around(axes, label.point, 5 * scale), TEXT_ON_MARK) for label in labels),
        *((_around(axes, point, 5 * scale), TEXT_ON_MARK) for point in marks),
        *((_around(axes, point, 2 * scale), TEXT_ON_SPECK) for point in specks),
    ]
    frame = axes.get_window_extent().extents
    for label in labels:
        boxes = {way: _box(axes, label, way, scale) for way in _offsets()}
        best = min(boxes, key=lambda way: _cost(boxes[way], costs, frame) + abs(way[0]) + abs(way[1]))
        costs.append((boxes[best], TEXT_ON_TEXT))
        _write(axes, label, best)


def along(line: Sequence[Point], number: int = 8) -> list[Point]:
    """Return points spread along a polygonal line, so that it can be avoided like points."""
    shares = [place / number for place in range(1, number)]
    return [
        (x0 + share * (x1 - x0), y0 + share * (y1 - y0)) for (x0, y0), (x1, y1) in pairwise(line) for share in shares
    ]


def _write(axes: Axes, label: Label, way: Point) -> None:
    far = abs(way[0]) + abs(way[1]) > 24
    arrow = {"arrowstyle": "-", "color": "#999999", "lw": 0.6, "shrinkA": 0, "shrinkB": 3} if far else None
    side = "center" if way[0] == 0 else ("left" if way[0] > 0 else "right")
    axes.annotate(
        label.text,
        label.point,
        way,
        textcoords="offset points",
        ha=side,
        va="center",
        fontsize=FONT,
        color=label.colour,
        arrowprops=arrow,
        zorder=6,
    )


def _offsets() -> list[Point]:
    ways = [(1, 0.8), (1, -0.8), (-1, 0.8), (-1, -0.8), (0, 1.3), (0, -1.3), (1, 0), (-1, 0)]
    return [(8 * x * far, 9 * y * far) for far in (1, 1.5, 2.2, 3, 4) for x, y in ways]


def _around(axes: Axes, point: Point, radius: float) -> Box:
    x, y = axes.transData.transform(point).tolist()
    return x - radius, y - radius, x + radius, y + radius


def _box(axes: Axes, label: Label, way: Point, scale: float) -> Box:
    width, height = (0.66 * FONT * len(label.text) + 2) * scale, 1.3 * FONT * scale
    x, y = axes.transData.transform(label.point).tolist()
    left, bottom = x + way[0] * scale - width * (0.5 if way[0] == 0 else float(way[0] < 0)), y + way[1] * scale
    return left, bottom - height / 2, left + width, bottom - height / 2 + height


def _cost(box: Box, taken: Sequence[tuple[Box, int]], frame: Box) -> float:
    left, bottom, right, top = box
    outside = left < frame[0] or right > frame[2] or bottom < frame[1] or top > frame[3]
    covered = sum(
        cost
        for other, cost in taken
        if left <= other[2] and other[0] <= right and bottom <= other[3] and other[1] <= top
    )
    return covered + (TEXT_ON_TEXT if outside else 0)
