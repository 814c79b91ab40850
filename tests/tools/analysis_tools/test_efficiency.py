"""tools/analysis_tools/efficiency.py: the counts are the paper's, and what is run is measured."""

import json

import pytest

from mmseg_zsclip.apis.configs import find_config


@pytest.fixture
def tool(load_tool):
    return load_tool('analysis_tools/efficiency.py')


@pytest.mark.parametrize(
    ('config', 'trained', 'macs', 'ours'),
    [('voc_inductive', 13.8, 110.4, 109.1), ('coco_stuff_inductive', 14.6, 123.9, 114.0)],
)
def test_table_3_of_zegclip(tool, config, trained, macs, ours):
    out = tool.cost(config, runs=0)
    assert out['trained_as_released'] / 1e6 == pytest.approx(trained, abs=0.06)
    assert out['macs_as_released'] / 1e9 == pytest.approx(macs, rel=3e-3)
    assert out['macs'] / 1e9 == pytest.approx(ours, abs=0.05)
    assert out['trained'] < out['trained_as_released'] < out['total']
    assert 'peak_gb' not in out


@pytest.mark.parametrize('config', ['toy_shallow', 'toy_fixed', 'toy_stages', 'toy_maskclip'])
def test_what_the_release_cannot_be_is_not_counted_for_it(tool, config):
    out = tool.cost(config, (64, 64), runs=0)
    assert out['macs'] > 0
    assert 'macs_as_released' not in out


def test_the_head_on_another_backbone_is_counted(tool, tmp_path):
    path = tmp_path / 'other.py'
    path.write_text(f"""
_base_ = [{str(find_config('toy_text_query'))!r}]
model = dict(
    backbone=dict(_delete_=True, type='mmseg_zsclip.CLIPVisionTransformer', arch='ViT-T-8'),
    decode_head=dict(in_channels=192))
""")
    out = tool.cost(path, runs=0)
    assert out['macs'] > 0
    assert 'macs_as_released' not in out


def test_what_is_run_is_measured(tool, monkeypatch, tmp_path, capsys):
    path = tmp_path / 'cost.json'
    monkeypatch.setattr(
        'sys.argv',
        ['efficiency.py', 'toy_inductive', '--runs', '1', '--device', 'cpu', '--json', str(path)],
    )
    tool.main()
    out = json.loads(path.read_text())
    assert min(out['images_per_s'], out['peak_gb']) > 0
    assert f'{out["images_per_s"]:.2f} images/s, peak {out["peak_gb"]:.2f} GiB (cpu' in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        ('toy_maskclip', 'names no crop_size in test_cfg; give --size H W'),
        ('toy_maskclap', "there is no config 'toy_maskclap'"),
    ],
)
def test_errors_are_one_line(tool, monkeypatch, capsys, config, message):
    monkeypatch.setattr('sys.argv', ['efficiency.py', config])
    with pytest.raises(SystemExit, match='2'):
        tool.main()
    assert message in capsys.readouterr().err
