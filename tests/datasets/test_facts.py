"""A data set says once which classes it has and which are unseen;
its pipeline and the metric listen."""

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from PIL import Image

import mmseg_zsclip
from mmseg_zsclip.datasets.transforms.hide_unseen import MODES
from mmseg_zsclip.evaluation import ZeroShotIoUMetric
from mmseg_zsclip.registry import DATASETS
from mmseg_zsclip.vocabulary.lists import load_classes, load_unseen, split_indices

LISTS = dict(classes='toy', unseen='toy')
_, UNSEEN = split_indices(load_classes('toy'), load_unseen('toy'))
PHOTO = dict(type='LoadImageFromFile')


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmseg')


def load(**kwargs):
    return dict(type='mmseg_zsclip.LoadLabels', **kwargs)


def hide(**kwargs):
    return dict(type='mmseg_zsclip.HideUnseen', **kwargs)


def toy(*pipeline, unseen='toy', **kwargs):
    metainfo = None if unseen is None else dict(unseen=unseen)
    return dict(
        type='mmseg_zsclip.ToyDataset',
        length=3,
        metainfo=metainfo,
        pipeline=[PHOTO, *pipeline],
        **kwargs,
    )


def labels(config):
    data = DATASETS.build(config)
    return [data[i]['gt_seg_map'] for i in range(len(data))]


@pytest.mark.parametrize('mode', MODES)
def test_a_pipeline_that_is_told_nothing_is_one_that_is_told_everything(mode):
    told = labels(toy(load(classes='toy'), hide(mode=mode, **LISTS), unseen=None))
    for silent in (toy(load(), hide(mode=mode)), toy(load(), hide(), setting=mode)):
        for one, other in zip(labels(silent), told, strict=True):
            assert one.dtype == other.dtype
            assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize('mode', [mode for mode in MODES if mode != 'fully'])
def test_no_label_of_an_unseen_class_leaves_a_data_set(mode):
    seen_before = np.concatenate(labels(toy(load())))
    assert np.isin(seen_before, UNSEEN).any()
    assert not np.isin(np.concatenate(labels(toy(load(), hide(), setting=mode))), UNSEEN).any()
    joined = dict(
        type='mmseg_zsclip.JoinedDataset',
        setting=mode,
        datasets=[toy(load(), hide(mode='fully')), toy(load(), hide(mode='fully'), split='val')],
    )
    assert not np.isin(np.concatenate(labels(joined)), UNSEEN).any()


@pytest.mark.parametrize(
    'wrapped',
    [
        dict(type='RandomApply', prob=1.0, transforms=[load(), hide()]),
        dict(type='RandomChoice', transforms=[[load(), hide()]]),
        dict(type='TestTimeAug', transforms=[[load()], [hide()]]),
    ],
    ids=lambda step: step['type'],
)
def test_transforms_inside_others_learn_too(wrapped):
    found = np.array(labels(toy(wrapped)))
    assert found.max() == 255
    assert not np.isin(found, UNSEEN).any()


def test_the_setting_reaches_a_transform_inside_another():
    inner = dict(type='RandomApply', prob=1.0, transforms=[hide()])
    assert (labels(toy(load(), inner, setting='annotation-free'))[0] == -1).all()


def test_other_classes_than_the_data_sets_are_refused_and_both_named():
    with pytest.raises(
        ValueError,
        match=r'LoadLabels is given 20 classes \(aeroplane, .*, tvmonitor\),'
        r' but ToyDataset has 20 classes \(sky',
    ):
        DATASETS.build(toy(load(classes='voc20')))
    with pytest.raises(ValueError, match='HideUnseen is given 20 classes .* ToyDataset has'):
        DATASETS.build(toy(load(), hide(classes='voc20', unseen='voc20')))


@pytest.mark.parametrize('given', ['none', ['house'], ['boat', 'flower', 'umbrella', 'sand']])
def test_other_unseen_classes_than_the_data_sets_are_refused(given):
    with pytest.raises(
        ValueError,
        match=r'HideUnseen is given unseen=\[.*ToyDataset are unseen'
        r" \['boat', 'cloud', 'flower', 'sand', 'umbrella'\].*metainfo",
    ):
        DATASETS.build(toy(load(), hide(unseen=given)))


def test_a_list_that_is_given_counts_where_the_data_set_is_silent():
    for unseen in (None, 'none'):
        found = np.concatenate(
            labels(toy(load(), hide(classes='toy', unseen=['sky']), unseen=unseen))
        )
        assert not (found == 0).any()
        assert np.isin(found, UNSEEN).any()


def test_unseen_classes_that_nobody_names_hide_nothing_silently_never():
    with pytest.raises(ValueError, match=r"HideUnseen does not know the unseen \('none' where"):
        DATASETS.build(toy(load(), hide(), unseen=None))
    plain = dict(gt_seg_map=np.zeros((2, 2), np.int32))
    for lists, missing in (({}, 'classes'), (dict(classes='toy'), 'unseen')):
        with pytest.raises(ValueError, match=f'HideUnseen does not know the {missing}'):
            mmseg_zsclip.datasets.HideUnseen(**lists).transform(dict(plain))


def test_labels_whose_classes_nobody_names_are_not_read():
    loader = mmseg_zsclip.datasets.LoadLabels()
    assert loader.transform(dict(img=0)) == dict(img=0)  # a photo alone, as mmseg's inference gives
    with pytest.raises(ValueError, match='LoadLabels does not know the classes. Give its data set'):
        loader.transform(dict(seg_map_path='a.png'))


def test_an_unseen_class_that_is_none_is_named_with_the_nearest():
    with pytest.raises(
        ValueError, match="'umbrela' is not one of the 20 classes. Nearest: umbrella"
    ):
        DATASETS.build(toy(load(), unseen=['umbrela']))


def test_joined_data_sets_have_the_same_unseen_classes():
    with pytest.raises(ValueError, match='meta information of the [12]-th dataset does not match'):
        DATASETS.build(
            dict(
                type='mmseg_zsclip.JoinedDataset',
                datasets=[toy(load(), hide()), toy(load(), hide(), unseen=['sky'])],
            )
        )


@pytest.fixture
def own(tmp_path):
    """One photo of two pixels, labelled 0 and 2, with its two lists of names."""
    (tmp_path / 'classes.txt').write_text('road\ngrass, lawn\ndog\n')
    (tmp_path / 'unseen.txt').write_text('dog\n')
    for part in ('img', 'ann'):
        (tmp_path / part).mkdir()
    Image.new('RGB', (2, 1)).save(tmp_path / 'img' / 'a.png')
    Image.fromarray(np.array([[0, 2]], np.uint8)).save(tmp_path / 'ann' / 'a.png')
    return tmp_path


def test_names_come_from_files_of_ones_own(own):
    data = DATASETS.build(
        dict(
            type='mmseg_zsclip.SegDataset',
            data_root=str(own),
            img_suffix=None,
            metainfo=dict(classes=f'{own}/classes.txt', unseen=f'{own}/unseen.txt'),
            data_prefix=dict(img_path='img', seg_map_path='ann'),
            pipeline=[PHOTO, load(), hide()],
        )
    )
    assert data.metainfo['classes'] == ['road', 'grass, lawn', 'dog']
    assert data.metainfo['unseen'] == ('dog',)
    assert data[0]['gt_seg_map'].tolist() == [[0, 255]]


def test_a_data_set_that_keeps_a_part_of_its_classes_hides_by_the_new_values(own):
    kept = dict(
        type='mmseg_zsclip.CamVidDataset',
        data_root=str(own),
        img_suffix='.png',
        metainfo=dict(classes=['pole', 'sky'], unseen=['pole']),
        data_prefix=dict(img_path='img', seg_map_path='ann'),
    )
    assert labels(dict(kept, pipeline=[PHOTO, load(), hide()]))[0].tolist() == [[1, 255]]
    assert labels(dict(kept, pipeline=[PHOTO, load(classes='camvid')]))[0].tolist() == [[1, 0]]
    with pytest.raises(ValueError, match='HideUnseen is given 11 classes .* CamVidDataset has 2'):
        DATASETS.build(dict(kept, pipeline=[PHOTO, load(), hide(classes='camvid')]))


def metric(meta, **kwargs):
    out = ZeroShotIoUMetric(**kwargs)
    out.dataset_meta = dict(classes=('sky', 'tree', 'car'), **meta)
    return out


def test_the_metric_takes_the_unseen_classes_of_the_data_set():
    assert metric(dict(unseen=('tree',))).unseen == (1,)
    assert metric({}).unseen == ()
    assert metric({}, unseen=['car']).unseen == (2,)
    assert (
        metric(dict(unseen=('tree',)), unseen='none').unseen == ()
    )  # no (S) and (U) are asked for


def test_the_metric_refuses_other_unseen_classes_before_a_run():
    with pytest.raises(
        ValueError, match=r"ZeroShotIoUMetric is given unseen=\['car'\].*\['tree'\]"
    ):
        metric(dict(unseen=('tree',)), unseen=['car'])
