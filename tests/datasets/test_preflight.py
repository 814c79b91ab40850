import numpy as np
import pytest

from mmseg_zsclip.datasets.label_files import write_label_file
from mmseg_zsclip.datasets.preflight import check_label_files


def store(folder, arrays):
    paths = []
    for i, values in enumerate(arrays):
        paths.append(str(folder / f'{i}.png'))
        write_label_file(np.array(values, np.uint8), paths[-1])
    return paths


def test_pixels_of_each_class_are_counted(tmp_path):
    paths = store(tmp_path, [[[0, 1, 1]], [[2, 255, 255]]])
    assert check_label_files(paths, 3).tolist() == [1, 2, 1, 2]


def test_wrong_files_are_counted_and_the_first_named(tmp_path):
    paths = store(tmp_path, [[[9]]] * 7 + [[[0]]])
    with pytest.raises(ValueError, match='7 of 8 label files are wrong') as info:
        check_label_files([*paths, str(tmp_path / 'gone.png')][:8], 3)
    assert '0.png holds 9' in str(info.value)
    assert '... and 2 more' in str(info.value)
    with pytest.raises(ValueError, match=r'gone\.png does not exist'):
        check_label_files([str(tmp_path / 'gone.png')], 3)


def test_raw_coco_ids_score_zero_no_more(tmp_path):
    """Raw files whose ids stay below 171 look legal one by one."""
    from mmseg_zsclip.datasets.label_files import COCO_HOLES
    legal = [i for i in range(171) if i not in COCO_HOLES]
    rng = np.random.default_rng(0)
    paths = store(tmp_path, rng.choice(legal, (60, 2, 40)))
    with pytest.raises(ValueError, match='in 60 label files no pixel has any of the values 11, 25'):
        check_label_files(paths, 171)
    assert check_label_files(paths[:10], 171).sum() == 800
    converted = store(tmp_path, rng.integers(0, 171, (60, 2, 40)))
    assert check_label_files(converted, 171).sum() == 4800


def test_nothing_to_check_is_an_error():
    with pytest.raises(ValueError, match='no label file to check'):
        check_label_files([], 3)
