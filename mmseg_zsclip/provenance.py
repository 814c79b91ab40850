"""What a number was measured with: the CLIP's file, the sources and the machine."""
import hashlib
import os
import platform
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch

from mmseg_zsclip.clip.archs import embedded
from mmseg_zsclip.pretraining.recipe import trained_by

PACKAGE = Path(__file__).resolve().parent
# What decides a score; the rest of the package can change without making a result stale.
SOURCES = ('clip', 'datasets', 'engine', 'evaluation', 'losses', 'models', 'ops', 'toy')


def clip_files(model: dict) -> list[dict]:
    """`weights` as the config names it, `arch`, `file`, `sha256` and `trained_by` of every CLIP in
    a model's config; the last three are None for random weights and for published tags, whose name
    is their identity, and `trained_by` is None for files that do not record it."""
    found = {}
    for arch, weights in _weights(model):
        path = weights_path(arch, weights)
        found[arch, weights] = dict(
            weights=weights, arch=arch, file=path.name if path else None,
            sha256=digest([path]) if path else None,
            trained_by=trained_by(clip_meta(path)) if path else None)
    return [found[key] for key in sorted(found, key=str)]


def _weights(node) -> Iterator[tuple[str, str | None]]:
    if isinstance(node, dict):
        if 'weights' in node:
            yield str(node.get('arch')), node['weights']
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
        content = torch.load(path, map_location='cpu', weights_only=True, mmap=True)
    except Exception:  # noqa: BLE001  torch raises pickle's, zip's and its own errors
        return {}
    return (content.get('meta') or {}) if isinstance(content, dict) else {}


def digest(paths: Iterable[Path]) -> str:
    """SHA-256 of files, and of the files of folders, by name and content."""
    total = hashlib.sha256()
    for path in paths:
        files = sorted(path.rglob('*')) if path.is_dir() else [path]
        for file in files:
            if file.is_file():
                total.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def source_digest() -> str:
    """Of the sources that decide scores, so that a report can say which results are older."""
    files = (path for part in SOURCES for path in sorted((PACKAGE / part).rglob('*.py')))
    return digest(files)[:16]


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
