"""The rounds of distillation in whole runs: when the teacher is renewed, and after a resume."""

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS
from mmengine.runner import Runner
from torch import nn

import mmseg_zsclip  # noqa: F401


@MODELS.register_module(force=True)
class Pupil(BaseModel):
    """A weight that goes from its teacher's by 1 a step."""

    def __init__(self):
        super().__init__()
        self.generator = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.generator.weight)
        self.__dict__['teacher'] = nn.Linear(1, 1, bias=False)
        self.log = []

    def promote(self):
        self.teacher.load_state_dict(self.generator.state_dict())

    def forward(self, inputs, mode='loss'):
        self.log.append(self.teacher.weight.item())
        return dict(loss=-self.generator.weight.sum())


@DATASETS.register_module(force=True)
class Numbers(torch.utils.data.Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, i):
        return dict(inputs=torch.ones(1))


def train(folder, max_iters=6, rounds=2, model='Pupil', resume=False, momentum=0.0, **options):
    """What the teacher was at each step of a run, and the runner."""
    runner = Runner(
        model=dict(type=model) if isinstance(model, str) else model,
        work_dir=str(folder),
        train_dataloader=dict(
            batch_size=1, dataset=dict(type='Numbers'), sampler=dict(type='InfiniteSampler')
        ),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=max_iters),
        optim_wrapper=dict(
            type='OptimWrapper', optimizer=dict(type='SGD', lr=1.0, momentum=momentum)
        ),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1)),
        custom_hooks=[dict(type='mmseg_zsclip.DistillationHook', rounds=rounds, **options)],
        log_processor=dict(by_epoch=False),
        log_level='WARNING',
        experiment_name=f'{folder.name}_{max_iters}_{resume}',
        resume=resume,
    )
    runner.train()
    return runner.model.log


def test_the_student_is_the_teacher_of_every_round(tmp_path):
    assert train(tmp_path / 'two') == [0, 0, 0, 3, 3, 3]
    assert train(tmp_path / 'one', rounds=1) == [0] * 6
    assert train(tmp_path / 'four', max_iters=8, rounds=4) == [0, 0, 2, 2, 4, 4, 6, 6]


def test_a_round_may_begin_with_a_fresh_optimizer(tmp_path):
    """Steps of 1 and 2, and, where it remembers them, of 3 and 4."""
    run = dict(rounds=3, momentum=1.0)
    assert train(tmp_path / 'kept', **run) == [0, 0, 3, 3, 10, 10]
    assert train(tmp_path / 'fresh', fresh_optimizer=True, **run) == [0, 0, 3, 3, 6, 6]


def test_a_run_that_goes_on_keeps_the_optimizer_of_its_round(tmp_path):
    run = dict(momentum=1.0, fresh_optimizer=True, max_iters=8, rounds=2)
    whole = train(tmp_path / 'whole', **run)
    assert resumed(tmp_path / 'resumed', 1, **run) == whole[1:]
    assert resumed(tmp_path / 'later', 5, **run) == whole[5:]


def resumed(folder, stop, **run):
    """Goes on from a checkpoint of a run that was broken off."""
    train(folder, **run)
    for step in range(stop + 1, run.get('max_iters', 6) + 1):
        (folder / f'iter_{step}.pth').unlink()
    (folder / 'last_checkpoint').write_text(str(folder / f'iter_{stop}.pth'))
    return train(folder, resume=True, **run)


@pytest.mark.parametrize(('stop', 'rest'), [(2, [0, 3, 3, 3]), (3, [3, 3, 3]), (4, [3, 3])])
def test_a_run_that_goes_on_has_the_teacher_of_its_round(tmp_path, stop, rest):
    assert resumed(tmp_path, stop) == rest


def test_a_longer_run_that_goes_on_does_not_go_back_a_round(tmp_path):
    train(tmp_path, max_iters=4)
    assert train(tmp_path, max_iters=8, resume=True) == [2] * 4


def test_wrong_rounds_are_named(tmp_path):
    with pytest.raises(ValueError, match='rounds is 0; legal values: at least 1'):
        train(tmp_path, rounds=0)
    with pytest.raises(ValueError, match='rounds is 9, but training has 6 iterations'):
        train(tmp_path, rounds=9)


def test_a_model_without_a_teacher_is_named(tmp_path):
    @MODELS.register_module(force=True)
    class Alone(BaseModel):
        def __init__(self):
            super().__init__()
            self.generator = nn.Linear(1, 1)

        def forward(self, inputs, mode='loss'):
            return dict(loss=self.generator.weight.sum())

    with pytest.raises(TypeError, match='Alone has no teacher to renew; use'):
        train(tmp_path, model='Alone')
