"""CLIP weights by name or by path, strictly: every tensor accounted for, every shape checked.

Whatever the file's dtype, tensors come out as float32: training in half precision from
half-precision weights ends in NaN after a step (openai/CLIP#40).
"""

import json
import os
import threading
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ..files import made_folder, names_a_file, whole_file
from .archs import (
    CLIP_MEAN,
    CLIP_STD,
    CLIPArch,
    embedded,
    get_arch,
    published,
)
from .layouts import TOKEN_ROWS, TOKENS, RawWeights, read_raw
from .model import CLIP, build_text, build_visual
from .weight_checks import (
    OPTIONAL,
    check_finite,
    check_state,
    choose_activation,
    choose_arch,
    expected_state,
)

KEEP_SECONDS = 30.0


@dataclass(frozen=True)
class ClipWeights:
    """One CLIP's tensors, float32 on the CPU.

    `visual` and `text` have the towers' own names, `logit_scale` is a scalar, `mean` and `std` are
    the statistics of [0, 1] RGB images that the weights were trained with. Treat as read-only.
    """

    arch: CLIPArch
    visual: dict[str, Tensor]
    text: dict[str, Tensor]
    logit_scale: Tensor
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD


def _locate(arch: CLIPArch | None, weights: str) -> tuple[Path, str | None, tuple | None]:
    """Path, and the activation and statistics that a published tag fixes."""
    inside = embedded(arch and arch.name, weights)
    if inside is not None:
        return inside, None, None
    path = Path(weights).expanduser()
    if path.exists():
        return path, None, None
    from . import download

    if weights.startswith(download.HUB_PREFIX):
        return download.fetch_hub(weights), None, None
    if names_a_file(weights):
        raise FileNotFoundError(f'no such weights: {path} (current directory {Path.cwd()})')
    if arch is None:
        raise ValueError(f'weights {weights!r} is a tag: name the architecture too')
    facts = published(arch.name, weights)
    return download.fetch_published(facts), facts.activation, (facts.mean, facts.std)


def convert(
    raw: RawWeights,
    arch: 'str | CLIPArch | None',
    activation: str | None = None,
    source: str = 'weights',
) -> ClipWeights:
    """Checked float32 tower states of raw weights. Pure; see `read_weights` for the errors."""
    asked = None if arch is None else get_arch(arch)
    arch = choose_arch(asked, raw, source)
    act = choose_activation(
        asked or replace(arch, activation='gelu'), raw.activation, activation, source
    )
    arch = replace(arch, activation=act)
    check_state(raw.state, arch, source)
    check_finite(raw.state, source)
    visual, text = {}, {}
    for key, value in raw.state.items():
        if key == 'logit_scale':
            continue
        value = value.detach().to('cpu', torch.float32 if value.is_floating_point() else None)
        tower = visual if key.startswith('visual.') else text
        tower[key.removeprefix('visual.')] = value
    for key, value in expected_state(arch).items():
        if key.endswith(OPTIONAL):
            visual.setdefault(key.removeprefix('visual.'), torch.zeros_like(value, device='cpu'))
    scale = raw.state['logit_scale'].detach().float().reshape(())
    return ClipWeights(arch, visual, text, scale, raw.mean, raw.std)


class _Recent:
    """Holds the last weights read for a moment, so that two towers of one model read one file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entry: tuple | None = None
        self._timer: threading.Timer | None = None

    def get(self, key: tuple) -> ClipWeights | None:
        with self._lock:
            return self._entry[1] if self._entry and self._entry[0] == key else None

    def put(self, key: tuple, weights: ClipWeights) -> None:
        with self._lock:
            if self._timer:
                self._timer.cancel()
            self._entry = (key, weights)
            self._timer = threading.Timer(KEEP_SECONDS, self.clear)
            self._timer.daemon = True
            self._timer.start()

    def clear(self) -> None:
        with self._lock:
            self._entry = None


_recent = _Recent()


def _stamp(path: Path) -> tuple:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    stats = [(str(file), file.stat()) for file in files]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)


def read_weights(
    arch: 'str | CLIPArch | None', weights: 'str | os.PathLike', activation: str | None = None
) -> ClipWeights:
    """Read, check and convert weights; the last result is kept for half a minute.

    Args:
        arch: name or sizes; None when the file records them (our own files, model folders).
        weights: 'toy' or 'toy-dense', which the package holds; a tag ('openai',
            'laion2b_s34b_b88k', ...), 'hf-hub:org/name', or a path: OpenAI TorchScript archive,
            OpenAI or open_clip state dict (.pt, .bin, .safetensors), folder of a transformers
            CLIPModel or of an open_clip model, file of `save_clip`. An existing path never touches
            the network.
        activation: 'gelu' or 'quick_gelu', needed only when the file does not record it.

    Raises:
        FileNotFoundError: no such path, or a package without its embedded weights.
        ValueError: unknown name or tag, unknown layout, tensors missing, unexpected or of another
            shape, wrong or unknown activation.
        DownloadError: the network is absent or the file does not match its checksum.
    """
    asked = None if arch is None else get_arch(arch)
    path, recorded, stats = _locate(asked, os.fspath(weights))
    key = (_stamp(path.resolve()), asked, activation, recorded)
    found = _recent.get(key)
    if found is not None:
        return found
    raw = read_raw(path)
    if recorded is not None:
        raw = replace(raw, activation=recorded, mean=stats[0], std=stats[1])
    found = convert(raw, asked, activation, str(path))
    _recent.put(key, found)
    return found


def _load(build, state_of, arch: 'str | CLIPArch | None', weights, activation: str | None):
    """What `build` makes, with random numbers or with what `state_of` takes from the weights."""
    if weights is None:
        return build(_random_arch(arch, activation)).eval()
    read = read_weights(arch, weights, activation)
    # no time lost on random numbers that every tensor of the checked state replaces
    with torch.device('meta'):
        module = build(read.arch)
    module = module.to_empty(device='cpu')
    module.load_state_dict(state_of(read), strict=True)
    return module.eval()


def load_visual(
    arch: 'str | CLIPArch | None', weights=None, activation: str | None = None
) -> nn.Module:
    """Image tower alone, in eval mode, float32; arguments of `load_clip`."""
    return _load(build_visual, lambda read: read.visual, arch, weights, activation)


def load_text(
    arch: 'str | CLIPArch | None', weights=None, activation: str | None = None
) -> nn.Module:
    """Text tower alone, in eval mode, float32; arguments of `load_clip`."""
    return _load(build_text, lambda read: read.text, arch, weights, activation)


def load_clip(arch: 'str | CLIPArch | None', weights=None, activation: str | None = None) -> CLIP:
    """A CLIP in eval mode, float32, on the CPU; `model.arch` has the activation of the weights.

    Args and errors as `read_weights`; `weights=None` gives random ones.
    """
    return _load(
        CLIP,
        lambda read: {
            **{f'visual.{key}': value for key, value in read.visual.items()},
            **{f'text.{key}': value for key, value in read.text.items()},
            'logit_scale': read.logit_scale,
        },
        arch,
        weights,
        activation,
    )


def _random_arch(arch: 'str | CLIPArch | None', activation: str | None) -> CLIPArch:
    if arch is None:
        raise ValueError('neither an architecture nor weights were given; give at least one')
    arch = get_arch(arch)
    if activation is None:
        return arch
    return replace(arch, activation=choose_activation(arch, None, activation, arch.name))


def save_clip(
    model: CLIP,
    path: 'str | os.PathLike',
    meta: dict | None = None,
    half: bool = False,
    rows: Tensor | None = None,
) -> None:
    """Write our own format: sizes, state dict and `meta`, loadable with weights_only=True.

    The file appears whole or not at all.

    Args:
        model: its `arch` is recorded, activation included.
        path: file to write; its folder is made.
        meta: plain values (str, numbers, lists, dicts): where the weights come from.
        half: store floating-point tensors as float16 (loading gives float32).
        rows: (vocab_size,) bool, the token embeddings that were trained; the others are not
            stored and come back as zeros. None stores all.

    Raises:
        TypeError: `meta` holds something else than plain values.
        ValueError: `rows` is of another type or shape.
    """
    meta = {} if meta is None else meta
    try:
        json.dumps(meta)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f'meta must hold plain values (str, numbers, lists, dicts): {error}'
        ) from error
    content = dict(arch=asdict(model.arch), meta=meta)
    state = {key: value.detach().cpu() for key, value in model.state_dict().items()}
    if rows is not None:
        size = model.arch.vocab_size
        if rows.dtype != torch.bool or rows.shape != (size,):
            raise ValueError(
                f'rows is {rows.dtype} of shape {tuple(rows.shape)}; expected bool '
                f'({size},), true for each token that was trained'
            )
        content[TOKEN_ROWS] = rows.nonzero().flatten().cpu()
        state[f'text.{TOKENS}'] = state[f'text.{TOKENS}'][content[TOKEN_ROWS]]
    if half:
        state = {
            key: value.half() if value.is_floating_point() else value
            for key, value in state.items()
        }
    # clone: a view would drag its whole storage into the file
    content['state_dict'] = {key: value.clone().contiguous() for key, value in state.items()}
    path = Path(path).expanduser()
    made_folder(path.parent)
    with whole_file(path) as partial:
        torch.save(content, partial)
