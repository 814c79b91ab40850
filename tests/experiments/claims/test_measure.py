"""Jobs, their cache, and the processes that do them."""

import copy
import io
import json
import os
import subprocess
import sys
import time

import pytest
import torch

from mmseg_zsclip.engine.run_identity import RunError
from mmseg_zsclip.experiments.claims import jobs, pool
from mmseg_zsclip.experiments.claims.jobs import execute
from mmseg_zsclip.experiments.claims.measure import measure, plan
from mmseg_zsclip.experiments.claims.suite import shipped_suites
from mmseg_zsclip.experiments.provenance import PACKAGE, digest

from .conftest import job


def test_a_key_follows_whatever_decides_the_result(suite_file, tmp_path, monkeypatch):
    key = job(suite_file, 'trained', tmp_path).key
    assert job(suite_file, 'trained', tmp_path / 'elsewhere').key == key
    others = [
        job(suite_file, 'trained', tmp_path, seed=1),
        job(suite_file, 'trained', tmp_path, quick=True),
        *(job(suite_file, name, tmp_path) for name in ('untrained', 'short', 'mixed')),
    ]
    assert len({key, *(other.key for other in others)}) == 6
    config = tmp_path / 'tiny_config.py'
    before = config.read_text()
    config.write_text(before.replace('lr=1e-3', 'lr=2e-3'))
    assert job(suite_file, 'trained', tmp_path).key != key
    config.write_text(before + '# a comment decides nothing\n')
    assert job(suite_file, 'trained', tmp_path).key == key
    monkeypatch.setattr(jobs, 'VERSION', jobs.VERSION + 1)
    assert job(suite_file, 'trained', tmp_path).key != key


def test_a_key_follows_the_bytes_of_the_clip(suite_file, tmp_path):
    weights = tmp_path / 'clip.pt'
    weights.write_bytes(b'first')
    config = tmp_path / 'tiny_config.py'
    config.write_text(config.read_text().replace('weights=None', f'weights={str(weights)!r}'))
    first = job(suite_file, 'trained', tmp_path)
    key, files = first.key, first.checkpoints
    assert [item['file'] for item in files] == ['clip.pt']
    weights.write_bytes(b'second')
    assert job(suite_file, 'trained', tmp_path).key != key
    assert files[0]['sha256'] == digest([weights]) or weights.read_bytes() == b'second'


def test_quick_shortens_schedule_and_test_set(suite_file, tmp_path):
    cfg = job(suite_file, 'trained', tmp_path, quick=True).config
    assert cfg.train_cfg.max_iters == cfg.param_scheduler[0].end == 1
    assert (cfg.test_dataloader.dataset.indices, cfg.train_dataloader.dataset.indices) == (2, 3)
    assert job(suite_file, 'untrained', tmp_path, quick=True).config.train_dataloader is None
    assert cfg.train_dataloader.num_workers == 0


@pytest.mark.parametrize('name', shipped_suites())
def test_every_shipped_run_has_its_data_when_it_is_quick(name, tmp_path):
    from mmengine.registry import init_default_scope

    from mmseg_zsclip.registry import DATASETS

    init_default_scope('mmseg')
    (planned,) = plan([name], 1, True, tmp_path)
    for one in planned:
        assert len(one.key) == 16  # also where one tower has weights and the other has none
        splits = ['test', 'train'] if one.run.trains else ['test']
        for split in splits:
            assert len(DATASETS.build(one.config[f'{split}_dataloader'].dataset))


@pytest.mark.parametrize('name', shipped_suites())
def test_a_shipped_run_without_training_has_nothing_to_train(name, tmp_path):
    from mmengine.registry import init_default_scope

    from mmseg_zsclip.registry import MODELS

    init_default_scope('mmseg')
    (planned,) = plan([name], 1, True, tmp_path)
    for one in planned:
        if not one.run.trains:
            trained = [p for p in MODELS.build(one.config.model).parameters() if p.requires_grad]
            assert not trained, one.run.name


def test_a_killed_training_goes_on_from_its_checkpoint(suite_file, tmp_path, monkeypatch):
    from mmengine.runner import IterBasedTrainLoop

    monkeypatch.setattr(jobs, 'CHECKPOINT_STEPS', 1)
    steps, once = [], IterBasedTrainLoop.run_iter

    def killed_at_two(self, batch):
        if len(steps) == 1:
            steps.append('killed')
            raise KeyboardInterrupt
        steps.append(self._iter)
        once(self, batch)

    monkeypatch.setattr(IterBasedTrainLoop, 'run_iter', killed_at_two)
    one = job(suite_file, 'trained', tmp_path / 'out')
    with pytest.raises(KeyboardInterrupt):
        execute(one)
    assert one.result() is None
    assert [path.name for path in one.training_folder.glob('*.pth')] == ['iter_1.pth']
    execute(one)
    assert steps == [0, 'killed', 1]  # the first step was not done again
    result = one.result()
    assert result['metrics'] == pytest.approx(result['kept'][0].scores)
    assert (result['steps'], result['seed'], result['trained']) == (2, 0, True)


def test_runs_that_differ_in_test_options_alone_train_once(suite_file, tmp_path, monkeypatch):
    from mmengine.runner import IterBasedTrainLoop

    from mmseg_zsclip.apis.launch import evaluate, train

    one, other = (job(suite_file, name, tmp_path / 'out') for name in ('trained', 'no_offset'))
    alone = copy.deepcopy(other.config)
    alone.work_dir = str(tmp_path / 'alone')
    alone.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=2)
    train(copy.deepcopy(alone))
    expected = evaluate(alone, tmp_path / 'alone' / 'iter_2.pth')
    steps, once = [], IterBasedTrainLoop.run_iter
    monkeypatch.setattr(
        IterBasedTrainLoop,
        'run_iter',
        lambda self, batch: (steps.append(self._iter), once(self, batch)),
    )
    first, second = execute(one), execute(other)
    assert steps == [0, 1]
    assert second['metrics'] == expected
    assert first['metrics'] != expected
    assert one.key != other.key


def test_which_runs_share_a_training(suite_file, tmp_path, monkeypatch):
    def keys(*names):
        return {job(suite_file, name, tmp_path).training_key for name in names}

    assert len(keys('trained', 'no_offset')) == 1
    assert len(keys('trained', 'short', 'mixed')) == 3
    assert keys('untrained') == {None}
    assert job(suite_file, 'trained', tmp_path, seed=1).training_key not in keys('trained')
    before = keys('trained')
    monkeypatch.setattr(jobs, 'source_digest', lambda: 'edited')
    assert keys('trained') != before


@pytest.mark.parametrize(
    ('suite', 'shared'),
    [
        ('maskclip_plus', []),
        (
            'masqclip',
            [
                {'clip', 'clip_target'},
                {'k', 'k_target'},
                {'q', 'q_target', 'base_alone', 'novel_alone'},
                {'qk', 'qk_target'},
                {'qkv', 'qkv_target'},
                {'teacher', 'teacher_clip_score'},
                {'v', 'v_target'},
            ],
        ),
        (
            'zegclip',
            [
                {'dpt_nel_rd', 'no_offset', 'to_target'},
                {'dpt_nel', 't', 'to_target_t'},
                {'inductive', 'inductive_no_offset'},
            ],
        ),
    ],
)
def test_shipped_runs_that_share_a_training(suite, shared, tmp_path):
    names = {}
    for one in plan([suite], 1, False, tmp_path)[0]:
        names.setdefault(one.training_key, set()).add(one.run.name)
    names.pop(None)
    assert sorted(filter(lambda group: len(group) > 1, names.values()), key=min) == sorted(
        shared, key=min
    )


def test_two_runs_of_one_training_are_not_done_at_a_time(suite_file, tmp_path):
    one, other, free, plain = (
        job(suite_file, name, tmp_path) for name in ('trained', 'no_offset', 'short', 'untrained')
    )
    assert pool.next_job([other, free], [one]) is free
    assert pool.next_job([other, free], [plain]) is other
    assert pool.next_job([plain, free], [plain]) is plain
    assert pool.next_job([other], [one]) is None


def test_mixed_precision_is_of_training_and_test(suite_file, tmp_path, monkeypatch):
    from mmseg_zsclip.models import ZegCLIPHead

    seen, once = [], ZegCLIPHead.forward
    monkeypatch.setattr(
        ZegCLIPHead,
        'forward',
        lambda self, *args, **kwargs: (
            seen.append((self.training, torch.is_autocast_cpu_enabled())),
            once(self, *args, **kwargs),
        )[1],
    )
    assert execute(job(suite_file, 'mixed', tmp_path / 'out'))['amp']
    assert set(seen) == {(True, True), (False, True)}
    seen.clear()
    execute(job(suite_file, 'trained', tmp_path / 'out'))
    assert set(seen) == {(True, False), (False, False)}


def test_a_result_that_cannot_be_read_is_none(suite_file, tmp_path):
    one = job(suite_file, 'untrained', tmp_path)
    assert one.result() is None
    one.path('.json').write_text('{"half": ')
    assert one.result() is None
    one.path('.json').write_text('{}')  # and no areas
    assert one.result() is None


def test_a_config_without_our_metric_is_an_error(suite_file, tmp_path):
    one = job(suite_file, 'untrained', tmp_path)
    one.config.test_evaluator = [dict(type='IoUMetric')]
    with pytest.raises(ValueError, match=r"has \['IoUMetric'\]; the claims need"):
        execute(one)


def test_a_suite_runs_is_cached_and_survives_a_run_that_fails(suite_file, tmp_path):
    """The training in a process of its own, through the pool."""

    def planned():
        (jobs_,) = plan([str(suite_file)], 1, True, tmp_path / 'out')
        return [
            [
                one
                for one in jobs_
                if one.run.name in ('trained', 'untrained', 'nowhere', 'no_offset')
            ]
        ]

    execute(planned()[0][0])
    log = io.StringIO()
    (one,) = measure(planned(), workers=2, stream=log)
    assert '2 runs to do, 1 cached' in log.getvalue()
    assert '[1/2] trained, seed 0: done' in log.getvalue()
    assert '[2/2] no_offset, seed 0: done' in log.getvalue()
    assert list(one.failures) == ['nowhere']
    assert 'there is no config' in one.failures['nowhere']
    assert [j.verdict == 'not measured' for j in one.judgements] == [False, True]
    assert one.stale == []
    first = one.results['trained'][0]
    assert first['steps'] == 1
    assert len(first['kept'][0].areas) == 2
    assert len(list((tmp_path / 'out').glob('train_*'))) == 1
    assert not list((tmp_path / 'out').rglob('*.pth'))
    log = io.StringIO()
    (again,) = measure(planned(), workers=2, stream=log)
    assert '0 runs to do, 3 cached' in log.getvalue()
    assert again.results['trained'][0]['metrics'] == first['metrics']
    path = planned()[0][0].path('.json')
    path.write_text(json.dumps(json.loads(path.read_text()) | dict(sources='older')))
    (stale,) = measure(planned(), workers=2, stream=io.StringIO())
    assert stale.stale == ['untrained']


def test_no_worker_runs_nothing_and_judges_what_is_cached(suite_file, tmp_path):
    (jobs_,) = plan([str(suite_file)], 1, True, tmp_path / 'out')
    chosen = [one for one in jobs_ if one.run.name in ('trained', 'untrained')]
    execute(next(one for one in chosen if one.run.name == 'untrained'))
    log = io.StringIO()
    (some,) = measure([chosen], workers=0, stream=log)
    assert log.getvalue() == ''
    assert list(some.results) == ['untrained']
    assert some.failures == {'trained, seed 0': 'not run'}


def fake(monkeypatch, code):
    monkeypatch.setattr(pool, 'command', lambda job: ['-c', code])


def test_a_failed_run_shows_the_end_of_its_log(suite_file, tmp_path, monkeypatch):
    fake(monkeypatch, 'for i in range(99): print("line", i)\nraise SystemExit("out of luck")')
    one = job(suite_file, 'untrained', tmp_path / 'out')
    failures = pool.run_jobs([one, one], workers=2, stream=io.StringIO())
    assert list(failures) == [one.key]  # the same job twice is done once
    text = failures[one.key]
    assert 'ended with code 1' in text
    assert str(one.path('.log')) in text
    assert text.endswith('line 98\nout of luck')
    assert 'line 80' not in text


def test_a_run_without_a_result_has_failed(suite_file, tmp_path, monkeypatch):
    fake(monkeypatch, 'pass')
    one = job(suite_file, 'untrained', tmp_path / 'out')
    assert 'ended with code 0' in pool.run_jobs([one], 1, stream=io.StringIO())[one.key]


def test_an_interrupted_suite_leaves_no_process(suite_file, tmp_path, monkeypatch):
    fake(monkeypatch, 'import time; time.sleep(60)')
    started, begin = [], pool.start

    def start(*args):
        started.append(begin(*args))
        return started[-1]

    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(pool, 'start', start)
    monkeypatch.setattr(time, 'sleep', interrupt)
    with pytest.raises(KeyboardInterrupt):
        pool.run_jobs([job(suite_file, 'untrained', tmp_path / 'out')], 1, stream=io.StringIO())
    assert started[0].poll() is not None


def test_a_run_ends_when_the_suite_was_killed():
    code = (
        'from mmseg_zsclip.experiments.claims.worker import end_with_parent as e; import time; '
        'e(); print("up", flush=True); time.sleep(60)'
    )
    root = str(PACKAGE.parent)
    process = subprocess.Popen(
        [sys.executable, '-c', code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, 'PYTHONPATH': root},
    )
    try:
        assert process.stdout.readline() == b'up\n'
        process.stdin.close()  # as the kernel does for a process that is gone
        assert process.wait(20) == 1
    finally:
        process.kill()


def test_no_seed_is_an_error(suite_file, tmp_path):
    with pytest.raises(ValueError, match='seeds is 0; give at least 1'):
        plan([str(suite_file)], 0, False, tmp_path)


def test_two_suites_do_not_share_a_folder(load_tool, tmp_path, monkeypatch, hold):
    hold(tmp_path)
    tool = load_tool('claims.py')
    monkeypatch.setattr('sys.argv', ['claims.py', '--suite', 'maskclip', '--out', str(tmp_path)])
    with pytest.raises(RunError, match='is in use by another run'):
        tool.main()
