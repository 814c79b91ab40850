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


@pytest.mark.parametrize('share', [2, 50])
def test_masks_of_0_and_255_do_not_train_on_nothing(tmp_path, share):
    masks = [np.where(np.arange(100) % share, 0, 255).reshape(10, 10) for _ in range(3)]
    with pytest.raises(ValueError, match='values 0 and 255 alone.*the other 1 classes never occur'):
        check_label_files(store(tmp_path, masks), 2)
    assert check_label_files(store(tmp_path, [masks[0] // 255, masks[1]]), 2)[1] > 0


def test_labels_that_are_all_ignored_are_an_error(tmp_path):
    with pytest.raises(ValueError, match='no pixel has a class: 100.0 %'):
        check_label_files(store(tmp_path, [[[0, 255]]]), 2, reduce_zero_label=True)
