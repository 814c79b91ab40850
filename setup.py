"""Packaging. `pip install .` adds only light pure-Python packages: torch, mmcv and mmseg stay as
they are, because a user may have compiled them. The extras bring the stack."""
import os
import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
MIM_PARTS = ('configs', 'tools', 'model-index.yml')
MIM_IGNORED = shutil.ignore_patterns('__pycache__', '*.pyc')


def requirements(name: str) -> list[str]:
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith('#')]


def version() -> str:
    text = (ROOT / 'mmseg_zsclip' / '__init__.py').read_text()
    return re.search(r"^__version__ = '(.+)'$", text, re.MULTILINE).group(1)


class BuildWithMim(build_py):
    """Ships configs, tools and the model index as `mmseg_zsclip/.mim`, where mim looks for them.

    An editable install links to the sources, so an edited config is seen at once; a wheel holds
    copies, written to the build folder so that no stale copy stays in the source tree.
    """

    def run(self):
        super().run()
        if self.editable_mode:
            link_mim(ROOT / 'mmseg_zsclip' / '.mim')
        else:
            copy_mim(Path(self.build_lib) / 'mmseg_zsclip' / '.mim')


def copy_mim(target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for part in MIM_PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=MIM_IGNORED)
        else:
            shutil.copy2(source, target / part)


def link_mim(target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    try:
        for part in MIM_PARTS:
            (target / part).symlink_to(os.path.relpath(ROOT / part, target))
    except OSError:  # Windows allows links only to administrators
        copy_mim(target)


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
    package_data={'mmseg_zsclip': ['datasets/names/*.txt']},
    install_requires=requirements('runtime'),
    extras_require={
        'lite': requirements('lite'),
        'mim': requirements('mminstall'),
        'optional': requirements('optional'),
        'demo': requirements('demo'),
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
