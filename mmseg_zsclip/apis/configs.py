"""Finds a shipped config by its path or its name, from any directory."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


class ConfigNotFoundError(FileNotFoundError):
    """No file of that name, neither below the current directory nor in the package."""


def config_root() -> Path:
    """The folder of the shipped configs: `.mim/configs` of an install, else the source tree's."""
    candidates = (PACKAGE / '.mim' / 'configs', PACKAGE.parent / 'configs')
    for root in candidates:
        if root.is_dir():
            return root
    raise ConfigNotFoundError(
        f'mmseg_zsclip was installed without its configs (looked in {candidates[0]} and '
        f'{candidates[1]}). Install it again: pip install --force-reinstall --no-deps mmseg_zsclip'
    )


def shipped_configs() -> list[Path]:
    """Every shipped config that can be trained or tested, sorted; `_base_` parts are left out."""
    root = config_root()
    return sorted(
        path
        for path in root.rglob('*.py')
        if not any(part.startswith('_') for part in path.relative_to(root).parts)
    )


def find_config(name: str | Path) -> Path:
    """Absolute path of the config that `name` stands for.

    `name` is an existing file, a path below the shipped `configs` folder (with or without
    `configs/` before it), or a shipped config's file name, with or without `.py`. A file of the
    user's own comes first.

    Raises:
        ConfigNotFoundError: naming the nearest shipped configs.
    """
    given = Path(name).expanduser()
    if given.is_file():
        return given.resolve()
    wanted = given if given.suffix == '.py' else given.with_name(given.name + '.py')
    if wanted.is_file():
        return wanted.resolve()
    return find_shipped(name)


def find_shipped(name: str | Path) -> Path:
    """Absolute path of the shipped config `name`, parts in `_base_` included.

    Raises:
        ConfigNotFoundError: naming the nearest shipped configs.
    """
    wanted = Path(name) if Path(name).suffix == '.py' else Path(f'{name}.py')
    shipped = shipped_configs()
    # resolve() would turn the link of an editable install into the source tree's own path, which
    # is the same file: `_base_` lookups are relative to it either way.
    for path in shipped:
        inside = path.relative_to(config_root())
        if wanted in (inside, Path('configs') / inside) or wanted == Path(path.name):
            return path
    part = config_root() / wanted
    if '..' not in wanted.parts and part.is_file():
        return part
    raise ConfigNotFoundError(_not_found(name, wanted, shipped))


def _not_found(name: str | Path, wanted: Path, shipped: list[Path]) -> str:
    names = [path.stem for path in shipped]
    nearest = get_close_matches(wanted.stem, names, n=5, cutoff=0.4)
    hint = f'Nearest shipped: {", ".join(nearest)}. ' if nearest else ''
    return (
        f"there is no config '{name}': no such file from {Path.cwd()}, and no shipped config "
        f'of that path or name. {hint}Give a path to a .py file or one of the {len(names)} names '
        f'in {config_root()}.'
    )


def environment_variables(config: str | Path) -> dict[str, str]:
    """Variables of the environment that a config file and its bases read, with their defaults."""
    from mmengine.config import Config

    text = Path(config).read_text(encoding='utf-8')
    found = dict(re.findall(r'\{\{\s*\$(\w+):([^}]*?)\s*\}\}', text))
    for base in Config._get_base_files(str(config)):
        path, _ = Config._get_cfg_path(base, str(config))
        found = {**environment_variables(path), **found}
    return found


@contextmanager
def what_is_missing(cfg) -> Iterator[None]:
    """Adds to the error of a missing file which variable of the environment names its place, where
    that is not set, and `made_by` of the config, the command that makes it, or the config.

    Args:
        cfg: an mmengine Config.
    """
    try:
        yield
    except FileNotFoundError as error:
        hints = []
        path = cfg.filename
        for name, default in (environment_variables(path) if path else {}).items():
            if default in str(error) and name not in os.environ:
                hints.append(f'{name} is not set and stands for {default}: export {name}=PLACE.')
        made_by = cfg.get('made_by')
        if made_by and made_by['file'] in str(error):
            command = made_by.get('command') or f'zsclip train {made_by["config"]}'
            hints.append(f'It is made by: {command}')
        if not hints:
            raise
        raise FileNotFoundError(' '.join([str(error), *hints])) from None
