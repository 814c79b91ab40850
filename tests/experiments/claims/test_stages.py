"""Runs whose stages before are trained first."""

import io
import subprocess
import sys
from pathlib import Path

from mmseg_zsclip.experiments.claims import jobs, pool

from .conftest import job


def stage_before(file, stage):
    config = Path('tiny_config.py')
    wanted = f"model['backbone']['checkpoint'] = {file!r}"
    made_by = dict(file=file, config=stage)
    config.write_text(f'{config.read_text()}made_by = {made_by!r}\n{wanted}\n')


def test_a_missing_stage_is_trained_by_one_process_alone(suite_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stage_before('one/first.pth', 'toy_maft')  # which needs a stage itself
    one, other = (job(suite_file, name, tmp_path) for name in ('short', 'trained'))
    stages = {'one/first.pth', 'work_dirs/toy_proposals/iter_4800.pth'}
    assert one.held == {*stages, one.training_key}
    assert pool.next_job([other], [one]) is None
    for file in stages:
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).touch()
    assert pool.next_job([other], [one]) is other


def test_a_run_that_trains_the_stage_before_is_done_under_the_key_of_its_bytes(
    suite_file, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    stage_before('first.pth', 'toy_proposals')
    one = job(suite_file, 'trained', tmp_path)
    before = one.key, one.training_key

    def trains_it(one, threads):
        one.path('.log').write_text('printed')
        Path('first.pth').write_bytes(b'weights')
        one.path('.json').write_text('{}')
        return subprocess.Popen([sys.executable, '-c', ''], stdin=subprocess.PIPE)

    monkeypatch.setattr(pool, 'start', trains_it)
    monkeypatch.setattr(jobs, 'kept_by', lambda cfg: [])
    assert pool.run_jobs([one], 1, stream=io.StringIO()) == {}
    again = job(suite_file, 'trained', tmp_path)
    assert (one.key, one.training_key) == (again.key, again.training_key)
    assert {*before}.isdisjoint({one.key, one.training_key})
    assert again.result() is not None
    assert one.path('.log').read_text() == 'printed'
