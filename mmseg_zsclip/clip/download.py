"""Published weights by name: fetched once, verified, cached; never half-written.

Environment:
    ZSCLIP_CACHE: folder of the cache (default ~/.cache/mmseg_zsclip).
    ZSCLIP_OFFLINE=1 or HF_HUB_OFFLINE=1: no connection is ever attempted.
    HF_ENDPOINT: mirror of https://huggingface.co.

SHA-256: OpenAI's URLs carry the whole digest, open_clip's releases its first 8 digits in the file
name, the Hub sends it for large files (X-Linked-Etag). For the rest (Meta's URLs, small files of
the Hub) nobody publishes one: the digest of the first download is recorded, which detects later
damage but not a bad first download. Every file has its digest in a `.sha256` file beside it; it is
checked again whenever the file's size or time has changed since it was last verified.
"""

import hashlib
import logging
import os
import re
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

from ..files import made_folder, whole_file
from .archs import Published
from .file_kinds import describe
from .layouts import (
    OPEN_CLIP_CONFIG,
    OPEN_CLIP_FILES,
    TRANSFORMERS_CONFIG,
    TRANSFORMERS_FILES,
)

HUB_PREFIX = 'hf-hub:'
TIMEOUT_SECONDS = 30
_CHUNK = 1 << 20
WEIGHTS_ARE = ('a zip archive', 'a pickle', 'a safetensors file', 'data of an unknown kind')
_log = logging.getLogger(__name__)


class DownloadError(RuntimeError):
    """Weights could not be fetched or are not what was published."""


class NotPublished(DownloadError):
    """The server answered that it has no such file."""


def cache_dir() -> Path:
    """Folder of downloaded weights."""
    return Path(os.environ.get('ZSCLIP_CACHE', '~/.cache/mmseg_zsclip')).expanduser()


def is_offline() -> bool:
    """Whether the environment forbids connections."""
    on = ('1', 'true', 'yes', 'on')
    return any(
        os.environ.get(name, '').lower() in on for name in ('ZSCLIP_OFFLINE', 'HF_HUB_OFFLINE')
    )


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


def published_sha256(url: str) -> str:
    """The digest, or its first digits, that a URL itself carries; '' when it carries none."""
    *_, parent, name = url.split('/')
    if re.fullmatch('[0-9a-f]{64}', parent):
        return parent
    found = re.search(r'-([0-9a-f]{8})\.[a-z]+$', name)
    return found[1] if found else ''


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + '.sha256')


def _write_sidecar(path: Path, digest: str) -> None:
    """The record of a file; a cache that cannot be written to keeps none, and works."""
    stat = path.stat()
    try:
        with whole_file(_sidecar(path)) as partial:
            partial.write_text(f'{digest}  {path.name}  {stat.st_size} {stat.st_mtime_ns}\n')
    except OSError as error:
        _log.warning(
            '%s was not recorded as verified, so it is hashed at every use: %s', path, error
        )


def _read_sidecar(path: Path) -> tuple[str, str]:
    """Digest, and size and time, of a file's record; '' where there is none or it is damaged."""
    try:
        digest, _, *numbers = _sidecar(path).read_text(encoding='ascii').split()
    except FileNotFoundError:
        return '', ''
    except (OSError, ValueError) as error:  # too few words and other bytes are ValueErrors
        _log.warning('%s is damaged (%s) and was passed over', _sidecar(path), error)
        return '', ''
    if not re.fullmatch('[0-9a-f]{64}', digest):
        _log.warning('%s holds no SHA-256 and was passed over', _sidecar(path))
        return '', ''
    return digest, ' '.join(numbers)


def verify(path: Path, expected: str = '') -> None:
    """Check a cached file against `expected` (digest or its first digits) and its recorded digest.

    A file without a record (put there by hand) gets one.

    Raises:
        DownloadError: the digests differ; says which file to remove.
    """
    recorded, stamp = _read_sidecar(path)
    stat = path.stat()
    if recorded and recorded.startswith(expected) and stamp == f'{stat.st_size} {stat.st_mtime_ns}':
        return
    actual = sha256_of(path)
    for wanted in filter(None, (expected, recorded)):
        if not actual.startswith(wanted):
            raise DownloadError(
                f'{path} ({stat.st_size} bytes) is damaged: its SHA-256 is {actual}, expected '
                f'{wanted}{"..." if len(wanted) < 64 else ""}. Remove it (and its .sha256 file) '
                'and run again to fetch it anew.'
            )
    _write_sidecar(path, actual)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows none from https to an address that anyone on the way can answer for, and keeps the
    Hub's digest, which is on the redirect, not on the answer of the storage behind it."""

    def __init__(self) -> None:
        self.etag = ''

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if req.type == 'https' and not newurl.lower().startswith('https://'):
            raise DownloadError(
                f'{req.full_url} redirects to {newurl}, which is not https: refused, '
                'since anyone on the way could change the file. Nothing was kept. '
                'Use an address that stays on https'
            )
        self.etag = headers.get('X-Linked-Etag', self.etag)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _hub_sha256(headers, redirects: _Redirects) -> str:
    etag = (headers.get('X-Linked-Etag') or redirects.etag).strip('"')
    return etag if re.fullmatch('[0-9a-f]{64}', etag) else ''


def _receive(answer, partial: Path, name: str) -> str:
    """Write the answer's body; returns its SHA-256."""
    from tqdm import tqdm

    length = answer.headers.get('Content-Length')
    total = int(length) if length else None
    digest, received = hashlib.sha256(), 0
    with (
        open(partial, 'wb') as file,
        tqdm(total=total, desc=name, unit='B', unit_scale=True, disable=None) as bar,
    ):
        while block := answer.read(_CHUNK):
            file.write(block)
            digest.update(block)
            received += len(block)
            bar.update(len(block))
    if total is not None and received != total:
        raise DownloadError(
            f'the transfer of {name} ended early: {received} of {total} bytes; '
            'nothing was kept, run again'
        )
    return digest.hexdigest()


def _check_kind(url: str, file: Path, suffix: str) -> None:
    """Without a digest a server's page would be kept as weights for ever.

    Raises:
        DownloadError: the content is neither weights nor, for .json, JSON.
    """
    kind = describe(file)
    if kind not in (('a JSON file',) if suffix == '.json' else WEIGHTS_ARE):
        raise DownloadError(
            f'{url} answered with {kind}, not with what its name says. Nothing was '
            'kept. Is the address right, and does it need a login?'
        )


def _download(url: str, target: Path, expected: str) -> None:
    redirects = _Redirects()
    opener = urllib.request.build_opener(redirects)
    _log.info('downloading %s to %s', url, target)
    with whole_file(target) as partial:
        with opener.open(url, timeout=TIMEOUT_SECONDS) as answer:
            expected = expected or _hub_sha256(answer.headers, redirects)
            actual = _receive(answer, partial, target.name)
        if not expected:
            _check_kind(url, partial, target.suffix)
        if not actual.startswith(expected):
            raise DownloadError(
                f'{url}: the SHA-256 of what arrived is {actual}, expected {expected}. Nothing was '
                'kept: the file was changed on its way (a proxy?) or at its source.'
            )
    _write_sidecar(target, actual)


def _by_hand(url: str, target: Path) -> str:
    return (
        f'Fetch {url} on a machine that can and put it at {target}, or give the path of the '
        'file as weights (--weights FILE).'
    )


def fetch(url: str, target: Path, expected: str = '') -> Path:
    """A URL's file, from the cache or the network.

    Args:
        url: http(s) address.
        target: where the file is or will be; its folder is made.
        expected: SHA-256 or its first digits; default: what the URL carries.

    Raises:
        DownloadError: offline, no network, a redirect away from https, wrong digest or a transfer
            cut short; nothing is left at `target`, and the text says how to do it by hand.
        NotPublished: the server has no such file.
    """
    expected = expected or published_sha256(url)
    if target.is_file():
        verify(target, expected)
        return target
    if is_offline():
        raise DownloadError(
            f'{target} is not there and ZSCLIP_OFFLINE or HF_HUB_OFFLINE forbids '
            f'the network. {_by_hand(url, target)}'
        )
    from filelock import FileLock

    made_folder(target.parent)
    # one download for all processes of a distributed run
    with FileLock(target.with_name(f'.{target.name}.lock')):
        if target.is_file():
            verify(target, expected)
            return target
        try:
            _download(url, target, expected)
        except urllib.error.HTTPError as error:
            kind = NotPublished if error.code in (401, 404) else DownloadError
            raise kind(
                f'{url}: the server answered {error.code} ({error.reason}). {_by_hand(url, target)}'
            ) from error
        except (TimeoutError, urllib.error.URLError, HTTPException, ConnectionError) as error:
            reason = getattr(error, 'reason', None) or error
            raise DownloadError(
                f'cannot reach {url}: {reason}. No network? {_by_hand(url, target)}'
            ) from error
    return target


def _hub_snapshot(repo: str, names: tuple[str, ...]) -> Path | None:
    """Folder of huggingface_hub's own cache that has all the files, if there is one."""
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(repo, name) for name in names]
    if not all(isinstance(path, str) for path in found):
        return None
    return Path(found[0]).parent


_LAYOUTS = [(OPEN_CLIP_CONFIG, name) for name in OPEN_CLIP_FILES]
_LAYOUTS += [(TRANSFORMERS_CONFIG, name) for name in TRANSFORMERS_FILES]


def fetch_hub(name: str) -> Path:
    """Folder with config and weights of 'hf-hub:org/name' (prefix optional).

    open_clip's layout is preferred to transformers'. Public repositories only; fetch a
    gated one with `hf download` and give the folder.

    Raises:
        ValueError: not of the form org/name.
        DownloadError: see `fetch`; or the repository holds no CLIP.
    """
    repo = name.removeprefix(HUB_PREFIX).strip('/')
    if not re.fullmatch(r'[\w.-]+/[\w.-]+', repo):
        raise ValueError(f"{name!r} is no Hub id; write 'hf-hub:organisation/name'")
    folder = cache_dir() / 'hf-hub' / repo.replace('/', '--')
    for layout in _LAYOUTS:
        if all((folder / file).is_file() for file in layout):
            verify(folder / layout[1])
            return folder
    for layout in _LAYOUTS:
        snapshot = _hub_snapshot(repo, layout)
        if snapshot is not None:
            return snapshot
    endpoint = os.environ.get('HF_ENDPOINT', 'https://huggingface.co').rstrip('/')
    for layout in _LAYOUTS:
        try:
            for file in layout:
                fetch(f'{endpoint}/{repo}/resolve/main/{file}', folder / file)
        except NotPublished:
            continue
        return folder
    tried = '; '.join(' + '.join(layout) for layout in _LAYOUTS)
    raise NotPublished(
        f'{repo} on {endpoint} does not exist, is gated, or holds no CLIP '
        f'(looked for {tried}). For a gated one: `hf download {repo}`, then run '
        'again or give its folder as weights.'
    )


def fetch_published(facts: Published) -> Path:
    """File or folder of published weights (`archs.published`), from a cache or the network.

    Looks in our cache, in those of OpenAI's package (~/.cache/clip) and huggingface_hub, then at
    the URL, then at the Hub.

    Raises:
        DownloadError: see `fetch`.
    """
    repo = facts.hf_hub.strip('/')
    if not facts.url:
        return fetch_hub(repo)
    name = facts.url.rsplit('/', 1)[-1]
    target = cache_dir() / 'clip' / name
    expected = published_sha256(facts.url)
    if target.is_file():
        return fetch(facts.url, target)
    openai = Path('~/.cache/clip').expanduser() / name
    if expected and openai.is_file() and sha256_of(openai).startswith(expected):
        return openai
    snapshots = [_hub_snapshot(repo, layout) for layout in _LAYOUTS] if repo else []
    for snapshot in filter(None, snapshots):
        return snapshot
    try:
        return fetch(facts.url, target)
    except DownloadError as error:
        if not repo or is_offline():
            raise
        try:
            return fetch_hub(repo)
        except DownloadError:
            raise error from None
