"""The report's page: one HTML file that asks for nothing from outside."""

import platform
from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
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
    'toy-dense': '<code>toy-dense</code>: its pre-training had, beside the contrastive loss, a '
    'term on patches (from image-level tags alone), so its patches are better than contrastive '
    'training makes them. The claims of the papers are therefore measured on <code>toy</code>, '
    'which is '
    'trained by the contrastive loss alone: <code>docs/results_toy.md</code>.',
    'toy': '<code>toy</code>, trained by the contrastive loss alone: the CLIP on which the claims '
    'of the papers are measured (<code>docs/results_toy.md</code>). The report itself uses '
    '<code>toy-dense</code>, which had a term on patches as well.',
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
        scores=score_table(report.methods),
        why_below=why_below(report),
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
        report.weights, f'<code>{escape(report.weights)}</code>, given by the user.'
    )
    return (
        f'<p>A program drew these cartoon scenes, so their truth is exact. A tiny CLIP, trained on '
        f'captions of such scenes, knows the names of {len(report.classes)} classes, but no '
        f'caption says where anything is. Segmentation then learns from masks of '
        f'{len(report.classes) - len(report.unseen)} of them; the masks of the other '
        f'{len(report.unseen)} ({names}) are hidden from it: these are the <i>unseen</i> '
        f'classes.</p>'
        f'<p><b>MaskCLIP</b> trains nothing: it reads a label off each patch of CLIP. '
        f'<b>ZegCLIP</b> (inductive) trains prompts and a small decoder on the masks of the seen '
        f'classes. Both use the CLIP {weights}</p>'
    )


def score_table(methods: Sequence[Method]) -> str:
    def cell(method: Method, key: str) -> str:
        value = method.metrics.get(key)
        return f'<td class="number">{"-" if value is None else f"{value:.1f}"}</td>'

    head = ''.join(f'<th class="number">{name}</th>' for name in COLUMNS)
    rows = ''.join(
        f'<tr><th scope="row">{escape(method.name)}</th>'
        f'{"".join(cell(method, key) for key in COLUMNS.values())}</tr>'
        for method in methods
    )
    return (
        f'<table class="scores"><thead><tr><th>method</th>{head}</tr></thead>'
        f'<tbody>{rows}</tbody></table>'
    )


def why_below(report: Report) -> str:
    """Where ZegCLIP stands below MaskCLIP and why, from the numbers; '' where it nowhere does."""
    free, trained = (method.metrics for method in report.methods)
    change = {
        name: trained[key] - free[key]
        for name, key in (('seen', 'mIoU(S)'), ('unseen', 'mIoU(U)'))
        if key in free and key in trained
    }
    below = {name: -value for name, value in change.items() if round(value, 1) < 0}
    if not below:
        return ''
    where = ' and '.join(f'{points:.1f} points on {name} classes' for name, points in below.items())
    reason = (
        'it learned from masks of the seen classes alone, and what it changes in CLIP for them, '
        'unseen classes lose'
    )
    if 'seen' in below:
        reason = (
            f'{report.training.steps:,} steps are short (the paper trains 20,000 to 80,000): its '
            'prompts and decoder begin at random and have not yet made up for what they change '
            'in CLIP, and no mask of an unseen class was among their labels'
        )
    if report.weights == 'toy-dense':
        reason += (
            '. MaskCLIP has an advantage here: <code>toy-dense</code> learned the patches of all '
            f'{len(report.classes)} classes, unseen ones included, from tags'
        )
    gain = ''.join(
        f' It gains {value:.1f} on {name} classes.'
        for name, value in change.items()
        if name not in below
    )
    return f'<p>ZegCLIP stands below MaskCLIP by {where}: {reason}.{gain}</p>'


def class_table(methods: Sequence[Method]) -> str:
    """IoU of every class, unseen ones first and marked."""
    head = ''.join(
        f'<th class="number">{escape(m.name)}</th><th class="bars"></th>' for m in methods
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
    training = report.training
    text = f'{training.steps:,} steps on {report.scenes["train"]:,} scenes'
    if training.steps != training.full_steps:
        text += (
            f' (<b>not the {training.full_steps:,} of the config</b>: --steps asked for it, so '
            'these are not the scores of the method)'
        )
    if report.curves.validated:
        text += (
            f'. Seen, unseen and hIoU are measured on {report.scenes["val"]:,} validation scenes; '
            'the table above is of the test scenes'
        )
    return f'<p>{text}.</p>'


def charts(report: Report) -> str:
    found = [line_chart({'loss': report.curves.loss}, 'Loss of training by step', 'loss')]
    if report.curves.validated:
        names = {'mIoU(S)': 'seen', 'mIoU(U)': 'unseen', 'hIoU': 'hIoU'}
        lines = {names[key]: points for key, points in report.curves.validated.items()}
        found.append(line_chart(lines, 'Seen, unseen and hIoU by step', 'IoU, %'))
    return '\n'.join(found)


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
                f'{method.name}: {right}',
                f'labels of {method.name}, {right}',
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
