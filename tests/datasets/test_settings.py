"""Which labels a data set hides is chosen in one place, also inside wrappers."""

import numpy as np
import pytest
from mmengine.registry import init_default_scope

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.registry import DATASETS
from mmseg_zsclip.vocabulary.labels import UNLABELLED

UNSEEN = ['boat', 'flower', 'umbrella', 'sand', 'cloud']


def toy(*pipeline):
    return dict(
        type='mmseg_zsclip.ToyDataset',
        length=2,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='mmseg_zsclip.LoadLabels', classes='toy'),
            *pipeline,
            dict(type='RandomCrop', crop_size=(64, 64)),
            dict(type='PackSegInputs'),
        ],
    )


def build(mode, dataset=None, **kwargs):
    init_default_scope('mmseg')
    hide = dict(type='mmseg_zsclip.HideUnseen', classes='toy', unseen='toy')
    return DATASETS.build(
        dict(type='mmseg_zsclip.hide_labels', mode=mode, dataset=dataset or toy(hide), **kwargs)
    )


@pytest.mark.parametrize(('mode', 'value'), [('inductive', 255), ('transductive', UNLABELLED)])
def test_unseen_classes_are_hidden(mode, value):
    data = build(mode)
    assert isinstance(data.metainfo['classes'], tuple)
    labels = data[1]['data_samples'].gt_sem_seg.data
    names = np.array(data.metainfo['classes'])
    found = [int(x) for x in labels.unique() if x != value]
    assert (labels == value).any()
    assert not set(names[found]) & set(UNSEEN)


def test_annotation_free_leaves_nothing_and_fully_hides_nothing():
    assert (build('annotation-free')[0]['data_samples'].gt_sem_seg.data == UNLABELLED).all()
    data = build('fully')
    names = np.array(data.metainfo['classes'])
    labels = {int(x) for i in range(2) for x in data[i]['data_samples'].gt_sem_seg.data.unique()}
    assert set(names[sorted(labels)]) & set(UNSEEN)


def test_the_truth_is_kept_and_cropped_alike():
    sample = build('transductive', keep_truth=True)[0]['data_samples']
    labels, truth = sample.gt_sem_seg.data[0].numpy(), sample.metainfo['hidden_seg_map']
    assert truth.shape == labels.shape == (64, 64)
    assert np.array_equal(truth[labels >= 0], labels[labels >= 0])
    assert (truth >= 0).all()


def test_wrapped_data_sets_are_reached():
    hide = dict(type='mmseg_zsclip.HideUnseen', classes='toy', unseen='toy')
    data = build('annotation-free', dict(type='ConcatDataset', datasets=[toy(hide), toy(hide)]))
    assert all((data[i]['data_samples'].gt_sem_seg.data == UNLABELLED).all() for i in (0, 3))


def test_a_pipeline_that_hides_nothing_is_refused():
    with pytest.raises(ValueError, match='ToyDataset has no HideUnseen.*would hide nothing'):
        build('transductive', toy())


def test_photos_without_labels_are_unlabelled():
    data = DATASETS.build(
        dict(
            type='mmseg_zsclip.ToyDataset',
            length=1,
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='mmseg_zsclip.NoLabels'),
                dict(type='PackSegInputs'),
            ],
        )
    )
    labels = data[0]['data_samples'].gt_sem_seg.data
    assert labels.shape == (1, 128, 128)
    assert (labels == UNLABELLED).all()
