"""Training curves: read from MMEngine's `scalars.json`, drawn as SVG without any library."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

VALIDATED = ('mIoU(S)', 'mIoU(U)', 'hIoU')
WIDTH, HEIGHT = 460, 250
LEFT, RIGHT, TOP, BOTTOM = 46, 66, 12, 40


@dataclass
class Curves:
    """Points (step, value) in order of steps: the loss, and each of `VALIDATED` in percent."""

    loss: list[tuple[int, float]] = field(default_factory=list)
    validated: dict[str, list[tuple[int, float]]] = field(default_factory=dict)


def read_curves(folder: str | Path) -> Curves:
    """Curves of a training in `folder`, a work folder of MMEngine. A training that was killed and
    resumed has several logs there: where two have a step, the later one counts.

    Raises:
        FileNotFoundError: no log with a loss.
    """
    losses, validated = {}, {}
    paths = sorted(Path(folder).glob('*/vis_data/scalars.json'))
    for path in paths:
        for row in map(json.loads, _whole_lines(path)):
            if 'loss' in row:
                losses[row['step']] = row['loss']
            elif 'mIoU' in row and row.get('step'):  # a test outside of training has step 0
                validated[row['step']] = row
    if not losses:
        raise FileNotFoundError(
            f'no loss in {folder}: found {len(paths)} files */vis_data/scalars.json. Give the '
            "training's own work folder, and keep LocalVisBackend in the config's visualizer."
        )
    return Curves(
        sorted(losses.items()),
        {
            key: [(step, row[key]) for step, row in sorted(validated.items()) if key in row]
            for key in VALIDATED
            if any(key in row for row in validated.values())
        },
    )


def _whole_lines(path: Path) -> list[str]:
    """Lines of a file whose last one may have been cut off when its process was killed."""
    lines = [line for line in path.read_text().split('\n') if line.strip()]
    if lines and not lines[-1].rstrip().endswith('}'):
        lines.pop()
    return lines


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers that cover `low` to `high`, about `count` of them."""
    rough = (high - low or abs(high) or 1.0) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]


def line_chart(
    series: dict[str, Sequence[tuple[float, float]]],
    title: str,
    y_label: str,
    x_label: str = 'step',
) -> str:
    """An `<svg>` with one line a series, named at its end and told apart by dashes as well as by
    colour. Colours are the page's: classes `s0`, `s1`, ... and `currentColor`.

    Args:
        series: points (x, value) by name, x from 0 on; a single point is drawn as a dot.
    """
    points = [point for line in series.values() for point in line]
    values = [y for _, y in points]
    ticks = nice_ticks(min(0, *values), max(values)) if values else [0, 1]
    steps = nice_ticks(0, max((x for x, _ in points), default=1), 4)
    right = max([x for x, _ in points], default=1)

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + x / right * (WIDTH - LEFT - RIGHT)
        up = (y - ticks[0]) / (ticks[-1] - ticks[0])
        return round(across, 1), round(HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM), 1)

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        f'<title>{escape(title)}</title>',
    ]
    for tick in ticks:
        _, y = place(0, tick)
        parts.append(
            f'<line class="rule" stroke="currentColor" x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" '
            f'y2="{y}"/><text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{tick:g}</text>'
        )
    for x, tick in ((place(step, 0)[0], step) for step in steps if step <= right):
        parts.append(
            f'<text x="{x}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{tick:g}</text>'
        )
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" '
        f'text-anchor="middle">{escape(x_label)}</text>'
        f'<text transform="translate(11 {(HEIGHT - BOTTOM + TOP) / 2}) rotate(-90)" '
        f'text-anchor="middle">{escape(y_label)}</text>'
    )
    ends = _spread([place(*line[-1])[1] for line in series.values()])
    for number, ((name, line), end) in enumerate(zip(series.items(), ends, strict=True)):
        path = ' '.join(f'{x},{y}' for x, y in (place(*point) for point in line))
        dots = (
            ''.join(
                f'<circle cx="{x}" cy="{y}" r="3"/>' for x, y in (place(*point) for point in line)
            )
            if len(line) < 20
            else ''
        )
        x, _ = place(*line[-1])
        parts.append(
            f'<g class="s{number}"><polyline fill="none" stroke="currentColor" '
            f'points="{path}"/>{dots}'
            f'<text x="{x + 7}" y="{end + 4}">{escape(name)}</text></g>'
        )
    return '\n'.join([*parts, '</svg>'])


def _spread(heights: list[float], gap: float = 14) -> list[float]:
    """Heights of labels moved up until none covers another or the axis."""
    out, last = list(heights), math.inf
    for i in sorted(range(len(heights)), key=lambda i: -heights[i]):
        out[i] = last = min(heights[i], last - gap, HEIGHT - BOTTOM - 6)
    return out
