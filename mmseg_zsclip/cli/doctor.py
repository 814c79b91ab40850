"""`zsclip doctor`: what is installed, what is missing, and the command that repairs it.

The versions come from the package's own requirements, so they are written down once. Nothing
outside the standard library is needed to start: this is the command for a broken environment.
"""
import argparse
import importlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass

DISTRIBUTION = 'mmseg_zsclip'
REINSTALL = 'pip install -e .   (in the folder of the clone; or pip install <the wheel>)'
IMPORTS = (
    'torch', 'torchvision', 'mmengine', 'mmcv', 'mmseg.models', 'mmdet.models', 'open_clip',
    'mmseg_zsclip.models')


@dataclass(frozen=True)
class Finding:
    """One line of the report. `fix` is the command that repairs it; empty when all is well."""
    name: str
    state: str
    fix: str = ''


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--no-imports', action='store_true', help='only look at versions; import nothing')


def run(args: argparse.Namespace) -> int:
    findings = [*python_findings(), *package_findings()]
    if not args.no_imports:
        findings += [*import_findings(), *device_findings(), *weight_findings()]
    findings += config_findings()
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        mark = '!!' if finding.fix else '  '
        print(f'{mark} {finding.name:{width}}  {finding.state}')
    fixes = list(dict.fromkeys(finding.fix for finding in findings if finding.fix))
    if not fixes:
        print('\nAll that training and testing need is here.')
        return 0
    print('\nTo repair what is marked !!, run:')
    for fix in fixes:
        print(f'    {fix}')
    return 1


def installed(name: str) -> str | None:
    """Version of an installed distribution, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def python_findings() -> Iterator[Finding]:
    yield Finding('python', f'{platform.python_version()} ({sys.executable})')
    yield Finding('platform', platform.platform())


def package_findings() -> Iterator[Finding]:
    """Every distribution of the runtime and of the `lite` extra against its allowed versions."""
    version = installed(DISTRIBUTION)
    if version is None:
        yield Finding(DISTRIBUTION, 'runs from its sources, not installed', REINSTALL)
        return
    yield Finding(DISTRIBUTION, version)
    for requirement in requirements('lite'):
        if requirement.name == 'mmcv-lite':
            yield mmcv_finding(requirement)
        else:
            yield package_finding(requirement)
    for requirement in requirements('optional'):
        if installed(requirement.name) is None:
            yield Finding(requirement.name, 'absent (optional)')
        else:
            yield package_finding(requirement)


def requirements(extra: str) -> list:
    """The package's requirements with and of `extra`, as `packaging` objects, by name."""
    from packaging.requirements import Requirement

    found = [Requirement(text) for text in importlib.metadata.requires(DISTRIBUTION) or ()]
    wanted = [
        requirement for requirement in found
        if requirement.marker is None or requirement.marker.evaluate({'extra': extra})]
    if extra == 'optional':  # what the stack brings is reported there
        lite = {requirement.name for requirement in requirements('lite')}
        wanted = [requirement for requirement in wanted if requirement.name not in lite]
    return sorted(wanted, key=lambda requirement: requirement.name)


def package_finding(requirement) -> Finding:
    version = installed(requirement.name)
    allowed = str(requirement.specifier) or 'any version'
    if version is None:
        return Finding(requirement.name, f'MISSING ({allowed})', pip_install(requirement))
    if not requirement.specifier.contains(version, prereleases=True):
        return Finding(
            requirement.name, f'{version} does not fit {allowed}', pip_install(requirement))
    return Finding(requirement.name, version)


def mmcv_finding(lite) -> Finding:
    """A full mmcv is used as it is; mmcv-lite with our ops replaces it; both at once share files
    and break each other."""
    full_version, lite_version = installed('mmcv'), installed('mmcv-lite')
    if full_version and lite_version:
        return Finding(
            'mmcv', f'{full_version} and mmcv-lite {lite_version} overwrite each other',
            f'pip uninstall -y mmcv mmcv-lite && {pip_install(lite)}')
    if not full_version:
        return package_finding(lite)
    full = next(each for each in requirements('mim') if each.name == 'mmcv')
    if full.specifier.contains(full_version, prereleases=True):
        return Finding('mmcv', full_version)
    return Finding(
        'mmcv', f'{full_version} is refused by mmseg ({full.specifier})',
        f'pip uninstall -y mmcv && {pip_install(lite)}')


def pip_install(requirement) -> str:
    """The command that installs one requirement and leaves the installed torch where it is."""
    wanted = f'{requirement.name}{requirement.specifier}'
    torch = installed('torch')
    keep = f' "torch=={torch}"' if torch and requirement.name != 'torch' else ''
    return f'pip install "{wanted}"{keep}'


def import_findings() -> Iterator[Finding]:
    """Installed is not the same as importable: a wheel for another torch fails only here."""
    for name in IMPORTS:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - a broken install raises anything
            lines = str(error).strip().splitlines()
            reason = f'{type(error).__name__}: {lines[0] if lines else ""}'
            yield Finding(f'import {name}', reason, 'pip install -e ".[lite]"')


def device_findings() -> Iterator[Finding]:
    try:
        import torch

        from mmseg_zsclip import compat
    except ImportError:
        return
    compiled = compat.compiled_ops()
    yield Finding('ops', f"mmcv's own, {compiled}" if compiled else 'mmseg_zsclip.ops')
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            major, minor = torch.cuda.get_device_capability(index)
            yield Finding(
                f'gpu {index}', f'{torch.cuda.get_device_name(index)}, compute {major}.{minor}')
    else:
        yield Finding('gpu', f'none seen by torch (built for CUDA {torch.version.cuda})')


def weight_findings() -> Iterator[Finding]:
    return iter(())


def config_findings() -> Iterator[Finding]:
    from mmseg_zsclip.apis.configs import ConfigNotFoundError, config_root, shipped_configs

    try:
        configs = shipped_configs()
    except ConfigNotFoundError as error:
        yield Finding('configs', str(error), REINSTALL)
        return
    yield Finding('configs', f'{len(configs)} in {os.path.abspath(config_root())}')
