"""What is installed, what is missing and the repair: the table of `zsclip doctor`."""

import importlib.metadata
import importlib.util
import sys
from typing import NamedTuple

from .compat import (
    DECLARED,
    LITE_MMCV,
    PAIRS,
    PYTHON,
    SUPPORTED,
    TESTED,
    compiled_ops,
    has_mmcv,
    installed_version,
)


class Row(NamedTuple):
    """One line of `environment_report`; `fix` is the command that repairs it, empty if `ok`."""

    name: str
    found: str
    wanted: str
    ok: bool
    fix: str


def package_rows() -> list[Row]:
    """One row per distribution of `SUPPORTED`; of mmcv and mmcv-lite, the one that is there."""
    from packaging.specifiers import SpecifierSet

    absent = 'mmcv' if installed_version('mmcv') is None else 'mmcv-lite'
    rows = []
    for name, (wanted, fix) in SUPPORTED.items():
        if name == absent:
            continue
        found = installed_version(name)
        ok = found is not None and SpecifierSet(wanted).contains(found, prereleases=True)
        rows.append(Row(name, found or '', wanted or 'any', ok, '' if ok else fix))
    return rows


def pair_rows() -> list[Row]:
    """One row per pair of installed distributions that cannot work together."""
    from packaging.specifiers import SpecifierSet

    def is_in(name: str, specifier: str) -> bool:
        found = installed_version(name)
        return found is not None and SpecifierSet(specifier).contains(found, prereleases=True)

    rows = []
    for pair in PAIRS:
        if is_in(pair.first, pair.first_is) and is_in(pair.second, pair.second_is):
            found = (
                f'{installed_version(pair.first)} with {installed_version(pair.second)}: {pair.why}'
            )
            wanted = f'{pair.second} outside {pair.second_is} for {pair.first}{pair.first_is}'
            rows.append(Row(f'{pair.first} and {pair.second}', found, wanted, False, pair.fix))
    for name, other in DECLARED:
        needed, found = declared(name, other), installed_version(other)
        if needed and found and not is_in(other, needed):
            both = f'{installed_version(name)} with {found}'
            # The first moves: its fitting release is found by pip, which leaves `other` alone.
            rows.append(
                Row(
                    f'{name} and {other}',
                    both,
                    f'{other}{needed}',
                    False,
                    f'pip install "{name}" "{other}=={found.partition("+")[0]}"'
                    if name == 'torchvision'
                    else f'pip install "{other}{needed}"',
                )
            )
    return rows


def declared(name: str, other: str) -> str:
    """The specifier that an installed distribution's metadata give for another; '' if none."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    if installed_version(name) is None:
        return ''
    for text in importlib.metadata.requires(name) or ():
        requirement = Requirement(text)
        if canonicalize_name(requirement.name) == canonicalize_name(other) and (
            requirement.marker is None or requirement.marker.evaluate({'extra': ''})
        ):
            return str(requirement.specifier)
    return ''


def environment_report() -> list[Row]:
    """What is installed, what is wanted, and the command that repairs each; imports torch only."""
    from packaging.specifiers import SpecifierSet

    python = '.'.join(map(str, sys.version_info[:3]))
    fits = SpecifierSet(PYTHON).contains(python, prereleases=True)
    rows = [Row('python', python, PYTHON, fits, '' if fits else 'install Python 3.12')]
    rows += [*package_rows(), *pair_rows()]
    tested = '; '.join(f'{name} {", ".join(found)}' for name, found in TESTED.items())
    if any(TESTED.values()):
        rows.append(Row('suite ran on', tested, 'any', True, ''))
    if installed_version('mmcv') and installed_version('mmcv-lite'):
        both = f'{installed_version("mmcv")} and mmcv-lite {installed_version("mmcv-lite")}'
        fix = f'pip uninstall -y mmcv mmcv-lite && {LITE_MMCV}'
        rows.append(Row('mmcv twice', both, 'one of them', False, fix))
    if has_mmcv():
        rows.append(Row('ops', compiled_ops() or 'mmseg_zsclip.ops', 'either', True, ''))
    return [*rows, *_gpu_rows()]


def _gpu_rows() -> list[Row]:
    if not importlib.util.find_spec('torch'):
        return []
    import torch

    if not torch.cuda.is_available():
        return [Row('gpu', 'none', 'optional', True, '')]
    triton = installed_version('triton') or installed_version('triton-windows') or ''
    fix = '' if triton else 'pip install triton'
    return [
        Row('gpu', torch.cuda.get_device_name(), 'optional', True, ''),
        Row('triton', triton, 'any', bool(triton), fix),
    ]
