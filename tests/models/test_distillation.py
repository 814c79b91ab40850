"""Progressive distillation: what a teacher adds to the truth, and what its student makes of it."""

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmseg_zsclip.models.distillation import new_masks, sampled
from mmseg_zsclip.models.given_proposals import TrueProposals
from mmseg_zsclip.models.proposals import Proposals
from mmseg_zsclip.registry import MODELS

NAMES = ['sky', 'road', 'tree', 'car', 'dog']
TOY = dict(arch='ViT-T-8', weights='toy')
SIZE = 64, 96


def columns(*ends, size=(4, 20)):
    """Masks: columns a to b."""
    place = torch.arange(size[1]).expand(*size)
    return torch.stack([(a <= place) & (place < b) for a, b in ends])


NO_TRUTH = torch.zeros(0, 4, 20, dtype=torch.bool)


def test_sure_masks_where_no_truth_is_are_new():
    masks = columns((0, 5), (5, 10), (10, 15), (15, 20))
    scores = torch.tensor([0.95, 0.81, 0.8, 0.9])
    assert new_masks(masks, scores, columns((0, 5))).tolist() == [3, 1]  # 0.8 is not above 0.8
    assert new_masks(masks, scores, NO_TRUTH).tolist() == [0, 3, 1]
    assert new_masks(masks[:0], scores[:0], NO_TRUTH).tolist() == []


def test_of_two_that_overlap_the_surer_is_taken():
    masks = columns((0, 10), (5, 10), (9, 20))
    scores = torch.tensor([0.85, 0.9, 0.95])
    assert new_masks(masks, scores, NO_TRUTH).tolist() == [2, 1]  # 1 of 15 columns is below 0.1
    assert new_masks(masks, scores, NO_TRUTH, overlap_threshold=0.04).tolist() == [2]
    assert (
        new_masks(masks, scores, NO_TRUTH, overlap_threshold=0.04, score_threshold=0.97).tolist()
        == []
    )


def test_the_released_dice_is_stricter():
    masks, truth = columns((0, 20)), columns((18, 20))
    scores = torch.tensor([0.9])
    assert new_masks(masks, scores, truth, overlap_threshold=0.15).tolist() == [0]
    assert new_masks(masks, scores, truth, overlap_threshold=0.15, overlap='dice').tolist() == []


def test_points_are_x_and_y_from_0_to_1():
    mask = torch.zeros(1, 4, 20, dtype=torch.bool)
    mask[0, 3, 0] = True
    points = torch.tensor([[0.5 / 20, 3.5 / 4], [3.5 / 20, 0.5 / 4]])
    torch.testing.assert_close(sampled(mask, points), torch.tensor([[1.0, 0.0]]))
    assert sampled(mask[:0], points).shape == (0, 2)


def test_many_points_say_what_all_pixels_say():
    torch.manual_seed(0)
    masks = columns((0, 5), (3, 10), (10, 20))
    scores = torch.tensor([0.95, 0.9, 0.85])
    points = torch.rand(2, 4000, 2)
    for truth in (NO_TRUTH, columns((10, 13))):
        every = new_masks(masks, scores, truth)
        assert torch.equal(new_masks(masks, scores, truth, points=points), every)


@pytest.fixture
def build(tiny_generator):
    init_default_scope('mmseg')

    def make(generator=None, **changes):
        torch.manual_seed(0)
        model = MODELS.build(
            {
                **dict(
                    type='mmseg_zsclip.ProgressiveDistillation',
                    data_preprocessor=dict(type='SegDataPreProcessor'),
                    generator=generator or tiny_generator(),
                    classifier=dict(type='mmseg_zsclip.IPCLIPViT', clip_size=48, **TOY),
                    classes=NAMES,
                    text=TOY,
                    unseen=['car', 'dog'],
                ),
                **changes,
            }
        )
        model.init_weights()
        return model.train()

    return make


class Sure(torch.nn.Module):
    """A teacher that finds the left third, the middle, and the middle once more, less surely."""

    def forward(self, img, metas, text):
        masks = columns((0, 32), (32, 64), (34, 64), size=SIZE).float() * 0.98
        return [Proposals(masks, torch.tensor([0.99, 0.97, 0.9]))] * len(img)


def sample(hidden=None):
    """The left third is road, the rest is not labelled; a car in the middle is hidden."""
    labels = torch.full((1, *SIZE), 255)
    labels[..., :32] = 1
    meta = dict(img_shape=SIZE, ori_shape=SIZE, padding_size=(0, 0, 0, 0))
    if hidden:
        truth = labels[0].numpy().copy()
        truth[:, 32:64] = 3
        meta |= dict(hidden_seg_map=truth, instance_map=np.where(truth == 3, 1, 0))
    return SegDataSample(metainfo=meta, gt_sem_seg=PixelData(data=labels))


def test_the_generator_trains_on_the_truth_and_on_what_is_new(build, monkeypatch):
    model, img = build(), torch.randn(2, 3, *SIZE)
    model.keep_teacher(Sure())
    asked = []
    loss = model.generator.loss
    monkeypatch.setattr(model.generator, 'loss', lambda *args: asked.append(args[3]) or loss(*args))
    losses = model.loss(img, [sample(hidden=True)] * 2)
    for maps, classes in asked[0]:
        assert torch.equal(maps, columns((0, 32), (32, 64), size=SIZE))
        assert len(classes) == 2
    assert losses['new_masks'] == losses['new_masks_unseen'] == 1
    total, logged = model.parse_losses(losses)
    assert total == sum(logged[name] for name in logged if 'loss' in name and name != 'loss')
    total.backward()
    assert {name.split('.')[0] for name, p in model.named_parameters() if p.grad is not None} == {
        'generator'
    }


def test_where_the_truth_is_not_known_nothing_is_said_of_it(build):
    model = build(points=500, overlap='dice')
    model.keep_teacher(Sure())
    losses = model.loss(torch.randn(1, 3, *SIZE), [sample()])
    assert losses['new_masks'] == 1
    assert 'new_masks_unseen' not in losses


def test_the_teacher_is_what_the_student_was(build):
    model, img = build(score_threshold=0.0, overlap_threshold=1.0), torch.randn(1, 3, *SIZE)
    model.promote()
    before = {name: value.clone() for name, value in model.teacher.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.01)
    losses = model.loss(img, [sample()])
    model.parse_losses(losses)[0].backward()
    optimizer.step()
    assert losses['new_masks'] > 0  # of an untrained teacher, everything is new
    teacher = model.teacher.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in teacher.items())
    assert not any(p.requires_grad for p in model.teacher.parameters())
    assert not model.teacher.training
    assert not any('teacher' in name for name in model.state_dict())
    model.promote()
    student = model.generator.state_dict()
    assert all(
        torch.equal(value, student[name]) for name, value in model.teacher.state_dict().items()
    )
    assert any(not torch.equal(value, before[name]) for name, value in student.items())


def test_wrong_settings_are_named(build, tiny_generator):
    with pytest.raises(ValueError, match='score_threshold is 1.5; legal values: 0 to 1'):
        build(score_threshold=1.5)
    with pytest.raises(ValueError, match="overlap is 'l2'; legal values: iou, dice"):
        build(overlap='l2')
    with pytest.raises(ValueError, match='points is 0; legal values: at least 1'):
        build(points=0)
    with pytest.raises(TypeError, match='TrueProposals does not train; distillation needs'):
        build(generator=dict(type=TrueProposals))
    with pytest.raises(TypeError, match='QueryProposals knows text; distillation needs'):
        build(generator=tiny_generator(text=dict(dim=16, text_dim=192, hidden=())))
