"""One call: photos and words in, the labels of `zsclip test` out, and nothing mixed."""

import gc
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from PIL import Image

from mmseg_zsclip.apis import ZeroShotSegmenter
from mmseg_zsclip.apis.launch import _test_runner, load_config
from mmseg_zsclip.toy.dataset import toy_path
from mmseg_zsclip.vocabulary.lists import load_classes

WORDS = load_classes('toy')


def scene(index):
    return toy_path('toy', 128, 'images', 'test', index)


@pytest.mark.parametrize('config', ['toy_maskclip', 'toy_inductive', 'toy_masqclip'])
def test_labels_are_those_of_zsclip_test_on_the_same_photo(config, tmp_path, untrained):
    weights = None if config == 'toy_maskclip' else untrained(config, tmp_path / 'a.pth')
    cfg = load_config(config, work_dir=tmp_path)
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.load_from = weights
    runner = _test_runner(cfg)
    if weights:
        runner.load_or_resume()
    runner.model.eval()
    seg = ZeroShotSegmenter(config, weights, device='cpu')
    for data in islice(runner.test_dataloader, 3):
        with torch.no_grad():
            (sample,) = runner.model.test_step(data)
        theirs = sample.pred_sem_seg.data[0].cpu().numpy()
        ours = seg(sample.img_path, WORDS)
        assert config == 'toy_masqclip' or len(np.unique(theirs)) > 1
        assert sample.seg_logits.data.std(dim=(1, 2)).min() > 0
        assert np.mean(ours.labels == theirs) > 0.9999
        np.testing.assert_allclose(
            ours.scores, sample.seg_logits.data.cpu().numpy(), rtol=1e-3, atol=1e-4
        )


def test_two_threads_with_two_vocabularies_100_calls_each_mix_nothing(seg):
    lists = ['sky; grass; house', ['person', 'sea', 'sand', 'tree', 'road, street']]
    serial = [[seg(scene(i), words).labels for i in range(5)] for words in lists]
    sure = [seg(scene(0), words).scores for words in lists]
    seg._views.clear()

    def calls(which):
        return [seg(scene(turn % 5), lists[which]) for turn in range(100)]

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(calls, range(2)))
    for which, answers in enumerate(results):
        for turn, out in enumerate(answers):
            assert np.array_equal(out.labels, serial[which][turn % 5])
        assert np.array_equal(answers[5].scores, sure[which])
    assert results[0][0].classes == ('sky', 'grass', 'house')
    assert results[1][0].classes[-1] == 'road'


def test_a_call_changes_nothing_of_the_model(seg):
    before = {key: value.clone() for key, value in seg.model.state_dict().items()}
    names = list(seg.model.vocabulary.names)
    seg(scene(0), 'sky; sea')
    assert seg.model.vocabulary.names == names
    assert all(torch.equal(value, before[key]) for key, value in seg.model.state_dict().items())


def test_text_embeddings_of_the_last_lists_are_kept_and_no_more(seg, monkeypatch):
    monkeypatch.setattr(seg, 'cached', 2)
    seg._views.clear()
    made = []
    new_view = seg.new_view
    monkeypatch.setattr(seg, 'new_view', lambda *args: made.append(1) or new_view(*args))
    for words in ('sky; sea', 'sky; sea', 'sky; sand', 'sky; sea', 'sky; road', 'sky; sand'):
        seg(scene(0), words)
    assert len(made) == 4
    assert len(seg._views) == 2


def test_photos_of_a_list_are_answered_in_their_order_as_alone(seg, tmp_path):
    Image.open(save(tmp_path / 'wide.png', (60, 200))).convert('L').save(tmp_path / 'grey.png')
    photos = [
        scene(1),
        tmp_path / 'wide.png',
        np.asarray(Image.open(tmp_path / 'grey.png')),
        Image.open(tmp_path / 'wide.png'),
        scene(2),
    ]
    together = seg(photos, 'sky; grass; sea')
    assert [out.labels.shape for out in together] == [(128, 128), *[(60, 200)] * 3, (128, 128)]
    for photo, out in zip(photos, together, strict=True):
        alone = seg(photo, 'sky; grass; sea')
        assert np.mean(alone.labels == out.labels) > 0.999
    assert together[1].source == str(tmp_path / 'wide.png')
    assert np.array_equal(together[1].labels, together[3].labels)


def save(path, size):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_a_stream_reads_no_more_than_a_batch(seg):
    read = []

    def photos():
        for i in range(20):
            read.append(i)
            yield scene(i)

    first = next(seg.stream(photos(), 'sky; sea'))
    assert first.labels.shape == (128, 128)
    assert len(read) == seg.batch_size


@pytest.mark.parametrize('size', [(1, 1), (1, 300), (300, 1), (17, 5)])
def test_photos_of_any_size_have_labels_of_that_size(seg, size):
    out = seg(np.full((*size, 3), 90, np.uint8), 'sky; sea')
    assert out.labels.shape == size
    assert out.labels.dtype == np.int64
    assert out.scores.shape == (2, *size)


def test_a_single_word_is_set_against_everything_else(seg):
    out = seg(scene(0), 'house')
    assert out.classes == ('house', 'background')
    assert len(np.unique(out.labels)) == 2
    with pytest.raises(ValueError, match="'house' is the only class"):
        seg(scene(0), 'house', background=False)


def test_background_words_are_one_class_whose_score_is_the_best_of_theirs(seg):
    apart = seg(scene(0), ['house', 'sky', 'sea'])
    out = seg(scene(0), ['house'], background=['sky', 'sea'])
    assert out.classes == ('house', 'background')
    assert np.array_equal(out.labels, np.minimum(apart.labels, 1))
    np.testing.assert_allclose(out.scores[1], apart.scores[1:].max(axis=0), rtol=1e-4)


def test_texts_of_a_dict_are_one_class(seg):
    apart = seg(scene(0), ['house', 'sky', 'sea', 'grass'])
    out = seg(scene(0), {'blue': ['sky', 'sea'], 'house': 'house', 'green': ['grass']})
    assert out.classes == ('blue', 'house', 'green')
    assert np.array_equal(out.labels, np.array([1, 0, 0, 2])[apart.labels])


def test_unsure_pixels_are_ignored_below_the_threshold(seg):
    whole, part = seg(scene(0), 'sky; grass; house'), seg(scene(0), 'sky; grass; house', None, 0.6)
    ignored = part.labels == part.ignored
    assert 0 < ignored.mean() < 1
    assert np.array_equal(whole.labels[~ignored], part.labels[~ignored])
    sure = torch.from_numpy(whole.scores).softmax(dim=0).amax(dim=0).numpy()
    assert np.array_equal(sure < 0.6, ignored)


def test_a_model_of_two_stages_gives_instances_and_panoptic_segments(tmp_path, untrained):
    weights = untrained('toy_masqclip', tmp_path / 'a.pth')
    seg = ZeroShotSegmenter('toy-masqclip', weights, device='cpu')
    seg.model.test_cfg.score_threshold = seg.model.test_cfg.overlap_threshold = 0.0
    tasks = ('semantic', 'instance', 'panoptic')
    out = seg(scene(0), ['house', 'sky', 'car'], tasks=tasks, things='house; car')
    assert all(one.small.any() for one in out.instances)
    assert out.instances
    assert {one.name for one in out.instances} <= {'house', 'car'}
    assert out.instances[0].mask.shape == out.labels.shape
    scores = [one.score for one in out.instances]
    assert scores == sorted(scores, reverse=True)
    assert out.panoptic.shape == out.labels.shape
    assert set(np.unique(out.panoptic % 1000)) <= {0, 1, 2, 3}
    assert not ((out.panoptic % 1000 == 1) & (out.panoptic > 1000)).any()
    assert seg.tasks == tasks
    plain = seg(scene(0), ['house', 'sky', 'car'])
    assert plain.instances is None
    assert plain.panoptic is None
    assert np.array_equal(plain.labels, out.labels)


def test_at_most_five_lines_are_logged(capfd, caplog):
    with caplog.at_level(logging.INFO):
        seg = ZeroShotSegmenter('toy', device='cpu')
        built = capfd.readouterr()
        seg(scene(0), 'sky; sea')
        called = capfd.readouterr()
    for said in (built, called):
        assert (said.out + said.err).count('\n') <= 5


def test_predictions_have_no_gradient_and_leave_the_mode_as_it_was(seg):
    seg(scene(0), 'sky; sea')
    assert not torch.is_inference_mode_enabled()
    assert not any(p.requires_grad for p in seg.model.parameters())


def test_weights_of_a_model_without_training_are_clips(tmp_path):
    seg = ZeroShotSegmenter('toy_maskclip', weights='toy', device='cpu')
    assert seg.model.vocabulary.weights == 'toy'
    assert seg(scene(0), 'sky; sea').labels.shape == (128, 128)


def test_mixed_precision_on_a_cpu_gives_nearly_the_same():
    seg = ZeroShotSegmenter('toy', device='cpu', amp=True)
    plain = ZeroShotSegmenter('toy', device='cpu')
    same = seg(scene(0), WORDS).labels == plain(scene(0), WORDS).labels
    assert same.mean() > 0.95


def test_without_words_the_classes_are_the_configs(seg):
    out = seg(scene(0))
    assert list(out.classes) == [name.split(',')[0] for name in WORDS]
    assert np.array_equal(out.labels, seg(scene(0), WORDS).labels)


def test_a_model_of_fixed_classes_gives_those_alone(tmp_path, untrained):
    seg = ZeroShotSegmenter(
        'toy-mta-clip', untrained('toy_mta_clip', tmp_path / 'a.pth'), device='cpu'
    )
    out = seg(scene(0))
    assert len(out.classes) == 20
    assert out.scores.shape == (20, 128, 128)
    assert np.array_equal(seg(scene(0), WORDS).labels, out.labels)
    with pytest.raises(ValueError, match='knows the 20 classes of its training and no others'):
        seg(scene(0), 'sky; sea')


def test_a_larger_short_side_shows_the_model_more():
    seg = ZeroShotSegmenter('toy', device='cpu', short_side=256)
    inputs, sample = seg.prepared(np.zeros((100, 150, 3), np.uint8))
    assert inputs.shape == (3, 256, 384)
    assert sample.ori_shape == (100, 150)
    assert seg.prepared(np.zeros((100, 1000, 3), np.uint8))[0].shape[2] == 1024
    line = seg(np.zeros((1, 5000, 3), np.uint8), 'sky; sea')  # no pixel wide, scaled to 1024
    assert line.labels.shape == (1, 5000)
    with pytest.raises(ValueError, match='short_side is 0'):
        ZeroShotSegmenter('toy', short_side=0)


def test_a_photo_of_one_pixel_is_enlarged_for_a_pipeline_that_resizes_none(tmp_path, untrained):
    seg = ZeroShotSegmenter('toy_maft', untrained('toy_maft', tmp_path / 'a.pth'), device='cpu')
    assert seg(np.zeros((1, 1, 3), np.uint8), 'sky; tree').labels.shape == (1, 1)


def test_a_threshold_may_be_a_number_of_numpy(seg):
    photo = np.zeros((8, 8, 3), np.uint8)
    found = [seg(photo, 'sky; tree', threshold=one).labels for one in (0.5, np.float32(0.5))]
    assert (found[0] == found[1]).all()


def test_threads_may_read_configs_at_once():
    """Python 3.11 cannot parse where another thread, let in by the garbage collector, does."""
    thresholds, lets_in = gc.get_threshold(), lambda phase, info: time.sleep(1e-5)
    gc.callbacks.append(lets_in)
    gc.set_threshold(200)
    gc.freeze()
    try:
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(load_config, ['toy_maskclip'] * 8))
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(lets_in)


def test_threads_may_make_segmenters_at_once():
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda name: ZeroShotSegmenter(name, device='cpu'), ['toy'] * 4))
    first, *others = (one(scene(0), 'sky; grass').labels for one in made)
    assert all(np.array_equal(one, first) for one in others)
    assert not any('overwrite' in name for name in DefaultScope._instance_dict)
