"""The demo's page: one HTML file that asks for nothing from outside."""

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
from .stages import PICTURES, Demo, Method

COLUMNS = {'mIoU': 'mIoU', 'S': 'mIoU(S)', 'U': 'mIoU(U)', 'hIoU': 'hIoU'}
PACKAGES = ('torch', 'mmengine', 'mmsegmentation', 'mmcv', 'mmcv-lite', 'numpy', 'pillow')
WEIGHTS = {
    'toy-dense': '<code>toy-dense</code>: its pre-training had, beside the contrastive loss, a '
    'term on patches (from image-level tags alone), so its patches are better than contrastive '
    'training makes them. The claims of the papers are therefore measured on <code>toy</code>, '
    'which is '
    'trained by the contrastive loss alone: <code>docs/results_toy.md</code>.',
    'toy': '<code>toy</code>, trained by the contrastive loss alone: the CLIP on which the claims '
    'of the papers are measured (<code>docs/results_toy.md</code>). The demo itself uses '
    '<code>toy-dense</code>, which had a term on patches as well.',
}


def write_page(demo: Demo) -> Path:
    """Writes `index.html` into the demo's folder, whole or not at all."""
    path = demo.out / 'index.html'
    text = build_page(demo)
    with whole_file(path) as partial:
        partial.write_text(text, encoding='utf-8')
    return path


def build_page(demo: Demo) -> str:
    """The page as text."""
    template = Template(resources.files(__package__).joinpath('page.html').read_text('utf-8'))
    count = min(PICTURES, len(demo.dataset))
    return template.substitute(
        intro=intro(demo),
        test_scenes=f'{len(demo.dataset):,}',
        scores=score_table(demo.methods),
        why_below=why_below(demo),
        class_count=len(demo.classes),
        seen_count=len(demo.classes) - len(demo.unseen),
        unseen_count=len(demo.unseen),
        training=training_text(demo),
        charts=charts(demo),
        picture_count=count,
        legend=legend(demo),
        pictures='\n'.join(scene_row(demo, index) for index in range(count)),
        per_class=class_table(demo.methods),
        times=time_table(demo),
        commands=escape('\n'.join(stage.command for stage in demo.stages if stage.command)),
        facts=items(facts(demo)),
    )


def intro(demo: Demo) -> str:
    names = ', '.join(f'{escape(name)}*' for name in demo.unseen)
    weights = WEIGHTS.get(demo.weights, f'<code>{escape(demo.weights)}</code>, given by the user.')
    return (
        f'<p>A program drew these cartoon scenes, so their truth is exact. A tiny CLIP, trained on '
        f'captions of such scenes, knows the names of {len(demo.classes)} classes, but no caption '
        f'says where anything is. Segmentation then learns from masks of '
        f'{len(demo.classes) - len(demo.unseen)} of them; the masks of the other '
        f'{len(demo.unseen)} ({names}) are hidden from it: these are the <i>unseen</i> classes.</p>'
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


def why_below(demo: Demo) -> str:
    """Where ZegCLIP stands below MaskCLIP and why, from the numbers; '' where it nowhere does."""
    free, trained = (method.metrics for method in demo.methods)
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
            f'{demo.training.steps:,} steps are short (the paper trains 20,000 to 80,000): its '
            'prompts and decoder begin at random and have not yet made up for what they change '
            'in CLIP, and no mask of an unseen class was among their labels'
        )
    if demo.weights == 'toy-dense':
        reason += (
            '. MaskCLIP has an advantage here: <code>toy-dense</code> learned the patches of all '
            f'{len(demo.classes)} classes, unseen ones included, from tags'
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


def training_text(demo: Demo) -> str:
    training = demo.training
    text = f'{training.steps:,} steps on {demo.scenes["train"]:,} scenes'
    if training.steps != training.full_steps:
        text += (
            f' (<b>not the {training.full_steps:,} of the config</b>: --steps asked for it, so '
            'these are not the scores of the method)'
        )
    if demo.curves.validated:
        text += (
            f'. Seen, unseen and hIoU are measured on {demo.scenes["val"]:,} validation scenes; '
            'the table above is of the test scenes'
        )
    return f'<p>{text}.</p>'


def charts(demo: Demo) -> str:
    found = [line_chart({'loss': demo.curves.loss}, 'Loss of training by step', 'loss')]
    if demo.curves.validated:
        names = {'mIoU(S)': 'seen', 'mIoU(U)': 'unseen', 'hIoU': 'hIoU'}
        lines = {names[key]: points for key, points in demo.curves.validated.items()}
        found.append(line_chart(lines, 'Seen, unseen and hIoU by step', 'IoU, %'))
    return '\n'.join(found)


def legend(demo: Demo) -> str:
    """A swatch and a name for every class, unseen ones striped and starred."""
    parts = []
    for i, name in enumerate(demo.classes):
        swatch = paint(np.full((8, 12), i), demo.classes, palette(demo), demo.unseen, names=False)
        parts.append(f'<img src="{data_uri(swatch)}" alt="">{escape(star(name, demo.unseen))}')
    return items(parts)


def scene_row(demo: Demo, index: int) -> str:
    """Picture, truth and each method's labels of one test scene."""
    scene = demo.dataset.scene(index)
    truth = np.where(scene.semantic < len(demo.classes), scene.semantic.astype(int), -1)
    present = [star(demo.classes[i], demo.unseen) for i in np.unique(truth) if i >= 0]
    cells = [
        figure(Image.fromarray(scene.image), 'picture', f'test scene {index}'),
        figure(picture(demo, truth), 'truth', f'truth: {", ".join(present)}'),
    ]
    for method in demo.methods:
        labels = predicted(demo, method, index)
        right = f'{100 * (labels == truth)[truth >= 0].mean():.0f} % of pixels right'
        cells.append(
            figure(
                picture(demo, labels),
                f'{method.name}: {right}',
                f'labels of {method.name}, {right}',
            )
        )
    return (
        f'<h3>Test scene {index}: {escape(", ".join(present))}</h3>'
        f'<div class="scene">{"".join(cells)}</div>'
    )


def predicted(demo: Demo, method: Method, index: int) -> np.ndarray:
    """The label map (H, W) that a method's test wrote for a scene."""
    name = Path(demo.dataset.get_data_info(index)['img_path']).stem
    return read_label_file(str(method.predictions / f'{name}.png')).astype(int)


def picture(demo: Demo, labels: np.ndarray) -> Image.Image:
    return paint(labels, demo.classes, palette(demo), demo.unseen)


def palette(demo: Demo) -> list:
    return demo.dataset.metainfo['palette']


def figure(image: Image.Image, caption: str, alt: str) -> str:
    return (
        f'<figure><img src="{data_uri(image)}" width="{image.width}" height="{image.height}" '
        f'alt="{escape(alt)}"><figcaption>{escape(caption)}</figcaption></figure>'
    )


def time_table(demo: Demo) -> str:
    rows = ''.join(
        f'<tr><td>{escape(stage.name)}</td><td class="number">{duration(stage.seconds)}</td>'
        f'<td class="soft">{escape(stage.note)}</td></tr>'
        for stage in demo.stages
    )
    total = duration(sum(stage.seconds for stage in demo.stages))
    return (
        f'<table><tbody>{rows}<tr><th>together</th><td class="number">{total}</td><td></td></tr>'
        '</tbody></table>'
    )


def facts(demo: Demo) -> Iterable[str]:
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
        f'checkpoint, logs and all {len(demo.dataset):,} label maps: '
        f'<code>{escape(str(demo.out))}</code>'
    )


def items(parts: Iterable[str]) -> str:
    return ''.join(f'<li>{part}</li>' for part in parts)
