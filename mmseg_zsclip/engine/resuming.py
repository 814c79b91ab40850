"""Which checkpoint a run goes on from: the newest of its own that loads."""

import logging
import os
import re
from pathlib import Path

from mmengine.logging import print_log

from ..checkpoints import CheckpointError, read_checkpoint
from .run_identity import RunError, differences, few, read_run

LAST = 'last_checkpoint'


def checkpoint_place(cfg) -> tuple[Path, str] | None:
    """Where the config's runs keep their checkpoints: the folder, and the template of the names.
    None for a folder that is on no local disk."""
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    template = hook.get('filename_tmpl') or (
        'epoch_{}.pth' if hook.get('by_epoch', True) else 'iter_{}.pth'
    )
    folder = str(cfg.work_dir)
    if hook.get('out_dir') and hook['out_dir'] != folder:
        folder = os.path.join(hook['out_dir'], os.path.basename(folder.rstrip('/')))
    return None if '://' in folder else (Path(folder), template)


def saved_checkpoints(folder: Path, template: str) -> list[Path]:
    """Checkpoints in a folder, the newest first, by the number in their names. What
    `last_checkpoint` names comes first where it has another name; of a path, the file's own name
    counts, because folders move."""
    before, after = map(re.escape, template.split('{}'))
    found = []
    for path in folder.glob('*'):
        match = re.fullmatch(f'{before}(\\d+){after}', path.name)
        if match and path.is_file():
            found.append((int(match[1]), path))
    files = [path for _, path in sorted(found, reverse=True)]
    note = folder / LAST
    if note.is_file():
        name = re.split(r'[/\\]', note.read_text(errors='replace').strip())[-1]
        named = folder / name
        if name and named.is_file() and named not in files:
            files.insert(0, named)
    return files


def read_training_state(path: Path) -> dict:
    """A checkpoint of training, on the CPU.

    Raises:
        RunError: it does not load, or holds no training that could go on; says what it is.
    """
    try:
        checkpoint = read_checkpoint(path)
    except (CheckpointError, OSError) as error:
        raise RunError(str(error)) from error
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    whole = (
        isinstance(meta, dict)
        and isinstance(meta.get('iter'), int)
        and {'state_dict', 'message_hub'} <= set(checkpoint)
    )
    if not whole:
        raise RunError(f'{path} is no checkpoint of a training')
    return checkpoint


def find_resumable(folder: Path, template: str, ours: dict) -> tuple[Path, dict] | None:
    """The newest checkpoint in `folder` of the run that was begun there last, and its `meta`; None
    where there is no checkpoint at all. Damaged ones are passed over with a warning.

    Args:
        ours: of `run_config`.

    Raises:
        RunError: there are checkpoints, but none loads, or they are of another run.
    """
    files = saved_checkpoints(folder, template)
    if not files:
        return None
    run = read_run(folder)
    foreign = []
    for path in files:
        try:
            meta = read_training_state(path)['meta']
        except RunError as error:
            print_log(f'passed over: {error}', logger='current', level=logging.WARNING)
            continue
        theirs = meta.get('run')
        if run is not None and (theirs or {}).get('id') != run['id']:
            foreign.append((path, theirs))
            continue
        check_run(path, theirs, ours)
        return path, meta
    if foreign:
        path, theirs = foreign[0]
        unlike = differences(theirs['config'], ours) if theirs else []
        raise RunError(
            f'the run that was begun in {folder} at {run["begun"]} has saved nothing that loads; '
            f'{path.name} is of an earlier run'
            + (f' ({few(unlike)})' if unlike else '')
            + f'. Go on with that one: --resume {path}; or start anew, without --resume.'
        )
    raise RunError(
        f'no checkpoint in {folder} loads: {few([path.name for path in files], 8)}. '
        'Start anew without --resume.'
    )


def check_run(path: Path | str, theirs: dict | None, ours: dict) -> None:
    """Raises RunError when a checkpoint's run had another config; a checkpoint that says nothing of
    its run is warned of."""
    if theirs is None:
        print_log(
            f'{path} does not say with which config it was trained: its run and this one '
            'were not compared',
            logger='current',
            level=logging.WARNING,
        )
        return
    unlike = differences(theirs['config'], ours)
    if unlike:
        raise RunError(
            f'{path} was trained with another config: {few(unlike)} (theirs -> ours). Go on with '
            'its own config, take another --work-dir, or start from its weights: '
            f'--cfg-options load_from={path}'
        )
