"""Loggers that refuse names, and the best checkpoint by this package's own metrics."""

import json
import posixpath
import re
from pathlib import Path
from typing import ClassVar

import pytest
from mmengine.registry import VISBACKENDS
from mmengine.visualization.vis_backend import BaseVisBackend

from mmseg_zsclip.apis.launch import build_runner, evaluate
from mmseg_zsclip.engine.metric_names import legal_name, legal_scalars


@VISBACKENDS.register_module()
class StrictVisBackend(BaseVisBackend):
    """Refuses a name as MLflow does (`mlflow.utils.validation._validate_metric_name`)."""

    seen: ClassVar[set[str]] = set()

    def _init_env(self):
        pass

    @property
    def experiment(self):
        return self

    def add_scalar(self, name, value, step=0, **kwargs):
        if (
            not re.fullmatch(r'[/\w.\- ]*', name)
            or posixpath.normpath(name) != name
            or (name.startswith(('/', '..')) or name == '.')
        ):
            raise ValueError(f"Invalid metric name: '{name}'")
        self.seen.add(name)

    def add_scalars(self, scalar_dict, step=0, file_path=None, **kwargs):
        for name, value in scalar_dict.items():
            self.add_scalar(name, value, step)


@pytest.fixture
def zero_shot(training):
    """The training of these tests, scored by this package's metric, with a strict logger."""

    def make(steps=6, **checkpoint):
        cfg = training(steps)
        evaluator = dict(type='mmseg_zsclip.ZeroShotIoUMetric', unseen=['tree', 'car'])
        cfg.val_evaluator = evaluator
        cfg.test_dataloader, cfg.test_evaluator, cfg.test_cfg = cfg.val_dataloader, evaluator, {}
        cfg.visualizer = dict(
            type='SegLocalVisualizer',
            vis_backends=[dict(type='LocalVisBackend'), dict(type='StrictVisBackend')],
        )
        cfg.default_hooks.checkpoint.update(checkpoint)
        StrictVisBackend.seen = set()
        return cfg

    return make


def test_a_logger_that_refuses_names_stops_no_run(zero_shot):
    cfg = zero_shot()
    runner = build_runner(cfg)
    runner.train()
    assert {'mIoU', 'mIoU_S', 'mIoU_U', 'hIoU', 'pAcc_S', 'loss', 'decode.loss_ce', 'lr'} <= (
        StrictVisBackend.seen
    )
    (file,) = Path(cfg.work_dir).glob('*/vis_data/scalars.json')
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert any({'mIoU(S)', 'mIoU(U)'} <= set(row) for row in rows)
    StrictVisBackend.seen = set()
    assert 'mIoU(S)' in evaluate(cfg, Path(cfg.work_dir) / 'iter_6.pth')
    assert not any('(' in name for name in StrictVisBackend.seen)


@pytest.mark.parametrize(
    ('name', 'legal'),
    [
        ('mIoU(S)', 'mIoU_S'),
        ('PQ(th)', 'PQ_th'),
        ('AP50(novel)', 'AP50_novel'),
        ('val/IoU: sky', 'val/IoU_ sky'),
        ('a//b', 'a/b'),
        ('/a', 'a'),
        ('../a', 'a'),
        ('./a', 'a'),
        ('Größe [%]', 'Gr_e'),
        ('loss', 'loss'),
        ('(%)', 'unnamed'),
    ],
)
def test_every_name_becomes_a_legal_one(name, legal, tmp_path):
    assert legal_name(name) == legal
    StrictVisBackend(str(tmp_path)).add_scalar(legal, 1.0)


def test_two_scalars_of_one_legal_name_are_an_error():
    with pytest.raises(ValueError, match=r"'mIoU\(S\)' and 'mIoU_S' would both be 'mIoU_S'"):
        legal_scalars({'mIoU(S)': 1, 'mIoU_S': 2})


def test_the_best_checkpoint_by_hiou_and_by_unseen_survives_a_resume(zero_shot):
    best = ['hIoU', 'mIoU(U)']
    cfg = zero_shot(steps=3, save_best=best)
    build_runner(cfg).train()
    folder = Path(cfg.work_dir)
    assert {path.name for path in folder.glob('best_*')} == {
        'best_hIoU_iter_3.pth',
        'best_mIoU(U)_iter_3.pth',
    }
    longer = zero_shot(steps=9, save_best=best)
    longer.resume = True
    runner = build_runner(longer)
    runner.train()
    found = sorted(path.name for path in folder.glob('best_*'))
    assert [re.sub(r'\d+', 'N', name) for name in found] == [
        'best_hIoU_iter_N.pth',
        'best_mIoU(U)_iter_N.pth',
    ]
    info = runner.message_hub.runtime_info
    assert {Path(info[f'best_ckpt_{key}']).name for key in best} == set(found)
    assert 'hIoU' in evaluate(longer, folder / found[0])
