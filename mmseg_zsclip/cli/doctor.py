"""`zsclip doctor`: what is installed, what is missing, and the command that repairs it.

Only the standard library is needed to start: this is the command for a broken environment.
"""

import argparse
import importlib
import importlib.metadata
import platform
import sys
from collections.abc import Iterator
from typing import NamedTuple

from .. import compat, environment

DISTRIBUTION = 'mmseg_zsclip'
REINSTALL = 'pip install -e .   (in the folder of the clone)'
STACK = 'pip install -e ".[lite]"   (in the folder of the clone)'
# What is imported to see whether it works, and the repair that is likeliest when it does not.
IMPORTS = {
    'cv2': 'pip uninstall -y opencv-python && pip install opencv-python-headless',
    'torch': STACK,
    'torchvision': STACK,
    'mmengine': STACK,
    'mmcv': STACK,
    'mmseg.models': STACK,
    'mmdet.models': STACK,
    'open_clip': STACK,
    'mmseg_zsclip.models': STACK,
}


class Finding(NamedTuple):
    """One line of the report. `fix` is the command that repairs it; empty when all is well."""

    name: str
    state: str
    fix: str = ''


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--no-imports', action='store_true', help='only look at versions; import nothing'
    )


def run(args: argparse.Namespace) -> int:
    compat.setup(now=True)
    findings = [Finding('platform', f'{platform.platform()}, {sys.executable}')]
    findings += [*package_findings(), *environment_findings()]
    if not args.no_imports:
        findings += [*import_findings(), *weight_findings()]
    findings += config_findings()
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        mark = '!!' if finding.fix else '  '
        print(f'{mark} {finding.name:{width}}  {finding.state}')
    fixes = list(dict.fromkeys(keep_torch(finding.fix) for finding in findings if finding.fix))
    if not fixes:
        print('\nAll that training and testing need is here.')
        return 0
    print('\nTo repair what is marked !!, run:')
    for fix in fixes:
        print(f'    {fix}')
    return 1


def keep_torch(fix: str) -> str:
    """`fix` with the installed torch pinned, so that a repair never replaces a working torch."""
    torch = compat.installed_version('torch')
    command, gap, remark = fix.partition('   (')
    if torch is None or 'pip install "' not in command or '"torch>' in command:
        return fix
    return f'{command} "torch=={torch}"{gap}{remark}'


def environment_findings() -> Iterator[Finding]:
    """What `compat` knows of Python, the OpenMMLab stack, the ops and the GPU."""
    try:
        rows = environment.environment_report()
    except ImportError as error:  # `packaging` is no part of the standard library
        yield Finding(error.name or 'import', f'MISSING: {error}', f'pip install {error.name}')
        return
    for row in rows:
        if row.ok:
            yield Finding(row.name, row.found)
        elif row.found:
            yield Finding(row.name, f'{row.found}, wanted: {row.wanted}', row.fix)
        else:
            yield Finding(row.name, f'MISSING, wanted: {row.wanted}', row.fix)


def package_findings() -> Iterator[Finding]:
    """The package itself, and the requirements beside those that `compat` knows."""
    version = compat.installed_version(DISTRIBUTION)
    if version is None:
        yield Finding(DISTRIBUTION, 'runs from its sources, not installed', REINSTALL)
        return
    yield Finding(DISTRIBUTION, version)
    try:
        needed, optional = requirements('lite'), requirements('optional')
    except ImportError:  # reported by environment_findings
        return
    for name, requirement in needed.items():
        if name not in compat.SUPPORTED:
            yield requirement_finding(requirement)
    for name in optional:
        if name in needed:
            continue
        # The extra's bounds fit every torch; what cannot work with this one is in `compat.PAIRS`.
        yield Finding(name, compat.installed_version(name) or 'absent (optional)')


def requirements(extra: str) -> dict:
    """The package's requirements with `extra`, as `packaging` objects by name."""
    from packaging.requirements import Requirement

    found = [Requirement(text) for text in importlib.metadata.requires(DISTRIBUTION) or ()]
    return {
        requirement.name: requirement
        for requirement in found
        if requirement.marker is None or requirement.marker.evaluate({'extra': extra})
    }


def requirement_finding(requirement) -> Finding:
    version = compat.installed_version(requirement.name)
    wanted = str(requirement.specifier) or 'any'
    fix = f'pip install "{requirement.name}{requirement.specifier}"'
    if version is None:
        return Finding(requirement.name, f'MISSING, wanted: {wanted}', fix)
    if not requirement.specifier.contains(version, prereleases=True):
        return Finding(requirement.name, f'{version}, wanted: {wanted}', fix)
    return Finding(requirement.name, version)


def import_findings() -> Iterator[Finding]:
    """Installed is not the same as importable: a wheel for another torch fails only here."""
    for name, fix in IMPORTS.items():
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - a broken install raises anything
            lines = str(error).strip().splitlines()
            reason = f'{type(error).__name__}: {lines[0] if lines else ""}'
            yield Finding(f'import {name}', reason, fix)


def weight_findings() -> Iterator[Finding]:
    try:
        from ..clip.download import cache_dir, is_offline
    except ImportError:  # torch, reported by import_findings
        return
    folder = cache_dir()
    files = [path for path in folder.rglob('*') if path.is_file()] if folder.is_dir() else []
    size = sum(path.stat().st_size for path in files) / 2**20
    network = 'offline' if is_offline() else 'fetched when first used'
    yield Finding('weights', f'{folder} ({len(files)} files, {size:.0f} MiB; {network})')


def config_findings() -> Iterator[Finding]:
    from ..apis.configs import ConfigNotFoundError, config_root, shipped_configs

    try:
        configs = shipped_configs()
    except ConfigNotFoundError as error:
        yield Finding('configs', str(error), REINSTALL)
        return
    yield Finding('configs', f'{len(configs)} in {config_root()}')
