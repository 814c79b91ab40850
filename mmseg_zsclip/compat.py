"""The only file that adapts to versions of mmcv, mmengine and torch. Standard library at import."""

import functools
import importlib.metadata
import importlib.util
import logging
import sys
from collections.abc import Callable
from importlib.machinery import PathFinder
from multiprocessing import parent_process
from pathlib import Path
from typing import NamedTuple

LITE_MMCV = 'pip install "mmcv-lite==2.1.0"'

# distribution: (versions that are taken, command that brings one)
SUPPORTED = {
    'torch': ('>=2.1', 'pip install "torch>=2.1" "torchvision>=0.16"'),
    'torchvision': ('>=0.16', 'pip install "torchvision>=0.16"'),
    'mmengine': ('>=0.10.7,<1.0.0', 'pip install "mmengine>=0.10.7,<1.0.0"'),
    'mmcv-lite': ('>=2.0.0,<2.2.0', LITE_MMCV),
    'mmcv': ('>=2.0.0,<2.2.0', f'pip uninstall -y mmcv && {LITE_MMCV}'),
    'mmsegmentation': ('==1.2.2', 'pip install "mmsegmentation==1.2.2"'),
    'mmdet': ('==3.3.0', 'pip install "mmdet==3.3.0"'),
    'ftfy': ('', 'pip install ftfy'),
    'regex': ('', 'pip install regex'),
}
PYTHON = '>=3.10,<3.14'
# The whole suite was run with these (tools/version_matrix.py; the table of docs/install.md).
TESTED = {
    'torch': ('2.1.2', '2.6.0', '2.14.1', '2.15.0'),
    'numpy': ('1.26.4', '2.4.6', '2.5.5'),
}


class Pair(NamedTuple):
    """Two distributions that are each allowed and cannot work together: with `first` inside its
    specifier, `second` inside its own fails; `fix` repairs it, `why` says how it shows."""

    first: str
    first_is: str
    second: str
    second_is: str
    why: str
    fix: str


PAIRS = (
    Pair(
        'torch',
        '<2.4',
        'transformers',
        '>=5',
        'mmdet cannot be imported',
        'pip install "transformers<4.50"',
    ),
    Pair(
        'torch',
        '<2.3',
        'numpy',
        '>=2',
        'torch says that numpy is not available',
        'pip install "numpy<2" "opencv-python<4.12"',
    ),
)
# (distribution, another): what the first declares of the second must hold, or importing it fails
DECLARED = (
    ('torchvision', 'torch'),
    ('torch', 'triton'),
    ('transformers', 'tokenizers'),
    ('transformers', 'huggingface-hub'),
)
STATISTICS = ('min', 'max', 'mean', 'current')

logger = logging.getLogger('mmseg_zsclip')


def setup(now: bool = False) -> None:
    """Make today's mmcv, mmengine and torch work together; safe to call twice.

    At the import of the package this is left to the subcommands of `zsclip`, which call it with
    `now` before they import anything heavy: help and wrong names need no torch.

    Raises:
        ImportError: neither mmcv nor mmcv-lite is installed; names the command to run.
    """
    if not now and _command_starts():
        return
    if _doctor_runs() and not has_mmcv():
        return
    require_mmcv()
    warn_of_versions()
    install_ops()
    avoid_flash_attention()
    free_lock_of_failures()
    allow_checkpoints()
    guard_checkpoints()
    setup_configs()


def setup_configs() -> None:
    """The part of `setup` that reading a config needs; imports no torch."""
    replace_pkg_resources()
    inherit_shipped_configs()


def _command_starts() -> bool:
    if parent_process() is not None:
        return False  # a loader process that was spawned has its parent's arguments
    if sys.argv[0] == '-m':  # while Python looks for the module of `python -m`
        return '-m' in sys.orig_argv and 'mmseg_zsclip.cli' in sys.orig_argv
    return Path(sys.argv[0]).name in ('zsclip', 'zsclip.exe', 'zsclip-script.py')


def _doctor_runs() -> bool:
    # The command that repairs an environment must start in a broken one.
    names = ('zsclip', 'zsclip.exe', 'zsclip-script.py', '__main__.py', '-m')
    return Path(sys.argv[0]).name in names and sys.argv[1:2] == ['doctor']


def has_mmcv() -> bool:
    return 'mmcv' in sys.modules or importlib.util.find_spec('mmcv') is not None


def require_mmcv() -> None:
    """Raise ImportError with the command to run when there is neither mmcv nor mmcv-lite."""
    if not has_mmcv():
        raise ImportError(
            'mmseg_zsclip needs mmcv or mmcv-lite, found neither. '
            f'Run: {LITE_MMCV}   (no compiler needed)'
        ) from None


def warn_of_versions() -> None:
    """Log what is installed in a version outside `SUPPORTED`, with the command that repairs it."""
    from .environment import package_rows, pair_rows  # it reads the versions here

    for row in package_rows():
        if not row.ok and row.found:
            logger.warning(
                '%s %s is outside the tested versions %s. To repair: %s',
                row.name,
                row.found,
                row.wanted,
                row.fix,
            )
    for row in pair_rows():
        logger.warning(
            '%s cannot work together: %s; wanted: %s. To repair: %s',
            row.name,
            row.found,
            row.wanted,
            row.fix,
        )


def compiled_ops() -> str | None:
    """Return where mmcv's own compiled ops are, or None. Does not import mmcv."""
    loaded = sys.modules.get('mmcv._ext')
    if loaded is not None:
        is_ours = type(loaded).__module__ == 'mmseg_zsclip.ops'
        return None if is_ours else getattr(loaded, '__file__', None) or 'mmcv._ext'
    mmcv = sys.modules.get('mmcv') or importlib.util.find_spec('mmcv')
    folders = getattr(mmcv, '__path__', None) or getattr(mmcv, 'submodule_search_locations', None)
    ext = PathFinder.find_spec('mmcv._ext', folders) if folders else None
    return ext.origin if ext else None


def install_ops() -> None:
    """Put our ops where mmcv's compiled ones would be, if and only if those are missing."""
    if 'mmcv._ext' in sys.modules or compiled_ops():
        return
    from . import ops

    sys.modules['mmcv._ext'] = ops.build_module()
    logger.info('mmcv has no compiled ops: using mmseg_zsclip.ops (torch, Triton on a GPU)')


def avoid_flash_attention() -> None:
    """torch 2.1's flash attention writes outside its memory on a CPU when bfloat16 is
    differentiated by several threads, as `--amp` does; 2.2 does not. The switch is the GPU's as
    well, so that it stays as it is where there is one."""
    if (installed_version('torch') or '').startswith('2.1.'):
        import torch

        if not torch.cuda.is_available():
            torch.backends.cuda.enable_flash_sdp(False)


def free_lock_of_failures() -> None:
    """mmengine 0.10.7 keeps the lock of its global instances (loggers, visualizers, scopes) where
    one cannot be made or found: every other thread that logs would then wait for ever."""
    if not importlib.util.find_spec('mmengine'):
        return
    from mmengine.utils import manager

    for name in ('get_instance', 'get_current_instance'):
        inner = getattr(manager.ManagerMixin, name).__func__
        if '_accquire_lock' in inner.__code__.co_names:
            setattr(manager.ManagerMixin, name, classmethod(_freed(inner, manager)))


def _freed(inner: Callable, manager) -> Callable:
    @functools.wraps(inner)
    def call(cls, *args, **kwargs):
        try:
            return inner(cls, *args, **kwargs)
        except BaseException:
            manager._release_lock()
            raise

    return call


def allow_checkpoints() -> None:
    """Register what mmengine's own checkpoints hold, so that torch loads them `weights_only`."""
    if not (importlib.util.find_spec('torch') and importlib.util.find_spec('mmengine')):
        return
    import torch

    if not hasattr(torch.serialization, 'add_safe_globals'):
        return  # before 2.4 there is no list, and the check is off by default
    import numpy as np
    from mmengine.config import ConfigDict
    from mmengine.logging import HistoryBuffer

    core = np._core if hasattr(np, '_core') else np.core
    plain = {type(np.dtype(code)) for code in '?bBhHiIlLqQefdgFDGSUmM'}
    # numpy 1 and 2 write the same two functions under different names.
    renamed = [
        _alias(getattr(core.multiarray, name), f'numpy.{module}.multiarray', name)
        for module in ('core', '_core')
        for name in ('_reconstruct', 'scalar')
    ]
    torch.serialization.add_safe_globals(
        [
            HistoryBuffer,
            ConfigDict,
            np.ndarray,
            np.dtype,
            *plain,
            *renamed,
            _alias(_statistic, 'builtins', 'getattr'),
        ]
    )


def guard_checkpoints() -> None:
    """Let every checkpoint that mmengine loads pass `checkpoints.read_checkpoint`, from the moment
    that mmengine's own loaders are imported."""
    if _GUARDED in sys.modules:
        from . import checkpoints

        checkpoints.register()
    elif not any(isinstance(finder, _GuardWhenImported) for finder in sys.meta_path):
        sys.meta_path.insert(0, _GuardWhenImported())


_GUARDED = 'mmengine.runner.checkpoint'


class _GuardWhenImported:
    """Import hook: importing mmengine's Runner at once would cost seconds."""

    def find_spec(self, name, path=None, target=None):
        if name != _GUARDED:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def exec_module(module) -> None:
                run(module)
                from . import checkpoints

                checkpoints.register()

            spec.loader.exec_module = exec_module
        return spec


def _alias(function: Callable, module: str, name: str) -> Callable:
    # torch lists a function by its own name, and not every version takes another beside it.
    def call(*args):
        return function(*args)

    call.__module__, call.__name__, call.__qualname__ = module, name, name
    return call


def _statistic(owner: type, name: str):
    """What a checkpoint may ask of `getattr`: HistoryBuffer's statistics, pickled by name."""
    from mmengine.logging import HistoryBuffer

    if owner is not HistoryBuffer or name not in STATISTICS:
        raise ValueError(
            f'the checkpoint asks for attribute {name!r} of {owner!r}; only '
            f'{", ".join(STATISTICS)} of mmengine.logging.HistoryBuffer are allowed. '
            'It was not written by mmengine: do not trust it.'
        )
    return getattr(HistoryBuffer, name)


def inherit_shipped_configs() -> None:
    """Let any config say `_base_ = 'mmseg_zsclip::zegclip/toy_inductive.py'`.

    mmengine knows the packages of such paths by a fixed table, and looks for `.mim` beside the
    sources, where an editable install has none.
    """
    if not importlib.util.find_spec('mmengine'):
        return
    from mmengine.config import Config

    others = Config._get_cfg_path
    if others.__module__ == __name__:
        return

    def get_cfg_path(cfg_path: str, filename: str) -> tuple[str, str | None]:
        if not cfg_path.startswith('mmseg_zsclip::'):
            return others(cfg_path, filename)
        from .apis.configs import find_shipped

        return str(find_shipped(cfg_path.partition('::')[2])), None

    Config._get_cfg_path = staticmethod(get_cfg_path)


def replace_pkg_resources() -> None:
    """Give mmengine functions that work without pkg_resources, which setuptools 82 removed.

    mmengine needs them for `_base_ = 'mmseg::...'` and `get_config`.
    """
    if importlib.util.find_spec('pkg_resources') or not importlib.util.find_spec('mmengine'):
        return
    import mmengine.config.config
    import mmengine.utils.package_utils

    homes = [mmengine.utils.package_utils, mmengine.utils, mmengine, mmengine.config.config]
    homes.append(sys.modules.get('mmengine.hub.hub'))
    for function in (is_installed, get_installed_path):
        for home in homes:
            if hasattr(home, function.__name__):
                setattr(home, function.__name__, function)


def is_installed(package: str) -> bool:
    """True if `package` is an installed distribution or an importable module."""
    return installed_version(package) is not None or _folder(package) is not None


def get_installed_path(package: str) -> str:
    """Return the folder of a module, or of the first module of a distribution."""
    names = [package]
    if installed_version(package) is not None:
        top_level = importlib.metadata.distribution(package).read_text('top_level.txt') or ''
        names += top_level.split()
    folder = next((found for found in map(_folder, names) if found), None)
    if folder is None:
        raise ModuleNotFoundError(
            f'{package!r} is not installed, or is a namespace without a folder of its own. '
            f'Run: pip install {package}'
        )
    return folder


def _folder(module: str) -> str | None:
    spec = importlib.util.find_spec(module) if module.isidentifier() else None
    return str(Path(spec.origin).parent) if spec and spec.origin else None


def installed_version(distribution: str) -> str | None:
    """Version of an installed distribution, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
