"""The report's page: one HTML file that asks for nothing from outside."""

import platform
from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
from itertools import pairwise
from pathlib import Path
from string import Template

import numpy as np
from PIL import Image

from ... import __version__, compat
from ...datasets.label_files import read_label_file
from ...engine.progress import duration
from ...files import whole_file
from ...visualization.paint import data_uri, paint, star
from ..provenance import machine
from .curves import line_chart
from .stages import PICTURES, Method, Report

COLUMNS = {'mIoU': 'mIoU', 'S': 'mIoU(S)', 'U': 'mIoU(U)', 'hIoU': 'hIoU'}
PACKAGES = ('torch', 'mmengine', 'mmsegmentation', 'mmcv', 'mmcv-lite', 'numpy', 'pillow')
WEIGHTS = {
    'toy': '<code>toy</code>, trained by the contrastive loss alone',
    'toy-dense': '<code>toy-dense</code>, whose pre-training had a term on patches as well (from '
    'image-level tags alone), so that MaskCLIP, which reads patches, is better than contrastive '
    'training makes it; the claims of the papers are measured on <code>toy</code>',
}


def write_page(report: Report) -> Path:
    """Writes `index.html` into the report's folder, whole or not at all."""
    path = report.out / 'index.html'
    text = build_page(report)
    with whole_file(path) as partial:
        partial.write_text(text, encoding='utf-8')
    return path


def build_page(report: Report) -> str:
    """The page as text."""
    template = Template(resources.files(__package__).joinpath('page.html').read_text('utf-8'))
    count = min(PICTURES, len(report.dataset))
    return template.substitute(
        intro=intro(report),
        test_scenes=f'{len(report.dataset):,}',
        scores=score_table(report),
        story=story(report),
        class_count=len(report.classes),
        seen_count=len(report.classes) - len(report.unseen),
        unseen_count=len(report.unseen),
        training=training_text(report),
        charts=charts(report),
        picture_count=count,
        legend=legend(report),
        pictures='\n'.join(scene_row(report, index) for index in range(count)),
        per_class=class_table(report.methods),
        times=time_table(report),
        commands=escape('\n'.join(stage.command for stage in report.stages if stage.command)),
        facts=items(facts(report)),
    )


def intro(report: Report) -> str:
    names = ', '.join(f'{escape(name)}*' for name in report.unseen)
    weights = WEIGHTS.get(
        report.weights, f'<code>{escape(report.weights)}</code>, given by the user'
    )
    seen = len(report.classes) - len(report.unseen)
    return (
        f'<p>A program drew these cartoon scenes, so their truth is exact. A tiny CLIP, trained on '
        f'captions of such scenes, knows the names of {len(report.classes)} classes, but no '
        f'caption says where anything is. Four methods make a segmentation of it, each with more '
        f'help than the one before. Masks, where a method may have any, are of {seen} classes; '
        f'the masks of the other {len(report.unseen)} ({names}) are hidden from all: these are the '
        f'<i>unseen</i> classes.</p><p>All start from the CLIP {weights}.</p>'
    )


def score_table(report: Report) -> str:
    """A row a method: what it learns from, what that costs, and its scores."""

    def cell(method: Method, key: str) -> str:
        value = method.metrics.get(key)
        return f'<td class="number">{"-" if value is None else f"{value:.1f}"}</td>'

    head = ''.join(f'<th class="number">{name}</th>' for name in COLUMNS)
    rows = ''.join(
        f'<tr><th scope="row">{escape(method.step.name)}</th><td>{escape(method.step.learns)}</td>'
        f'<td>{cost(method)}</td>{"".join(cell(method, key) for key in COLUMNS.values())}</tr>'
        for method in report.methods
    )
    return (
        f'<table class="scores"><thead><tr><th>method</th><th>learns from</th><th>training</th>'
        f'{head}</tr></thead><tbody>{rows}</tbody></table>'
    )


def cost(method: Method) -> str:
    training = method.training
    if training is None:
        return 'none'
    time = 'time not known' if training.seconds is None else duration(training.seconds)
    return f'{training.steps:,} steps, {time}'


def story(report: Report) -> str:
    """What each method gains over the one before, from the numbers, and why where it loses."""
    told = []
    for before, method in pairwise(report.methods):
        gains = {
            name: round(method.metrics[key] - before.metrics[key], 1)
            for name, key in (('seen', 'mIoU(S)'), ('unseen', 'mIoU(U)'))
            if key in method.metrics and key in before.metrics
        }
        text = ', '.join(f'{gain:+.1f} on {name} classes' for name, gain in gains.items())
        step = method.step
        why = f': {step.below}' if step.below and min(gains.values(), default=0) < 0 else ''
        told.append(f'<b>{escape(step.name)}</b>: {text} to the row above{escape(why)}.')
    return f'<ul>{items(told)}</ul>'


def class_table(methods: Sequence[Method]) -> str:
    """IoU of every class, unseen ones first and marked."""
    head = ''.join(
        f'<th class="number">{escape(m.step.name)}</th><th class="bars"></th>' for m in methods
    )
    rows = []
    order = sorted(
        range(len(methods[0].per_class)), key=lambda i: methods[0].per_class[i]['group'] != 'U'
    )
    for i in order:
        first = methods[0].per_class[i]
        unseen = first['group'] == 'U'
        name = escape(star(first['name'], [first['name']] if unseen else []))
        cells = ''.join(
            iou_cells(m.per_class[i]['IoU'], number) for number, m in enumerate(methods)
        )
        rows.append(
            f'<tr><th scope="row">{name}</th><td>{"unseen" if unseen else "seen"}</td>{cells}</tr>'
        )
    return (
        f'<table style="width:100%"><caption>IoU in percent; * = unseen. A class without a pixel '
        f'has "-".</caption><thead><tr><th>class</th><th>masks</th>{head}</tr></thead>'
        f'<tbody>{"".join(rows)}</tbody></table>'
    )


def iou_cells(iou: float | None, number: int) -> str:
    if iou is None:
        return '<td class="number">-</td><td></td>'
    return (
        f'<td class="number">{iou:.1f}</td>'
        f'<td class="bars"><span class="bar m{number}" style="width:{iou:.1f}%"></span></td>'
    )


def training_text(report: Report) -> str:
    text = f'Each on {report.scenes["train"]:,} scenes'
    short = [
        f'{method.training.steps:,}, not the {method.training.full_steps:,} of its config, for '
        f'{escape(method.step.name)}'
        for method in trained(report)
        if method.training.steps != method.training.full_steps
    ]
    if short:
        text += (
            f'. <b>The steps are {"; ".join(short)}</b>: --steps asked for it, so these are not '
            'the scores of the methods'
        )
    return (
        f'<p>{text}. The curves are of {report.scenes["val"]:,} validation scenes; the table above '
        'is of the test scenes.</p>'
    )


def trained(report: Report) -> list[Method]:
    return [method for method in report.methods if method.training]


def charts(report: Report) -> str:
    names = {'mIoU(S)': 'seen', 'mIoU(U)': 'unseen', 'hIoU': 'hIoU'}
    return '\n'.join(
        f'<figure>{curves_of(method, names)}'
        f'<figcaption>{escape(method.step.name)}</figcaption></figure>'
        for method in trained(report)
    )


def curves_of(method: Method, names: dict[str, str]) -> str:
    lines = {names[key]: points for key, points in method.curves.validated.items()}
    return line_chart(lines, f'{method.step.name}: seen, unseen and hIoU by step', 'IoU, %')


def legend(report: Report) -> str:
    """A swatch and a name for every class, unseen ones striped and starred."""
    parts = []
    for i, name in enumerate(report.classes):
        swatch = paint(
            np.full((8, 12), i), report.classes, palette(report), report.unseen, names=False
        )
        parts.append(f'<img src="{data_uri(swatch)}" alt="">{escape(star(name, report.unseen))}')
    return items(parts)


def scene_row(report: Report, index: int) -> str:
    """Picture, truth and each method's labels of one test scene."""
    scene = report.dataset.scene(index)
    truth = np.where(scene.semantic < len(report.classes), scene.semantic.astype(int), -1)
    present = [star(report.classes[i], report.unseen) for i in np.unique(truth) if i >= 0]
    cells = [
        figure(Image.fromarray(scene.image), 'picture', f'test scene {index}'),
        figure(picture(report, truth), 'truth', f'truth: {", ".join(present)}'),
    ]
    for method in report.methods:
        labels = predicted(report, method, index)
        right = f'{100 * (labels == truth)[truth >= 0].mean():.0f} % of pixels right'
        cells.append(
            figure(
                picture(report, labels),
                f'{method.step.name}: {right}',
                f'labels of {method.step.name}, {right}',
            )
        )
    return (
        f'<h3>Test scene {index}: {escape(", ".join(present))}</h3>'
        f'<div class="scene">{"".join(cells)}</div>'
    )


def predicted(report: Report, method: Method, index: int) -> np.ndarray:
    """The label map (H, W) that a method's test wrote for a scene."""
    name = Path(report.dataset.get_data_info(index)['img_path']).stem
    return read_label_file(str(method.predictions / f'{name}.png')).astype(int)


def picture(report: Report, labels: np.ndarray) -> Image.Image:
    return paint(labels, report.classes, palette(report), report.unseen)


def palette(report: Report) -> list:
    return report.dataset.metainfo['palette']


def figure(image: Image.Image, caption: str, alt: str) -> str:
    return (
        f'<figure><img src="{data_uri(image)}" width="{image.width}" height="{image.height}" '
        f'alt="{escape(alt)}"><figcaption>{escape(caption)}</figcaption></figure>'
    )


def time_table(report: Report) -> str:
    rows = ''.join(
        f'<tr><td>{escape(stage.name)}</td><td class="number">{duration(stage.seconds)}</td>'
        f'<td class="soft">{escape(stage.note)}</td></tr>'
        for stage in report.stages
    )
    total = duration(sum(stage.seconds for stage in report.stages))
    return (
        f'<table><tbody>{rows}<tr><th>together</th><td class="number">{total}</td><td></td></tr>'
        '</tbody></table>'
    )


def facts(report: Report) -> Iterable[str]:
    found = {name: compat.installed_version(name) for name in PACKAGES}
    yield escape(machine())
    yield escape(f'{platform.platform()}, Python {platform.python_version()}')
    yield escape(
        ', '.join(
            [
                f'mmseg_zsclip {__version__}',
                *(f'{name} {version}' for name, version in found.items() if version),
            ]
        )
    )
    yield (
        f'checkpoint, logs and all {len(report.dataset):,} label maps: '
        f'<code>{escape(str(report.out))}</code>'
    )


def items(parts: Iterable[str]) -> str:
    return ''.join(f'<li>{part}</li>' for part in parts)
