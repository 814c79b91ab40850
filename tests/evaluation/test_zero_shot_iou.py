import json

import numpy as np
import pytest
import torch
from PIL import Image

from mmseg_zsclip.evaluation import ZeroShotIoUMetric
from mmseg_zsclip.vocabulary.lists import load_classes

CLASSES = load_classes('camvid')


def sample(pred, label, **extra):
    data = {
        key: dict(data=torch.as_tensor(value)[None])
        for key, value in (('pred_sem_seg', pred), ('gt_sem_seg', label))
    }
    return data | dict(img_path='photo.jpg') | extra


def evaluate(pairs, classes=CLASSES, **kwargs):
    metric = ZeroShotIoUMetric(**kwargs)
    metric.dataset_meta = dict(classes=classes)
    for pred, label in pairs:
        metric.process({}, [sample(pred, label)])
    return metric, metric.evaluate(len(pairs))


def random_pairs(n=4, num_classes=11):
    torch.manual_seed(0)
    return [
        (torch.randint(0, num_classes, (6, 7)), torch.randint(0, num_classes, (6, 7)))
        for _ in range(n)
    ]


def test_keys_are_the_contracts_and_survive_json():
    _, out = evaluate(random_pairs(), unseen='camvid')
    assert set(out) == {
        'pAcc',
        'mAcc',
        'mIoU',
        'mIoU(S)',
        'mIoU(U)',
        'hIoU',
        'pAcc(S)',
        'pAcc(U)',
        'mAcc(S)',
        'mAcc(U)',
    }
    assert json.loads(json.dumps(out)) == out


def test_per_class_rows_say_seen_or_unseen():
    metric, _ = evaluate(random_pairs(), unseen='camvid')
    assert [row['name'] for row in metric.per_class if row['group'] == 'U'] == [
        'tree',
        'fence',
        'car',
    ]
    json.dumps(metric.per_class)


def test_absent_classes_are_named_in_the_log(capsys):
    from mmengine.logging import MMLogger

    MMLogger.get_instance('absent_classes')
    label = torch.tensor([[0, 1, 2, 3]])
    metric, out = evaluate([(label, label)], unseen=['tree', 'road'])
    text = ''.join(capsys.readouterr())
    assert '7 of 11 classes are in neither' in text
    assert 'pavement, tree, sign, fence, car' in text
    assert out['mIoU'] == out['mIoU(U)'] == 100
    assert metric.per_class[4]['IoU'] is None


def test_a_name_of_another_data_set_is_an_error_with_the_nearest():
    with pytest.raises(ValueError, match="unseen class 'sofa' is not one of the 11 classes"):
        evaluate(random_pairs(), unseen=['sofa'])
    with pytest.raises(ValueError, match='Nearest: bicyclist'):
        evaluate(random_pairs(), unseen=['bicycle'])


def test_847_classes_survive_to_the_saved_prediction(tmp_path):
    classes = [f'class {i}' for i in range(847)]
    label = torch.tensor([[300, 846, 255, 65535]])
    pred = torch.tensor([[300, 846, 255, 0]])
    _, out = evaluate([(pred, label)], classes, unseen=['class 300'], output_dir=str(tmp_path))
    assert out['mIoU'] == out['mIoU(U)'] == 100
    saved = np.asarray(Image.open(tmp_path / 'photo.png'))
    assert saved.dtype == np.uint16
    assert saved.tolist() == pred.tolist()
    assert [p.name for p in tmp_path.iterdir()] == ['photo.png']


def test_saved_values_follow_the_data_sets_files(tmp_path):
    metric = ZeroShotIoUMetric(output_dir=str(tmp_path), format_only=True)
    metric.dataset_meta = dict(classes=CLASSES)
    metric.process({}, [sample([[0, 10]], [[0, 0]], reduce_zero_label=True)])
    assert metric.evaluate(1) == {}
    saved = np.asarray(Image.open(tmp_path / 'photo.png'))
    assert saved.dtype == np.uint8
    assert saved.tolist() == [[1, 11]]


def test_format_only_needs_a_folder():
    with pytest.raises(ValueError, match='format_only=True writes predictions'):
        ZeroShotIoUMetric(format_only=True)


def test_novel_only_scoring_is_another_key_and_forbids_seen_classes():
    logits = torch.zeros(11, 1, 3)
    logits[3] = 9.0  # road, seen, wins everywhere
    logits[5, 0, 0] = logits[8, 0, 1] = logits[8, 0, 2] = 1.0
    metric = ZeroShotIoUMetric(unseen='camvid', novel_only=True)
    metric.dataset_meta = dict(classes=CLASSES)
    metric.process({}, [sample([[3, 3, 3]], [[5, 8, 3]], seg_logits=dict(data=logits))])
    out = metric.evaluate(1)
    assert out['mIoU(U)'] == 0
    assert out['novel_only_mIoU'] == 100


def test_novel_only_without_logits_is_an_error():
    metric = ZeroShotIoUMetric(unseen='camvid', novel_only=True)
    metric.dataset_meta = dict(classes=CLASSES)
    with pytest.raises(ValueError, match='needs unseen classes .* seg_logits of all 11'):
        metric.process({}, [sample([[3]], [[3]])])


@pytest.mark.parametrize('bad', [torch.nan, torch.inf])
@pytest.mark.parametrize('format_only', [False, True])
def test_nan_among_the_scores_of_any_segmentor_is_named_and_not_class_0(bad, format_only, tmp_path):
    logits = torch.zeros(11, 1, 3)
    logits[0] = -torch.inf  # a forbidden class is legal
    logits[4, 0, 1] = bad
    metric = ZeroShotIoUMetric(output_dir=str(tmp_path), format_only=format_only)
    metric.dataset_meta = dict(classes=CLASSES)
    broken = sample(logits.argmax(0), [[0, 0, 0]], seg_logits=dict(data=logits), img_path='a/b.jpg')
    with pytest.raises(ValueError, match='^a/b.jpg: 1 of 33 scores .* NaN or infinity'):
        metric.process({}, [broken])
    assert not list(tmp_path.iterdir())
    logits[4, 0, 1] = 1
    metric.process({}, [broken])


@pytest.mark.parametrize(
    ('pred', 'words'),
    [
        (torch.rand(11, 2, 3), r'has shape \(1, 11, 2, 3\); legal: \(1, H, W\)'),
        (torch.full((2, 3), 0.7), 'holds 0.7, which is no label'),
        (torch.full((2, 3), torch.nan), 'holds nan, which is no label'),
    ],
)
def test_a_prediction_that_is_no_label_map_is_named(pred, words):
    with pytest.raises(ValueError, match=f'^photo.jpg: the prediction {words}'):
        evaluate([(pred, [[0, 1, 2]] * 2)])


def test_a_label_of_no_class_is_never_written_as_another(tmp_path):
    metric = ZeroShotIoUMetric(output_dir=str(tmp_path), format_only=True)
    metric.dataset_meta = dict(classes=CLASSES)
    with pytest.raises(ValueError, match='^photo.jpg: the prediction holds 256; legal: 0 to 10'):
        metric.process({}, [sample([[0, 256]], [[0, 0]])])
    assert not list(tmp_path.iterdir())


def test_the_whole_floats_of_a_binary_head_are_labels():
    _, out = evaluate([(torch.tensor([[0.0, 1.0]]), torch.tensor([[0, 1]]))], CLASSES[:2])
    assert out['mIoU'] == 100


def test_a_model_of_other_tasks_is_told_which_is_missing():
    one = ZeroShotIoUMetric()
    one.dataset_meta = dict(classes=CLASSES)
    with pytest.raises(ValueError, match=r"a\.png has no prediction.*tasks has 'semantic'"):
        one.process({}, [dict(img_path='a.png', pred_instances={})])
