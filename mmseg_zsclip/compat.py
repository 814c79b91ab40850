"""The only file that knows versions of mmcv, mmengine and torch. Standard library at import."""
import importlib.util
import logging
import sys
from importlib.machinery import PathFinder

FULL_MMCV = (
    'pip uninstall -y mmcv-lite && pip install "setuptools<82" wheel && '
    'pip install --no-build-isolation "mmcv==2.1.0"   (compiles: needs g++, and nvcc for a GPU)')
LITE_MMCV = 'pip install "mmcv-lite==2.1.0"'

logger = logging.getLogger('mmseg_zsclip')


def setup() -> None:
    """Make mmcv, mmengine and torch of today work together; safe to call twice."""
    require_mmcv()
    install_ops()


def require_mmcv() -> None:
    """Raise ImportError with the command to run when there is neither mmcv nor mmcv-lite."""
    if 'mmcv' not in sys.modules and importlib.util.find_spec('mmcv') is None:
        raise ImportError(
            'mmseg_zsclip needs mmcv or mmcv-lite, found neither. '
            f'Run: {LITE_MMCV}   (no compiler needed)')


def compiled_ops() -> str | None:
    """Return where mmcv's own compiled ops are, or None. Does not import mmcv."""
    loaded = sys.modules.get('mmcv._ext')
    if loaded is not None:
        is_ours = type(loaded).__module__ == 'mmseg_zsclip.ops'
        return None if is_ours else getattr(loaded, '__file__', None) or 'mmcv._ext'
    spec = importlib.util.find_spec('mmcv')
    if spec is None:
        return None
    ext = PathFinder.find_spec('mmcv._ext', spec.submodule_search_locations)
    return ext.origin if ext else None


def install_ops() -> None:
    """Put our ops where mmcv's compiled ones would be, if and only if those are missing."""
    if 'mmcv._ext' in sys.modules or compiled_ops():
        return
    from mmseg_zsclip import ops
    sys.modules['mmcv._ext'] = ops.build_module()
    logger.info('mmcv has no compiled ops: using mmseg_zsclip.ops (torch, Triton on a GPU)')
