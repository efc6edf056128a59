"""A plot of how speed changes with size, drawn by hand as SVG: lines with their intervals, sizes on a logarithmic scale."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 720, 360, 60, 20, 230, 40
COLOURS = ("#1b6ca8", "#c0562f", "#3d8b4f", "#7a4fa3", "#8a7a1f")
HIGHEST = 1.3


@dataclass(frozen=True)
class Point:
    """At a size: the speed by that at the first size, and the ends of its interval."""

    size: int
    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    name: str
    points: Sequence[Point]


def svg_of(lines: Sequence[Line], goal: float) -> str:
    """Return the plot; no line is to come below `goal`."""
    largest = max(point.size for line in lines for point in line.points)
    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for speed in (0.0, 0.25, 0.5, 0.75, 1.0, 1.25):
        parts.append(_across(speed, "#ddd"))
        parts.append(_text(LEFT - 8, _y(speed) + 4, f"{speed:.2f}", "end"))
    parts.append(_across(goal, "#b00", "6 4"))
    sizes = sorted({point.size for line in lines for point in line.points})
    parts += [_text(_x(size, largest), HEIGHT - BOTTOM + 18, f"{size} x", "middle") for size in sizes]
    for number, (line, colour) in enumerate(zip(lines, COLOURS, strict=False)):
        places = [(_x(point.size, largest), point) for point in line.points]
        way = " ".join(f"{x:.1f},{_y(point.median):.1f}" for x, point in places)
        parts.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, point in places:
            ends = f'x1="{x:.1f}" x2="{x:.1f}" y1="{_y(point.low):.1f}" y2="{_y(point.high):.1f}"'
            parts.append(f'<line {ends} stroke="{colour}" stroke-width="1"/>')
            parts.append(f'<circle cx="{x:.1f}" cy="{_y(point.median):.1f}" r="3" fill="{colour}"/>')
        parts.append(_text(WIDTH - RIGHT + 16, TOP + 20 * (number + 1), line.name, "start", colour))
    parts.append(_text(LEFT, HEIGHT - 4, "speed by that at the first size; dashed: the goal", "start"))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">'
    return "\n".join([head, *parts, "</svg>\n"])


def _x(size: int, largest: int) -> float:
    share = math.log(size) / math.log(largest) if largest > 1 else 0.0
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(speed: float) -> float:
    return HEIGHT - BOTTOM - min(speed, HIGHEST) / HIGHEST * (HEIGHT - TOP - BOTTOM)


def _across(speed: float, colour: str, dashes: str = "none") -> str:
    y = f"{_y(speed):.1f}"
    return f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="{colour}" stroke-dasharray="{dashes}"/>'


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#333") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
