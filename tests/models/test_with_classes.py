"""A vocabulary as the argument of a call: nothing is copied, nothing mixes,
nothing stays behind."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from mmseg.structures import SegDataSample

from mmseg_zsclip.models.self_training import SelfTrainedSegmentor

LISTS = [['zebra', 'road', 'background'], ['sky, clouds', 'tree', 'car', 'dog', 'lamp', 'house']]


def sample():
    return SegDataSample(metainfo=dict(img_shape=(56, 72), ori_shape=(56, 72)))


def scores(model, img):
    with torch.no_grad():
        (out,) = model(img, [sample()], mode='predict')
    return out.seg_logits.data


def test_two_threads_with_two_vocabularies_do_not_mix(small, head):
    model, img = small(head), torch.randn(1, 3, 56, 72)
    alone = [scores(model.with_classes(names), img) for names in LISTS]
    before = scores(model, img)

    def call(turn):
        if turn % 3 == 2:
            return scores(model, img)
        return scores(model.with_classes(LISTS[turn % 3]), img)

    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(call, range(18)))
    for turn, result in enumerate(results):
        assert torch.equal(result, [*alone, before][turn % 3])


def test_the_model_stays_as_it_is_and_no_weight_is_copied(small, head):
    model, img = small(head), torch.randn(1, 3, 56, 72)
    before, state = scores(model, img), {k: v.clone() for k, v in model.state_dict().items()}
    view = model.with_classes(LISTS[1], unseen=['lamp'])
    assert view.dataset_meta['classes'] == ('sky', *LISTS[1][1:])
    assert view.num_classes == 6
    assert view.unseen == [4]
    assert not hasattr(model, 'dataset_meta')
    assert model.num_classes == 5
    assert [id(p) for p in view.parameters()] == [id(p) for p in model.parameters()]
    assert view.backbone is model.backbone
    assert torch.equal(scores(model, img), before)
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())


def test_it_is_what_set_classes_makes(small, head):
    model, img = small(head), torch.randn(1, 3, 56, 72)
    view = scores(model.with_classes(LISTS[1]), img)
    model.set_classes(LISTS[1])
    assert torch.equal(scores(model, img), view)


def test_options_of_the_head_go_along(small):
    model = small('maskclip')
    view = model.with_classes(LISTS[0], background=['sky', 'wall'])
    assert view.vocabulary.embeddings.shape[0] == 4
    assert scores(view, torch.randn(1, 3, 56, 72)).shape == (3, 56, 72)


def test_a_teacher_keeps_its_words(small, small_config):
    model = small(
        'zegclip', type='mmseg_zsclip.SelfTrainedSegmentor', teacher=small_config('maskclip')
    )
    assert isinstance(model, SelfTrainedSegmentor)
    names = model.teacher.vocabulary.names
    view = model.with_classes(LISTS[1])
    assert view.teacher.vocabulary.names[1:] == LISTS[1][1:]
    assert model.teacher.vocabulary.names == names


def test_precomputed_embeddings_serve_several_vocabularies_at_once(small):
    """Text made elsewhere (another process, an ONNX graph): no CLIP weights are asked for."""
    model = small('maskclip')
    width = model.vocabulary.embeddings.shape[1]
    given = [torch.randn(3, width), torch.randn(2, width)]
    views = [
        model.with_classes(['a', 'b', 'c'], embeddings=given[0]),
        model.with_classes(['d', 'e'], embeddings=given[1]),
    ]
    for view, text in zip(views, given, strict=True):
        torch.testing.assert_close(view.vocabulary(), torch.nn.functional.normalize(text))
    assert [view.num_classes for view in views] == [3, 2]
    model.set_embeddings(torch.randn_like(model.vocabulary.embeddings))
    assert len(views[0].vocabulary()) == 3


def test_a_head_of_fixed_vocabulary():
    from mmseg_zsclip.models import OneStageSegmentor

    model = OneStageSegmentor(
        backbone=dict(type='mmseg.ResNetV1c', depth=18),
        decode_head=dict(type='mmseg.FCNHead', in_channels=64, channels=8, num_classes=3),
    )
    with pytest.raises(TypeError, match='FCNHead has a fixed vocabulary; put it into'):
        model.set_classes(['cat', 'dog'])
