import numpy as np
import pytest

from mmseg_zsclip.datasets import HideUnseen
from mmseg_zsclip.datasets.transforms.hide_unseen import MODES
from mmseg_zsclip.vocabulary.labels import UNLABELLED
from mmseg_zsclip.vocabulary.lists import load_classes, load_unseen, split_indices

_, UNSEEN = split_indices(load_classes('camvid'), load_unseen('camvid'))


def hide(labels, classes='camvid', unseen='camvid', **kwargs):
    labels = np.asarray(labels, np.int32)
    return HideUnseen(classes, unseen, **kwargs).transform(dict(gt_seg_map=labels))['gt_seg_map']


def test_inductive_ignores_and_transductive_marks_unlabelled():
    labels = [[0, 5, 7, 8, 10, 255]]
    assert hide(labels).tolist() == [[0, 255, 255, 255, 10, 255]]
    assert hide(labels, mode='transductive').tolist() == [[0, -1, -1, -1, 10, 255]]


def test_ignored_pixels_become_unlabelled_in_one_mode_alone():
    labels = np.full((4, 4), 255)
    for mode in MODES:
        unlabelled = hide(labels, mode=mode) == UNLABELLED
        assert unlabelled.all() if mode == 'transductive-all' else not unlabelled.any()


def test_transductive_all_hides_the_unseen_classes_too():
    assert hide([[0, 5, 10, 255]], mode='transductive-all').tolist() == [[0, -1, 10, -1]]


@pytest.mark.parametrize('mode', ['inductive', 'transductive', 'transductive-all'])
def test_poisoned_unseen_ground_truth_changes_nothing(mode):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 11, (32, 32))
    poisoned = np.where(np.isin(labels, UNSEEN), rng.choice(UNSEEN, labels.shape), labels)
    assert (labels != poisoned).any()
    assert hide(labels, mode=mode).tobytes() == hide(poisoned, mode=mode).tobytes()
    assert not np.isin(hide(labels, mode=mode), UNSEEN).any()


def test_the_loaders_array_is_not_written_to():
    labels = np.array([[5]], np.int32)
    HideUnseen('camvid', 'camvid').transform(dict(gt_seg_map=labels))
    assert labels.tolist() == [[5]]


def test_large_sets_ignore_by_65535():
    (unseen,) = split_indices(load_classes('ade847'), ['postbox'])[1]
    assert hide([[unseen, 255, 0]], 'ade847', ['postbox']).tolist() == [[65535, 255, 0]]


def test_nothing_unseen_changes_nothing():
    assert hide([[0, 5, 255]], unseen='none').tolist() == [[0, 5, 255]]


def test_unknown_mode():
    with pytest.raises(ValueError, match="unknown mode 'both'; legal: inductive, transductive"):
        HideUnseen('camvid', 'camvid', mode='both')


def test_unseen_of_another_data_set():
    with pytest.raises(ValueError, match="unseen class 'pottedplant' is not one of the 11"):
        HideUnseen('camvid', 'voc20')


def test_uint8_labels_cannot_hold_unlabelled():
    transform = HideUnseen('camvid', 'camvid', mode='transductive')
    with pytest.raises(ValueError, match='gt_seg_map is uint8, which cannot hold -1'):
        transform.transform(dict(gt_seg_map=np.zeros((2, 2), np.uint8)))
