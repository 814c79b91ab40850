"""tools/analysis_tools/robustness.py: the paper's table of corruptions by severities,
in cells that are kept."""

import json

import pytest
from mmengine.config import Config, ConfigDict

QUICK = [
    'toy_maskclip',
    '--weights',
    'toy',
    '--corruptions',
    'gaussian_blur',
    '--severities',
    '1',
    '5',
    '--cfg-options',
    'test_dataloader.dataset.length=2',
    'test_dataloader.num_workers=0',
    'test_dataloader.persistent_workers=False',
]


@pytest.fixture
def tool(tmp_path, monkeypatch, load_tool):
    monkeypatch.chdir(tmp_path)
    return load_tool('analysis_tools/robustness.py')


@pytest.fixture
def fake(tool, monkeypatch):
    """What would be tested, instead of testing it: (kind, severity), None for clean images."""
    seen = []

    def evaluate(cfg, checkpoint):
        steps = cfg.test_dataloader.dataset.pipeline
        at = [step for step in steps if step.type == 'mmseg_zsclip.Corrupt']
        seen.append((at[0].kind, at[0].severity) if at else None)
        if len(seen) == evaluate.dies_at:
            raise KeyboardInterrupt
        return dict(mIoU=50 - 2.25 * (at[0].severity if at else 0), pAcc=90.0)

    evaluate.dies_at = None
    monkeypatch.setattr(tool, 'evaluate', evaluate)
    evaluate.seen = seen
    return evaluate


def test_rows_are_the_papers(tool):
    cells = {'none': dict(mIoU=21.7), 'spatter 1': dict(mIoU=20.46), 'spatter 5': {}}
    assert tool.table(cells, ['spatter', 'shot_noise'], [1, 5], 'mIoU').splitlines() == [
        '| corruption | severity 1 | severity 5 |',
        '| --- | --- | --- |',
        '| none | 21.7 | 21.7 |',
        '| spatter | 20.5 | - |',
        '| shot noise | - | - |',
    ]


def test_two_scenes_of_the_toy_world(tool, tmp_path, capsys):
    tool.main(QUICK)
    out = tmp_path / 'work_dirs' / 'robustness' / 'toy_maskclip'
    cells = json.loads((out / 'robustness.json').read_text())['cells']
    assert list(cells) == ['none', 'gaussian_blur 1', 'gaussian_blur 5']
    miou = [cells[name]['mIoU'] for name in cells]
    assert miou[0] > 20 > miou[2]
    text = (out / 'robustness.md').read_text()
    assert f'| gaussian blur | {miou[1]:.1f} | {miou[2]:.1f} |' in text
    assert text.startswith('`toy_maskclip`: mIoU, percent')
    assert '--severities 1 5 --cfg-options test_dataloader.dataset.length=2' in text
    assert text in capsys.readouterr().out


def test_a_killed_run_goes_on_and_another_metric_costs_nothing(tool, fake, tmp_path):
    fake.dies_at = 3
    with pytest.raises(KeyboardInterrupt):
        tool.main(QUICK)
    assert fake.seen == [None, ('gaussian_blur', 1), ('gaussian_blur', 5)]
    tool.main(QUICK)
    assert fake.seen[3:] == [('gaussian_blur', 5)]
    tool.main([*QUICK, '--metric', 'pAcc'])
    assert len(fake.seen) == 4
    text = (tmp_path / 'work_dirs/robustness/toy_maskclip/robustness.md').read_text()
    assert '| gaussian blur | 90.0 | 90.0 |' in text


def test_cells_of_other_settings_are_not_mixed_in(tool, fake):
    tool.main(QUICK)
    with pytest.raises(
        ValueError, match='cells measured with another config, clip; .* another --out'
    ):
        tool.main([arg if arg != 'toy' else 'toy-dense' for arg in QUICK])


def test_eight_kinds_of_five_severities_and_clean_by_default(tool, fake, capsys):
    tool.main(['maskclip_vit-b16_voc20_windows'])
    assert len(fake.seen) == len(set(fake.seen)) == 41
    assert '`maskclip_vit-b16_voc20_windows`, protocol windows: mIoU' in capsys.readouterr().out


def test_joined_and_wrapped_data_sets_are_corrupted_too(tool):
    leaf = dict(type='A', pipeline=[dict(type='mmcv.LoadImageFromFile'), dict(type='Resize')])
    cfg = Config(
        dict(
            test_dataloader=dict(
                dataset=dict(
                    type='ConcatDataset', datasets=[leaf, dict(type='RepeatDataset', dataset=leaf)]
                )
            )
        )
    )
    parts = tool.corrupted(cfg, 'spatter', 3).test_dataloader.dataset.datasets
    for part in (parts[0], parts[1].dataset):
        assert part.pipeline[1] == ConfigDict(
            type='mmseg_zsclip.Corrupt', kind='spatter', severity=3
        )
        assert len(part.pipeline) == 3
    assert cfg.test_dataloader.dataset.datasets[0].pipeline == leaf['pipeline']


def test_a_pipeline_that_reads_no_file(tool):
    cfg = Config(dict(test_dataloader=dict(dataset=dict(pipeline=[dict(type='Resize')]))))
    with pytest.raises(
        ValueError, match=r"has \['Resize'\]; .* LoadImageFromFile, which is not there"
    ):
        tool.corrupted(cfg, 'spatter', 3)


def test_unknown_metric_lists_the_configs(tool, fake):
    with pytest.raises(
        ValueError, match="--metric 'F1' is none of this config's metrics: mIoU, pAcc"
    ):
        tool.main([*QUICK, '--metric', 'F1'])


@pytest.mark.parametrize(
    ('argv', 'words'),
    [
        (['toy_maskclip', '--severities', '6'], 'invalid choice: 6 (choose from'),
        (['toy_maskclip', '--corruptions', 'fog'], "invalid choice: 'fog' (choose from"),
        (['toy_maskclp'], "there is no config 'toy_maskclp'"),
        (['toy_maskclip', 'none.pth'], "there is no checkpoint 'none.pth'"),
    ],
)
def test_wrong_arguments(tool, argv, words, capsys):
    with pytest.raises(SystemExit) as info:
        tool.main(argv)
    assert words in capsys.readouterr().err + str(info.value)
