"""What a number was measured with: the CLIP's file, the sources and the machine."""

import hashlib
import os
import platform
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch

from ..clip.archs import embedded
from ..clip.tensor_files import UnreadableFile, read_content
from .pretraining.recipe import trained_by

PACKAGE = Path(__file__).resolve().parents[1]
# What cannot change a score: pages, pictures, progress bars, verdicts on results, the making of a
# CLIP (a result names its bytes). All else counts,
# so a new module does before anybody thinks of it.
EXCLUDED = (
    'cli',
    'engine/progress.py',
    'experiments/claims/judge.py',
    'experiments/claims/measure.py',
    'experiments/claims/pool.py',
    'experiments/claims/report.py',
    'experiments/claims/suites',
    'experiments/claims/worker.py',
    'experiments/report',
    'experiments/pretraining',
    'visualization',
)


def clip_files(model: dict) -> list[dict]:
    """`weights` as the config names it, `arch`, `file`, `sha256` and `trained_by` of every CLIP in
    a model's config; the last three are None for random weights and for published tags, whose name
    is their identity, and `trained_by` is None for files that do not record it. So is the
    `checkpoint` of the stage before, its `arch` is 'checkpoint'."""
    found = {}
    for arch, weights in _weights(model):
        path = weights_path(arch, weights)
        found[arch, weights] = dict(
            weights=weights,
            arch=arch,
            file=path.name if path else None,
            sha256=digest([path]) if path else None,
            trained_by=trained_by(clip_meta(path)) if path else None,
        )
    return [found[key] for key in sorted(found, key=str)]


def _weights(node) -> Iterator[tuple[str, str | None]]:
    if isinstance(node, dict):
        if 'weights' in node:
            yield str(node.get('arch')), node['weights']
        if node.get('checkpoint'):  # of the stage before
            yield 'checkpoint', node['checkpoint']
        node = node.values()
    elif not isinstance(node, list | tuple):
        return
    for child in node:
        yield from _weights(child)


def weights_path(arch: str, weights: str | None) -> Path | None:
    """The file or folder behind `weights`, the package's own included; None where it is no local
    one."""
    if weights is None:
        return None
    path = embedded(arch, weights) or Path(weights).expanduser()
    return path if path.exists() else None


def clip_meta(path: Path) -> dict:
    """What `save_clip` was given as `meta`; {} for a file of another layout."""
    try:
        content = read_content(path)
    except UnreadableFile:
        return {}
    meta = content.get('meta') if isinstance(content, dict) else None
    return meta if isinstance(meta, dict) else {}


def digest(paths: Iterable[Path]) -> str:
    """SHA-256 of files by name and content, and of the files of folders by their place there."""
    total = hashlib.sha256()
    for path in paths:
        inside = path.is_dir()
        for file in sorted(path.rglob('*')) if inside else [path]:
            if file.is_file():
                name = file.relative_to(path).as_posix() if inside else file.name
                total.update(name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def source_files(package: Path = PACKAGE) -> dict[str, Path]:
    """The sources that decide scores, modules and class lists, by their place in the package."""
    files = {
        file.relative_to(package).as_posix(): file
        for ending in ('py', 'txt')
        for file in sorted(package.rglob(f'*.{ending}'))
    }
    return {
        name: file
        for name, file in files.items()
        if not name.startswith('.')
        and not any(name == part or name.startswith(f'{part}/') for part in EXCLUDED)
    }


def source_digest(package: Path = PACKAGE) -> str:
    """Of `source_files`, so that a report can say which results are older."""
    total = hashlib.sha256()
    for name, file in source_files(package).items():
        total.update(name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()[:16]


def machine() -> str:
    """Processor, its cores and torch's version; the GPU where there is one."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
        model = next(line.split(':', 1)[1].strip() for line in lines if 'model name' in line)
    except (OSError, StopIteration):
        pass
    gpu = f'{torch.cuda.get_device_name()}, ' if torch.cuda.is_available() else ''
    return f'{gpu}{model}, {os.cpu_count()} cores, torch {torch.__version__}'
