"""`zsclip train | test`: any config, from any directory, killed and resumed."""

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmseg_zsclip.apis.configs import ConfigNotFoundError, config_root, find_config, shipped_configs
from mmseg_zsclip.apis.launch import (
    load_config,
    set_weights,
    tta_pipeline,
    with_tta,
    write_metrics,
)
from mmseg_zsclip.cli import main

ROOT = Path(__file__).resolve().parents[1]
TINY = """
default_scope = 'mmseg'
custom_imports = dict(imports=['mmseg_zsclip'], allow_failed_imports=False)
env_cfg = dict(dist_cfg=dict(backend='nccl'))
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor', size=(32, 32), mean=[0.] * 3, std=[255.] * 3),
    backbone=dict(type='MobileNetV2', widen_factor=0.1, out_indices=(5, 6)),
    decode_head=dict(
        type='FCNHead', in_channels=32, channels=8, num_convs=1, num_classes=3),
    test_cfg=dict(mode='whole'))
pipeline = [
    dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
dataset = dict(
    type='BaseSegDataset', data_root=r'DATA', img_suffix='.png', seg_map_suffix='.png',
    data_prefix=dict(img_path='images', seg_map_path='labels'), pipeline=pipeline,
    metainfo=dict(classes=('sky', 'road', 'car'), palette=[[9, 9, 9], [0, 99, 0], [0, 0, 99]]))
train_dataloader = dict(
    batch_size=2, num_workers=0, dataset=dataset, sampler=dict(type='InfiniteSampler'))
val_dataloader = test_dataloader = dict(
    batch_size=1, num_workers=0, dataset=dataset,
    sampler=dict(type='DefaultSampler', shuffle=False))
val_evaluator = test_evaluator = dict(type='IoUMetric')
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2, val_interval=1000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01))
randomness = dict(seed=1)  # of 4 in 40, batch norms over two equal pixels let weights explode
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=1),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2))
visualizer = dict(
    type='SegLocalVisualizer', name='visualizer', vis_backends=[dict(type='LocalVisBackend')])
log_processor = dict(by_epoch=False)
"""


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A config of stock mmseg parts on three 32 x 32 images, in an otherwise empty directory."""
    rng = np.random.default_rng(0)
    for folder, high, shape in (('images', 256, (32, 32, 3)), ('labels', 3, (32, 32))):
        (tmp_path / 'data' / folder).mkdir(parents=True)
        for name in 'abc':
            pixels = rng.integers(0, high, shape, dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / 'data' / folder / f'{name}.png')
    config = tmp_path / 'tiny.py'
    config.write_text(TINY.replace('DATA', str(tmp_path / 'data')))
    (tmp_path / 'cwd').mkdir()
    monkeypatch.chdir(tmp_path / 'cwd')
    return config


def logs(folder: Path) -> str:
    return ''.join(path.read_text() for path in sorted(folder.rglob('*.log')))


def test_train_then_test_writes_checkpoint_metrics_and_overlays(tiny):
    assert main(['train', str(tiny), '--work-dir', 'run']) == 0
    assert (
        main(['test', str(tiny), 'run/iter_2.pth', '--work-dir', 'run', '--show-dir', 'seen']) == 0
    )
    (metrics,) = Path('run').rglob('metrics.json')
    assert set(json.loads(metrics.read_text())) == {'aAcc', 'mIoU', 'mAcc'}
    assert list(metrics.parent.glob('*.log'))
    assert sorted(path.name for path in Path('seen').iterdir()) == ['a.png', 'b.png', 'c.png']
    width, height = Image.open(
        'seen/a.png'
    ).size  # photo, truth, prediction; their titles, a legend
    assert width == 3 * 320 + 2 * 8
    assert height > 320 + 30


def test_curves_of_the_second_run_of_a_process_are_in_its_own_folder(tiny):
    for run in ('first', 'second'):
        assert main(['train', str(tiny), '--work-dir', run]) == 0
    for run in ('first', 'second'):
        (scalars,) = Path(run).rglob('scalars.json')
        rows = map(json.loads, scalars.read_text().splitlines())
        assert [row['step'] for row in rows if 'loss' in row] == [1, 2]


def test_another_batch_than_the_learning_rates_is_warned_of_or_scaled_for(tiny):
    options = ['--cfg-options', 'auto_scale_lr.base_batch_size=16', 'auto_scale_lr.enable=False']
    assert main(['train', str(tiny), '--work-dir', 'plain', *options]) == 0
    assert '2 images a step, but the learning rate of this config is for 16' in logs(Path('plain'))
    assert main(['train', str(tiny), '--work-dir', 'scaled', '--auto-scale-lr', *options]) == 0
    assert 'Scaling the original LR by 0.125' in logs(Path('scaled'))
    with pytest.raises(
        SystemExit, match='zsclip: --auto-scale-lr needs auto_scale_lr.base_batch_size'
    ):
        main(['train', str(tiny), '--auto-scale-lr'])


@pytest.mark.parametrize('none', [[], ['none']])
def test_a_trained_model_without_its_checkpoint_is_an_error_and_no_random_score(tiny, none):
    with pytest.raises(
        SystemExit,
        match=r'zsclip: no checkpoint given, but [\d,]+ parameters of this model '
        'come from training.*zsclip test tiny CKPT',
    ):
        main(['test', str(tiny), *none])
    assert not list(Path.cwd().rglob('metrics.json'))


def test_load_from_of_the_config_is_the_checkpoint(tiny):
    assert main(['train', str(tiny), '--work-dir', 'run']) == 0
    assert (
        main(['test', str(tiny), '--work-dir', 'run', '--cfg-options', 'load_from=run/iter_2.pth'])
        == 0
    )
    assert list(Path('run').rglob('metrics.json'))


def test_training_what_has_nothing_to_train_names_the_command_that_evaluates_it(tiny):
    tiny.write_text(tiny.read_text() + 'train_dataloader = train_cfg = optim_wrapper = None\n')
    with pytest.raises(SystemExit, match='nothing to train.*zsclip test tiny$'):
        main(['train', str(tiny)])


def test_training_killed_at_any_moment_goes_on_from_its_last_checkpoint(tiny):
    command = [
        sys.executable,
        '-m',
        'mmseg_zsclip.cli',
        'train',
        str(tiny),
        '--work-dir',
        'run',
        '--cfg-options',
        'train_cfg.max_iters=100000',
    ]
    paths = [str(ROOT), os.environ.get('PYTHONPATH', '')]
    with open('output', 'w') as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(paths)},
        )
        deadline = time.time() + 120
        while not Path('run/last_checkpoint').exists() and process.poll() is None:
            assert time.time() < deadline, Path('output').read_text()
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
    reached = int(Path(Path('run/last_checkpoint').read_text()).stem.removeprefix('iter_'))
    assert reached >= 2, Path('output').read_text()
    end = reached + 2
    assert (
        main(
            [
                'train',
                str(tiny),
                '--work-dir',
                'run',
                '--resume',
                '--cfg-options',
                f'train_cfg.max_iters={end}',
            ]
        )
        == 0
    )
    assert f'resumed epoch: 0, iter: {reached}' in logs(Path('run'))
    assert Path(f'run/iter_{end}.pth').exists()


def test_resume_without_a_checkpoint_starts_as_without_it(tiny):
    assert main(['train', str(tiny), '--work-dir', 'run', '--resume']) == 0
    assert Path('run/iter_2.pth').exists()
    assert (
        main(
            [
                'train',
                str(tiny),
                '--work-dir',
                'second',
                '--resume',
                '--cfg-options',
                'load_from=run/iter_2.pth',
            ]
        )
        == 0
    )
    assert 'Load checkpoint from run/iter_2.pth' in logs(Path('second'))
    assert 'resumed epoch' not in logs(Path('second'))


def test_two_processes_train_and_evaluate_with_torchrun_on_a_cpu(tiny):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    run = subprocess.run(
        [
            ROOT / 'tools/dist_train.sh',
            tiny,
            '2',
            '--work-dir',
            'run',
            '--cfg-options',
            'train_cfg.val_interval=2',
        ],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            'PORT': port,
            'PYTHONPATH': str(ROOT),
            'OMP_NUM_THREADS': '1',
            'CUDA_VISIBLE_DEVICES': '',
            'PATH': f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}',
        },
    )
    assert run.returncode == 0, (run.stdout + run.stderr)[-9000:]
    log = logs(Path('run'))
    assert 'Distributed training: True' in log
    assert 'GPU number: 2' in log
    assert 'mIoU' in log


@pytest.mark.parametrize(
    ('script', 'arguments', 'started'),
    [
        ('dist_train.sh', 'CFG 4 --resume', 'train.py CFG --launcher pytorch --resume'),
        ('dist_test.sh', 'CFG CKPT 4 --tta', 'test.py CFG CKPT --launcher pytorch --tta'),
        ('slurm_train.sh', 'part job CFG --resume', 'train.py CFG --launcher slurm --resume'),
        ('slurm_test.sh', 'part job CFG CKPT --tta', 'test.py CFG CKPT --launcher slurm --tta'),
    ],
)
def test_launch_scripts_pass_their_arguments_on(script, arguments, started, tmp_path):
    for program in ('torchrun', 'srun'):
        (tmp_path / program).write_text(f'#!/bin/sh\necho {program} "$@"\n')
        (tmp_path / program).chmod(0o755)
    run = subprocess.run(
        [ROOT / 'tools' / script, *arguments.split()],
        capture_output=True,
        text=True,
        check=True,
        env={'PATH': f'{tmp_path}{os.pathsep}{os.environ["PATH"]}'},
    )
    assert run.stdout.rstrip().endswith(f'/{started}')
    wanted = '--nproc_per_node=4' if script.startswith('dist') else '-p part --job-name=job'
    assert wanted in run.stdout


@pytest.mark.parametrize('form', ['{stem}', '{name}', '{inside}', 'configs/{inside}', '{path}'])
def test_a_shipped_config_is_found_from_any_directory(form, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = shipped_configs()[0]
    inside = path.relative_to(config_root()).as_posix()
    given = form.format(stem=path.stem, name=path.name, inside=inside, path=path)
    assert find_config(given).samefile(path)


def test_a_config_of_ones_own_comes_before_a_shipped_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = tmp_path / shipped_configs()[0].name
    own.write_text('')
    assert find_config(own.stem) == own.resolve()


def test_an_unknown_config_is_refused_with_the_nearest_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = shipped_configs()[0].stem
    with pytest.raises(
        ConfigNotFoundError, match=f"no config '{name}x'.*Nearest shipped: .*{name}"
    ):
        find_config(name + 'x')
    with pytest.raises(SystemExit, match=f'zsclip: there is no config.*{name}'):
        main(['train', name + 'x'])


def test_a_missing_checkpoint_is_named_before_anything_is_built(tiny):
    with pytest.raises(SystemExit, match="there is no checkpoint 'nowhere.pth'"):
        main(['test', str(tiny), 'nowhere.pth'])
    with pytest.raises(SystemExit, match="there is no checkpoint 'nowhere.pth'.*zsclip train CON"):
        main(['train', str(tiny), '--resume', 'nowhere.pth'])
    assert not list(Path.cwd().iterdir())


def test_weights_replace_those_of_every_tower():
    model = dict(backbone=dict(weights='openai'), heads=[dict(text=dict(weights='openai'))])
    cfg = Config(dict(model=model))
    assert set_weights(cfg, 'mine.pt') == 2
    assert cfg.model.backbone.weights == cfg.model.heads[0].text.weights == 'mine.pt'


def test_weights_that_nothing_reads_are_an_error():
    with pytest.raises(ValueError, match="'mine.pt' would be read by nothing"):
        set_weights(Config(dict(model=dict(type='X'))), 'mine.pt')


def test_tta_without_its_config_is_an_error():
    with pytest.raises(
        KeyError, match=r'--tta needs tta = dict\(scales.*tta_model and tta_pipeline'
    ):
        with_tta(Config(dict(model=dict(type='X'))))


@pytest.mark.parametrize('kind', ['SegTTAModel', 'mmseg.SegTTAModel'])
def test_tta_of_mmsegs_own_keys_keeps_the_means_scores(kind):
    cfg = with_tta(
        Config(
            dict(
                model=dict(type='X'),
                test_dataloader=dict(dataset=dict(pipeline=[])),
                tta_model=dict(type=kind),
                tta_pipeline=[dict(type='TestTimeAug')],
            )
        )
    )
    assert cfg.test_dataloader.dataset.pipeline == [dict(type='TestTimeAug')]
    assert cfg.model == dict(type='mmseg_zsclip.MeanTTAModel', module=dict(type='X'))


def test_tta_scales_take_the_place_of_the_test_pipelines_resize():
    load, pack = dict(type='LoadImageFromFile'), dict(type='PackSegInputs')
    resize = dict(type='Resize', scale=(96, 96), keep_ratio=True)
    first, augmented = tta_pipeline([load, resize, pack], scales=[(64, 64), (128, 128)])
    assert first == load
    assert augmented['transforms'][0] == [
        dict(type='Resize', scale=scale, keep_ratio=True) for scale in ((64, 64), (128, 128))
    ]
    assert [flip['prob'] for flip in augmented['transforms'][1]] == [0.0, 1.0]
    assert augmented['transforms'][2:] == [[pack]]
    plain = tta_pipeline([load, resize, pack], scales=[(64, 64)], flip=False)
    assert [flip['prob'] for flip in plain[1]['transforms'][1]] == [0.0]
    for pipeline, scales in (([load, pack], [(64, 64)]), ([resize], [])):
        with pytest.raises(ValueError, match=r'tta has \d scales and the test pipeline \d Resize'):
            tta_pipeline(pipeline, scales)


def test_outputs_go_to_a_folder_named_after_the_config(tiny):
    assert load_config(tiny).work_dir == os.path.join('work_dirs', 'tiny')
    assert load_config(tiny, work_dir='here').work_dir == 'here'


def test_metrics_json_holds_plain_numbers_and_is_never_half_written(tmp_path):
    path = write_metrics({'mIoU': np.float32(50), 'IoU': np.array([1.0, 2.0])}, tmp_path)
    assert json.loads(path.read_text()) == {'mIoU': 50.0, 'IoU': [1.0, 2.0]}
    with pytest.raises(AttributeError):
        write_metrics({'mIoU': object()}, tmp_path)
    assert json.loads(path.read_text())['mIoU'] == 50.0


def test_wrong_usage_exits_with_2(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(['fly'])
    assert stopped.value.code == 2
    assert 'train' in capsys.readouterr().err


@pytest.mark.parametrize('script', ['train.py', 'test.py'])
def test_mim_reads_no_gpus_flag_from_our_help(script, monkeypatch, capsys):
    """mim adds `--device cpu` or `--gpus N` to scripts whose help names --gpus."""
    monkeypatch.setattr(sys, 'argv', [script, '-h'])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(ROOT / 'tools' / script), run_name='__main__')
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert '--launcher' in shown
    assert '--gpus' not in shown
