"""Who labels a pixel, from which classes, and what may never reach the loss."""

import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.models.self_training import best_of, cosine_distance
from mmseg_zsclip.registry import MODELS
from mmseg_zsclip.vocabulary.labels import UNLABELLED

NAMES = ['sky', 'road', 'tree', 'car']
TEXT = dict(arch='ViT-XS-8')


def statistics(mean, std, **kwargs):
    return dict(type='SegDataPreProcessor', mean=[mean] * 3, std=[std] * 3, size=(32, 32), **kwargs)


def teacher(classes=NAMES, **kwargs):
    return dict(
        type='mmseg_zsclip.OneStageSegmentor',
        data_preprocessor=statistics(100.0, 50.0, **kwargs),
        backbone=dict(type='mmseg_zsclip.MaskCLIPViT', arch='ViT-XS-8'),
        decode_head=dict(type='mmseg_zsclip.MaskCLIPHead', classes=classes, text=TEXT),
        test_cfg=dict(mode='whole'),
    )


def segmentor(unseen=('tree', 'car'), **kwargs):
    kwargs.setdefault('teacher', teacher())
    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='mmseg_zsclip.SelfTrainedSegmentor',
            data_preprocessor=statistics(120.0, 60.0),
            backbone=dict(
                type='ResNetV1c',
                depth=18,
                base_channels=8,
                stem_channels=8,
                norm_cfg=dict(type='BN'),
            ),
            decode_head=dict(
                type='mmseg_zsclip.TextHead',
                classes=NAMES,
                unseen=list(unseen),
                text=TEXT,
                head=dict(
                    type='mmseg_zsclip.DeepLabV2Head',
                    in_channels=64,
                    in_index=3,
                    channels=16,
                    dilations=(1, 2),
                    loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
                ),
            ),
            train_cfg={},
            test_cfg=dict(mode='whole'),
            **kwargs,
        )
    )
    model.init_weights()
    return model


def samples(labels, truth=None):
    meta = {} if truth is None else dict(hidden_seg_map=truth)
    return [
        SegDataSample(
            gt_sem_seg=PixelData(data=row[None]),
            metainfo=dict(img_shape=(32, 32), **{k: v[i] for k, v in meta.items()}),
        )
        for i, row in enumerate(labels)
    ]


@pytest.fixture
def batch():
    """Images (2, 3, 32, 32), and labels: seen classes above, unlabelled below, ignored left."""
    torch.manual_seed(1)
    labels = torch.randint(0, 2, (2, 32, 32))
    labels[:, 16:] = UNLABELLED
    labels[:, :, :4] = 255
    return torch.randn(2, 3, 32, 32), labels


def labels_in_loss(model, images, labels, **kwargs):
    """The label maps that arrive at the head."""
    arrived = []
    inner = model.decode_head.head
    original = inner.loss_by_feat
    inner.loss_by_feat = lambda logits, data: (
        arrived.append(torch.stack([x.gt_sem_seg.data[0] for x in data])),
        original(logits, data),
    )[1]
    losses = model.loss(images, samples(labels, **kwargs))
    inner.loss_by_feat = original
    return arrived[0], losses


def test_best_of_chooses_among_the_rows_alone():
    scores = torch.tensor([9.0, 1.0, 3.0, 2.0]).view(1, 4, 1, 1)
    assert best_of(scores, [1, 2, 3], (2, 2)).unique().tolist() == [2]
    sure = float(torch.tensor([1.0, 3.0, 2.0]).softmax(0).max())
    assert best_of(scores, [1, 2, 3], (1, 1), sure - 0.01).item() == 2
    assert best_of(scores, [1, 2, 3], (1, 1), sure + 0.01).item() == 255


def test_the_teacher_labels_unlabelled_pixels_and_no_others(batch):
    images, labels = batch
    model = segmentor()
    arrived, losses = labels_in_loss(model, images, labels)
    free = labels == UNLABELLED
    assert torch.equal(arrived[~free], labels[~free])
    seen = (images * 60 + 120 - 100) / 50  # the same photo with the teacher's statistics
    scores = model.teacher.model.encode_decode(seen, [dict(img_shape=(32, 32))] * 2)
    expected = scores[:, 2:].argmax(1) + 2
    assert torch.equal(arrived[free], expected[free])
    assert len(arrived[free].unique()) == 2
    assert losses['labelled_by_teacher'] == free.float().mean()
    assert losses['labelled_by_self'] == 0


def test_the_model_labels_for_itself_in_the_self_phase(batch):
    images, labels = batch
    model = segmentor().eval()  # no dropout: the same logits again
    model.phase = 'self'
    arrived, _ = labels_in_loss(model, images, labels)
    logits = model.encode_decode(images, [dict(img_shape=(32, 32))] * 2)
    free = labels == UNLABELLED
    assert torch.equal(arrived[free], (logits[:, 2:].argmax(1) + 2)[free])


def test_nobody_labels_in_the_supervised_phase(batch):
    images, labels = batch
    model = segmentor(teacher=None)
    arrived, losses = labels_in_loss(model, images, labels)
    assert (arrived[labels == UNLABELLED] == 255).all()
    assert losses['labelled_by_human'] == (labels >= 0).logical_and(labels < 4).float().mean()


def test_annotation_free_labels_every_class_and_none_is_given(batch):
    images, labels = batch
    model = segmentor(receive='all')
    nobody = torch.full_like(labels, UNLABELLED)
    arrived, losses = labels_in_loss(model, images, nobody)
    assert losses['labelled_by_teacher'] == 1
    assert arrived.max() < 4
    with pytest.raises(ValueError, match=r"ground-truth leak.*'sky', 'road'.*annotation-free"):
        model.loss(images, samples(labels))


def test_unseen_ground_truth_is_a_leak(batch):
    images, labels = batch
    labels[0, 0, 10] = 3
    with pytest.raises(ValueError, match=r"ground-truth leak.*\['car'\].*mode='transductive'"):
        segmentor().loss(images, samples(labels))


def test_labels_that_are_no_classes_are_refused(batch):
    images, labels = batch
    labels[0, 0, 10] = 9
    with pytest.raises(ValueError, match='labels run from 0 to 9, but there are 4 classes'):
        segmentor().loss(images, samples(labels))


def test_unsure_pixels_are_ignored(batch):
    images, labels = batch
    arrived, losses = labels_in_loss(segmentor(min_confidence=0.999), images, labels)
    unsure = (labels == UNLABELLED) & (arrived == 255)
    assert unsure.any()
    assert losses['labelled_by_teacher'] < (labels == UNLABELLED).float().mean()


def test_agreement_is_with_the_hidden_truth_of_what_was_made(batch):
    images, labels = batch
    model = segmentor()
    arrived, _ = labels_in_loss(model, images, labels)
    truth = arrived.clone()
    rows = labels == UNLABELLED
    truth[:, 24:] = 5 - truth[:, 24:]  # 2 <-> 3: half of what was made is wrong
    _, losses = labels_in_loss(model, images, labels, truth=truth.numpy())
    right = (truth == arrived) & rows
    assert losses['agreement'] == right.sum() / rows.logical_and(arrived != 255).sum()
    assert 0 < losses['agreement'] < 1


def test_the_teacher_is_in_no_checkpoint_and_nothing_trains_it(batch):
    images, labels = batch
    model = segmentor().train()
    assert not any('teacher' in key for key in model.state_dict())
    assert not any(p is q for p in model.parameters() for q in model.teacher.parameters())
    assert not model.teacher.model.backbone.training
    losses = model.loss(images, samples(labels))
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    assert all(p.grad is None for p in model.teacher.parameters())
    assert next(model.double().teacher.parameters()).dtype == torch.float64


def test_the_teacher_sees_other_channel_orders():
    model = segmentor(teacher=teacher(bgr_to_rgb=True))
    images = torch.randn(1, 3, 32, 32)
    seen = model.teacher.as_it_sees(images, model.data_preprocessor)
    torch.testing.assert_close(seen, (images.flip(1) * 60 + 20) / 50)


def test_distillation_pulls_features_together(batch):
    images, labels = batch
    model = segmentor(distill_weight=2.0)
    losses = model.loss(images, samples(labels))
    assert 0 < losses['loss_distill'] < 4
    x = torch.randn(1, 5, 4, 4)
    torch.testing.assert_close(cosine_distance(x, 3 * x), torch.tensor(0.0), atol=1e-6, rtol=0)
    torch.testing.assert_close(cosine_distance(x, -x), torch.tensor(2.0))


@pytest.mark.parametrize('phase', ['guided', 'self'])
def test_the_teachers_tower_sees_a_distilled_batch_once(batch, phase):
    images, labels = batch
    model, calls = segmentor(distill_weight=2.0).eval(), []  # no dropout
    model.phase = phase
    model.teacher.model.backbone.register_forward_hook(lambda *_: calls.append(1))
    found, losses = labels_in_loss(model, images, labels)
    assert len(calls) == 1
    seen = model.teacher.as_it_sees(images, model.data_preprocessor)
    if phase == 'guided':
        expected = best_of(model.teacher.model(seen, mode='tensor'), [2, 3], (32, 32))
        assert torch.equal(found[labels == UNLABELLED], expected[labels == UNLABELLED])
    joint = model.decode_head.forward_with_features(model.extract_feat(images))[1]
    theirs = model.teacher.model.extract_feat(seen)[0]
    torch.testing.assert_close(losses['loss_distill'], 2 * cosine_distance(joint, theirs))


def test_an_autocast_step_is_finite(batch):
    images, labels = batch
    model = segmentor(distill_weight=1.0)
    with torch.autocast('cpu', torch.bfloat16):
        losses = model.loss(images, samples(labels))
    loss, _ = model.parse_losses(losses)
    loss.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_the_teachers_vocabulary_changes_with_the_models():
    model = segmentor()
    model.set_classes(['cat', 'dog', 'cow'], unseen=['dog'])
    assert model.teacher.vocabulary.names == ['cat', 'dog', 'cow']
    assert model.receivers == [1]


def test_zegclip_learns_the_seen_classes_and_then_labels_the_unseen_itself(batch):
    images, labels = batch
    init_default_scope('mmseg')
    model = MODELS.build(
        dict(
            type='mmseg_zsclip.SelfTrainedSegmentor',
            data_preprocessor=statistics(120.0, 60.0),
            backbone=dict(type='mmseg_zsclip.DeepPromptedViT', arch='ViT-XS-8', num_prompts=2),
            decode_head=dict(
                type='mmseg_zsclip.ZegCLIPHead', classes=NAMES, unseen=['tree', 'car'], text=TEXT
            ),
            test_cfg=dict(mode='whole'),
        )
    )
    model.init_weights()
    supervised = model.loss(images, samples(labels))
    assert supervised['labelled_by_self'] == 0
    model.phase = 'self'
    alone = model.loss(images, samples(labels))
    assert alone['labelled_by_self'] == (labels == UNLABELLED).float().mean()
    # the pseudo-labels add their own masks: dice is a mean over masks, so its sum has changed
    assert alone['decode.loss_focal'] != supervised['decode.loss_focal']
    alone['decode.loss_dice'].backward()
    assert model.backbone.prompts.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(receive='some'), "receive is 'some'; legal values: unseen, all"),
        (dict(min_confidence=1.0), 'min_confidence is 1.0; legal'),
        (dict(teacher=None, distill_weight=1.0), 'distill_weight is 1.0, but there is no teacher'),
        (
            dict(teacher=teacher(['sky', 'road', 'tree'])),
            r'the teacher has 3 classes .*the model 4',
        ),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        segmentor(**settings)


def test_bad_phases():
    model = segmentor(teacher=None)
    with pytest.raises(ValueError, match="phase is 'both'; legal values: supervised, guided, self"):
        model.phase = 'both'
    with pytest.raises(ValueError, match="phase is 'guided', but the model has no `teacher`"):
        model.phase = 'guided'


def test_pseudo_labels_of_unseen_classes_are_no_leak_in_an_auxiliary_text_head(batch):
    images, labels = batch
    head = dict(
        type='FCNHead',
        in_channels=32,
        in_index=2,
        channels=8,
        num_convs=1,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    )
    model = segmentor(
        auxiliary_head=dict(
            type='mmseg_zsclip.TextHead',
            classes=NAMES,
            unseen=['tree', 'car'],
            text=TEXT,
            head=head,
        )
    )
    assert model.loss(images, samples(labels))['aux.loss_ce'] > 0
    labels[0, 20, 20] = 3
    with pytest.raises(ValueError, match='ground-truth leak'):
        model.loss(images, samples(labels))


def test_confident_labels_name_nan_and_stand_a_forbidden_class():
    torch.manual_seed(0)
    scores = 5 * torch.randn(1, 4, 6, 6)
    plain = best_of(scores[:, [0, 1, 3]], range(3), (24, 24), 0.5)
    forbidden = scores.clone()
    forbidden[:, 2] = float('-inf')
    labels = best_of(forbidden, range(4), (24, 24), 0.5)
    assert torch.equal(labels, torch.tensor([0, 1, 3])[plain.clamp(max=2)].where(plain != 255, 255))
    forbidden[0, 1, 2, 2] = float('nan')
    with pytest.raises(ValueError, match='NaN'):
        best_of(forbidden, range(4), (24, 24), 0.5)
