"""Packaging. `pip install .` adds only light pure-Python packages: torch, mmcv and mmseg stay as
they are, because a user may have compiled them. The extras bring the stack."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
MIM_PARTS = ('configs', 'tools', 'model-index.yml')


def requirements(name: str) -> list[str]:
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith('#')]


def version() -> str:
    text = (ROOT / 'mmseg_zsclip' / '__init__.py').read_text()
    return re.search(r"^__version__ = '(.+)'$", text, re.MULTILINE).group(1)


class BuildWithMim(build_py):
    """Ships configs, tools and the model index in `mmseg_zsclip/.mim`, where mim looks for them.

    A wheel holds copies. mim looks only beside the package's dist-info, which an editable install
    keeps away from the sources, so there it gets one-line files that point to the sources: an
    edited config is seen at once. (A config *added* later needs `pip install -e .` again for mim,
    not for `zsclip`.) Nothing is written to the source tree.
    """

    def run(self):
        super().run()
        if self.editable_mode:
            # setuptools points `install` at the editable wheel under construction.
            site = self.distribution.get_command_obj('install').install_lib
            write_mim(Path(site) / 'mmseg_zsclip' / '.mim', point_to)
        else:
            write_mim(Path(self.build_lib) / 'mmseg_zsclip' / '.mim', shutil.copy2)


def write_mim(target: Path, write) -> None:
    shutil.rmtree(target, ignore_errors=True)
    for part in MIM_PARTS:
        source = ROOT / part
        for path in sorted(source.rglob('*')) if source.is_dir() else [source]:
            if path.is_file() and '__pycache__' not in path.parts:
                copy = target / path.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                write(path, copy)


def point_to(source: Path, target: Path) -> None:
    """Writes to `target` what leads to `source`: a config that inherits it, a script that runs
    it; anything else is copied."""
    inside = source.relative_to(ROOT)
    if source.suffix != '.py':
        shutil.copy2(source, target)
    elif inside.parts[0] == 'configs':
        target.write_text(f'_base_ = [{str(source)!r}]\n')
    else:
        target.write_text(f"import runpy\n\nrunpy.run_path({str(source)!r}, run_name='__main__')\n")


setup(
    name='mmseg_zsclip',
    version=version(),
    description='CLIP-based zero-shot and open-vocabulary segmentation as an MMSegmentation plugin',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    package_dir={'': '.'},
    packages=find_packages(include=['mmseg_zsclip', 'mmseg_zsclip.*']),
    package_data={
        'mmseg_zsclip': [
            'vocabulary/names/*.txt',
            'experiments/report/*.html',
            'toy/weights/*.pt',
            'web/*.css',
            'web/*.js',
        ]
    },
    install_requires=requirements('runtime'),
    extras_require={
        'lite': requirements('lite'),
        'mim': requirements('mminstall'),
        'optional': requirements('optional'),
        'onnx': requirements('onnx'),
        'ray': requirements('ray'),
        'geo': requirements('geo'),
        'heic': requirements('heic'),
        'demo': requirements('demo'),
        'web': requirements('web'),
        'tests': requirements('tests'),
        'docs': requirements('docs'),
    },
    entry_points={'console_scripts': ['zsclip = mmseg_zsclip.cli:main']},
    cmdclass={'build_py': BuildWithMim},
    zip_safe=False,
    classifiers=[
        'Intended Audience :: Science/Research',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
)
