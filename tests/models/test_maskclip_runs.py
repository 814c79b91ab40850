"""MaskCLIP through the command line, from weights alone."""

import json
from pathlib import Path

import pytest

from mmseg_zsclip.cli import main
from mmseg_zsclip.clip.archs import get_arch
from mmseg_zsclip.clip.checkpoint import save_clip
from mmseg_zsclip.clip.model import CLIP


@pytest.mark.parametrize(
    ('config', 'arch'), [('toy_maskclip', 'ViT-T-8'), ('toy_maskclip_r', 'RN-T')]
)
def test_without_a_checkpoint_data_or_training_it_is_evaluated(config, arch, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_clip(CLIP(get_arch(arch)), tmp_path / 'clip.pt')
    options = [
        '--weights',
        str(tmp_path / 'clip.pt'),
        '--cfg-options',
        'test_dataloader.dataset.length=2',
        'test_dataloader.num_workers=0',
        'test_dataloader.persistent_workers=False',
    ]
    scores = []
    for run, extra in (('plain', []), ('tta', ['--tta'])):
        assert main(['test', config, '--work-dir', run, *extra, *options]) == 0
        (metrics,) = Path(run).rglob('metrics.json')
        scores.append(json.loads(metrics.read_text()))
    assert set(scores[0]) >= {'mIoU', 'mIoU(S)', 'mIoU(U)', 'hIoU', 'pAcc', 'per_class'}
    assert set(scores[0]) == set(scores[1])
    with pytest.raises(SystemExit, match=f'zsclip: .*nothing to train.*zsclip test {config}$'):
        main(['train', config])
