"""MAFT: what trains, what is asked of it, and what stays as it was."""

import re

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmseg_zsclip.clip.archs import get_arch
from mmseg_zsclip.clip.model import build_visual
from mmseg_zsclip.losses import mask_aware_loss, self_distillation_loss
from mmseg_zsclip.models import vocabulary
from mmseg_zsclip.models.given_proposals import FileProposals, TrueProposals
from mmseg_zsclip.models.maft import RESNET_UNITS, VIT_UNITS, train_all_but
from mmseg_zsclip.models.proposals import Proposals
from mmseg_zsclip.registry import MODELS

NAMES = ['sky', 'grass', 'sea', 'car', 'sand']
TOY = dict(arch='ViT-T-8', weights='toy')
SIZE = 48, 64


class Overlapping(TrueProposals):
    """The truth, and masks that hold more or less of it, the same each time."""

    def forward(self, *args):
        return [
            Proposals.of_masks(
                torch.cat([one.masks, one.masks * (torch.arange(SIZE[1]) < 20), one.masks.flip(1)])
            )
            for one in super().forward(*args)
        ]


@pytest.fixture
def batch():
    torch.manual_seed(1)
    labels = torch.randint(0, 3, (2, 1, 3, 4)).repeat_interleave(16, 2).repeat_interleave(16, 3)
    labels[:, :, :4] = 255
    meta = dict(img_shape=SIZE, ori_shape=SIZE, padding_size=(0, 0, 0, 0))
    return torch.randn(2, 3, *SIZE), [
        SegDataSample(metainfo=meta, gt_sem_seg=PixelData(data=one)) for one in labels
    ]


@pytest.fixture
def build():
    init_default_scope('mmseg')

    def make(**changes):
        torch.manual_seed(0)
        model = MODELS.build(
            {
                **dict(
                    type='mmseg_zsclip.MAFT',
                    generator=dict(type=Overlapping),
                    classifier=dict(type='mmseg_zsclip.IPCLIPViT', clip_size=SIZE, **TOY),
                    classes=NAMES,
                    unseen=['sea', 'sand'],
                    text=TOY,
                    scale=28.0,
                ),
                **changes,
            }
        )
        model.init_weights()
        return model.train()

    return make


def hide(samples):
    """The sea, label 2, is unseen."""
    for sample in samples:
        labels = sample.gt_sem_seg.data
        sample.gt_sem_seg = PixelData(data=labels.masked_fill(labels == 2, 255))
    return samples


@pytest.mark.parametrize(('arch', 'count'), [('ViT-B-16', 28_386_816), ('ViT-L-14', 100_861_952)])
def test_as_many_parameters_train_as_in_the_release(arch, count):
    with torch.device('meta'):
        visual = build_visual(get_arch(arch))
    trained = train_all_but(visual)
    assert sum(visual.get_parameter(name).numel() for name in trained) == count
    assert {re.sub(r'transformer\.resblocks\.\d+\.', '', name) for name in trained} == {
        'attn.in_proj_weight',
        'attn.in_proj_bias',
        'attn.out_proj.weight',
        'attn.out_proj.bias',
        'ln_1.weight',
        'ln_1.bias',
        'ln_2.weight',
        'ln_2.bias',
        'ln_post.weight',
        'ln_post.bias',
    }


def test_of_a_resnet_the_attention_of_the_pool_trains():
    with torch.device('meta'):
        visual = build_visual(get_arch('RN50'))
    assert {name.rsplit('.', 1)[0] for name in train_all_but(visual)} == {
        'attnpool.q_proj',
        'attnpool.k_proj',
        'attnpool.v_proj',
    }


@pytest.mark.parametrize(('arch', 'units'), [('ViT-B-16', VIT_UNITS), ('RN50', RESNET_UNITS)])
def test_each_unit_of_table_4d_is_some_tensors_of_its_own(arch, units):
    with torch.device('meta'):
        visual = build_visual(get_arch(arch))
    every = train_all_but(visual, [])
    assert len(every) == len(list(visual.parameters()))
    gone = [set(every) - set(train_all_but(visual, [unit])) for unit in units]
    assert all(gone)
    assert sum(map(len, gone)) == len(set.union(*gone))


def test_an_unknown_unit_is_named():
    with torch.device('meta'):
        visual = build_visual(get_arch('RN50'))
    with pytest.raises(
        ValueError, match=r"frozen has \['mlp'\]; legal units of a ModifiedResNet: conv"
    ):
        train_all_but(visual, ['mlp'])


def test_the_losses_are_those_of_its_parts(build, batch):
    model, (img, samples) = build(), batch
    samples = hide(samples)
    with torch.no_grad():  # so that student and teacher differ
        for parameter in model.classifier.visual.parameters():
            parameter.mul_(1.02)
    losses = model.loss(img, samples)
    proposals, _ = model.propose(img, samples, of_photos=False)
    rows, image = model.classifier(img, [one.masks for one in proposals], with_image=True)
    text = model.vocabulary()[[0, 1, 3]]
    maps, classes = zip(*model.targets(samples), strict=True)
    expected = mask_aware_loss(
        [model.logits(one, text) for one in rows], [one.masks for one in proposals], maps, classes
    )
    torch.testing.assert_close(losses['loss_mask_aware'], expected)
    wanted = model.logits(model.teacher.image_embeddings(img), text)
    torch.testing.assert_close(
        losses['loss_distillation'], self_distillation_loss(model.logits(image, text), wanted)
    )
    assert losses['loss_distillation'] > 0


def test_a_few_steps_make_clip_mask_aware_and_move_nothing_else(build, batch):
    model, (img, samples) = build(), batch
    samples = hide(samples)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    teacher = {name: value.clone() for name, value in model.teacher.state_dict().items()}
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 1e-4)
    first = model.loss(img, samples)
    assert first['loss_distillation'] < 1e-10  # the student begins as the teacher
    for _ in range(6):
        optimizer.zero_grad()
        losses = model.loss(img, samples)
        sum(losses.values()).backward()
        optimizer.step()
    assert losses['loss_mask_aware'] < 0.8 * first['loss_mask_aware']
    moved = {
        name for name, value in model.state_dict().items() if not torch.equal(value, before[name])
    }
    assert moved == {f'classifier.visual.{name}' for name in model.trained}
    assert all(
        torch.equal(value, teacher[name]) for name, value in model.teacher.state_dict().items()
    )


@pytest.mark.parametrize('counts', [(0, 0), (0, 3)])
def test_images_without_proposals_cost_no_step(build, batch, counts):
    model = build()
    model.generator.forward = lambda *_: [Proposals.of_masks(torch.rand(n, *SIZE)) for n in counts]
    inputs, samples = batch
    losses = model.loss(inputs, hide(samples))
    sum(losses.values()).backward()
    assert (losses['loss_mask_aware'] > 0) == any(counts)
    grads = [p.grad for p in model.parameters() if p.requires_grad]
    assert all(grad is not None and grad.isfinite().all() for grad in grads)


def test_texts_are_embedded_once_however_many_images_are_seen(build, batch, monkeypatch):
    made = []
    compute = vocabulary.class_embeddings
    monkeypatch.setattr(
        vocabulary,
        'class_embeddings',
        lambda *args, **keys: made.append(1) or compute(*args, **keys),
    )
    model, (img, samples) = build(), batch
    assert len(made) == 1
    for _ in range(3):
        sum(model.loss(img, hide(samples)).values()).backward()
    with torch.no_grad():
        for _ in range(3):
            model.eval().predict(img, samples)
    assert len(made) == 1


def test_the_teacher_is_no_part_of_checkpoints_and_moves_with_the_model(build):
    model = build().double()
    assert not [name for name in model.state_dict() if 'teacher' in name]
    assert next(model.teacher.parameters()).dtype == torch.float64
    assert not any(p.requires_grad for p in model.teacher.parameters())


def test_without_distillation_there_is_no_teacher(build, batch):
    model = build(distillation=dict(type='mmseg_zsclip.SelfDistillationLoss', loss_weight=0))
    img, samples = batch
    assert model.teacher is None
    assert list(model.loss(img, hide(samples))) == ['loss_mask_aware']


def test_generator_and_clip_stay_in_evaluation_mode(build):
    model = build()
    assert model.training
    assert not model.generator.training
    assert not model.classifier.training


@torch.no_grad()
def test_the_iou_is_that_with_a_whole_class_where_things_are_told_apart(build, batch):
    model, (img, samples) = build(), batch
    before = model.loss(img, hide(samples))
    for sample in samples:
        sample.set_metainfo(dict(instance_map=np.arange(SIZE[0] * SIZE[1]).reshape(SIZE) // 500))
    assert model.loss(img, samples) == before


def test_labels_of_unseen_classes_are_a_leak(build, batch):
    img, samples = batch
    with pytest.raises(ValueError, match=r"ground-truth leak: labels of \['sea'\]"):
        build().loss(img, samples)


def test_what_it_cannot_train_is_named(build, tmp_path):
    with pytest.raises(TypeError, match='the classifier is SubImageCLIP, .* legal: IPCLIPViT'):
        build(classifier=dict(type='mmseg_zsclip.SubImageCLIP', **TOY))
    with pytest.raises(ValueError, match='FileProposals has the masks of whole photos'):
        build(generator=dict(type=FileProposals, path=tmp_path))
