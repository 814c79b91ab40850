"""Methods of two stages: what the second needs is trained first, or the command is named."""

from pathlib import Path

import pytest

from mmseg_zsclip.apis.launch import load_config, train

CONFIGS = Path(__file__).parents[1] / 'configs'
SMALL = """
train_cfg = dict(max_iters=1, val_interval=2)
train_dataloader = dict(batch_size=1, num_workers=0, persistent_workers=False)
val_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(length=2))
"""


@pytest.fixture
def second(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'one.py').write_text(f"_base_ = '{CONFIGS}/maft/toy_proposals.py'\n{SMALL}")
    text = f"""_base_ = '{CONFIGS}/maft/toy_maft.py'
model = dict(generator=dict(checkpoint='stages/one/iter_1.pth'))
made_by = dict(_delete_=True, file='one/iter_1.pth', {{}}){SMALL}"""

    def write(made_by):
        path = tmp_path / 'two.py'
        path.write_text(text.format(made_by))
        return load_config(path)

    return write


def test_the_first_stage_is_trained_once(second):
    cfg = second("config='one.py'")
    train(cfg)
    stage = Path('stages/one/iter_1.pth')
    assert Path('work_dirs/two/iter_1.pth').is_file()
    made = stage.stat().st_mtime_ns
    train(second("config='one.py'"))
    assert stage.stat().st_mtime_ns == made


def test_a_stage_that_is_gone_on_from_is_trained_too(second):
    second('')  # writes one.py
    Path('two.py').write_text(
        f"_base_ = '{CONFIGS}/maft/toy_self_trained_maft.py'\n"
        "load_from = 'stages/one/iter_1.pth'\n"
        f"made_by = dict(_delete_=True, file='one/iter_1.pth', config='one.py'){SMALL}"
    )
    train(load_config('two.py'))
    assert Path('stages/one/iter_1.pth').is_file()
    assert Path('work_dirs/two/iter_1.pth').is_file()


def test_a_long_first_stage_is_the_users_to_train(second):
    with pytest.raises(FileNotFoundError, match=r'iter_1.pth.*It is made by: zsclip train one'):
        train(second("command='zsclip train one'"))
    assert not Path('stages').exists()


@pytest.mark.parametrize(
    ('wrong', 'says'),
    [
        ("model['classifier'] = dict(tau='x')", 'tau'),
        ("optim_wrapper = dict(optimizer=dict(type='SDG'))", 'SDG'),
    ],
)
def test_an_error_of_the_second_stage_does_not_wait_for_the_first(second, wrong, says):
    second("config='one.py'")
    with open('two.py', 'a') as file:
        file.write(wrong)
    with pytest.raises(Exception, match=says):
        train(load_config('two.py'))
    assert not Path('stages').exists()
