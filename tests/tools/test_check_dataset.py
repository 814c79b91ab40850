"""`zsclip check` and tools/check_dataset.py: a config's photos and label files,
before a long run."""

import numpy as np
import pytest
from PIL import Image

from mmseg_zsclip.cli import main as command
from mmseg_zsclip.datasets.label_files import write_label_file


@pytest.fixture
def main(load_tool):
    return load_tool('check_dataset.py').main


@pytest.fixture
def config(tmp_path):
    """VOC-like config whose training set joins two folders, as VOC with SBD does."""
    for part in ('img', 'a', 'b'):
        (tmp_path / part).mkdir()
    for i in range(4):
        Image.new('RGB', (2, 2)).save(tmp_path / 'img' / f'{i}.jpg')
        for part in ('a', 'b'):
            write_label_file(np.array([[0, 1], [20, 255]], np.uint8), tmp_path / part / f'{i}.png')
    leaf = (
        "dict(type='mmseg_zsclip.VOC20Dataset', data_root=%r,"
        " data_prefix=dict(img_path='img', seg_map_path='%s'))"
    )
    a, b = (leaf % (str(tmp_path), part) for part in 'ab')
    path = tmp_path / 'config.py'
    path.write_text(
        f"train_dataloader = dict(dataset=dict(type='ConcatDataset', datasets=[{a}, {b}]))\n"
        f'val_dataloader = dict(dataset={a})\n'
    )
    return path


def test_right_files_are_summed_up(main, config, capsys):
    main([str(config)])
    out = capsys.readouterr().out
    assert 'train: 8 of 8 photos are whole and 8 of 8 label files are right; 50.0 % of the' in out
    assert 'val: 4 of 4 photos' in out
    assert '18 of 20 classes do not occur: bicycle' in out


def test_some_files_can_be_enough(main, config, capsys):
    main([str(config), '--split', 'train', '--max-files', '4'])
    assert 'train: 4 of 8 photos are whole and 4 of 8 label files' in capsys.readouterr().out


def test_what_a_config_has_is_checked_and_what_is_asked_for_must_be_there(main, config, capsys):
    with config.open('a') as file:
        file.write('train_dataloader = None\n')
    main([str(config)])
    assert capsys.readouterr().out.startswith('val: 4 of 4 photos')
    with pytest.raises(SystemExit, match='^train: the config has no train_dataloader$'):
        main([str(config), '--split', 'train'])
    with pytest.raises(ValueError, match='--max-files is -1; legal: 1 or more, or 0 for all'):
        main([str(config), '--max-files', '-1'])


def test_wrong_labels_stop_before_the_run(main, config):
    write_label_file(np.array([[21]], np.uint8), config.parent / 'b' / '3.png')
    with pytest.raises(SystemExit) as info:
        main([str(config)])
    assert 'train: 1 of 8 label files are wrong' in str(info.value)
    assert '3.png holds 21; legal: 1 to 20 (20 classes, 0 = ignored) and 255' in str(info.value)


def test_damaged_turned_and_misfitting_photos_are_all_counted(main, config, capsys):
    folder = config.parent / 'img'
    (folder / '0.jpg').write_bytes(b'')
    (folder / '1.jpg').write_bytes((folder / '1.jpg').read_bytes()[:300])
    Image.new('RGB', (4, 2)).save(folder / '2.jpg')
    with pytest.raises(SystemExit) as info:
        main([str(config), '--split', 'val', 'train'])
    text = str(info.value)
    assert 'val: 3 of 4 photos are wrong' in text
    assert 'train: 6 of 8 photos are wrong' in text
    assert '0.jpg' in text
    assert '1.jpg' in text
    assert '2.png has 2 x 2 pixels, its photo' in text


def test_a_photo_that_exif_turns_is_reported(main, config, capsys):
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.new('RGB', (2, 2)).save(config.parent / 'img' / '0.jpg', exif=exif)
    main([str(config), '--split', 'val'])
    assert '1 photos are turned or mirrored by their EXIF orientation' in capsys.readouterr().out


def test_the_command_takes_a_shipped_name():
    with pytest.raises(SystemExit, match='image folder .* does not exist'):
        command(['check', 'voc_inductive'])
    with pytest.raises(SystemExit, match='Nearest shipped: voc_inductive'):
        command(['check', 'voc_inductiv'])
