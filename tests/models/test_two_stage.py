"""Generator, classifier and fusion joined: a model whose three parts swap by config."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmseg_zsclip.models.given_proposals import TrueProposals
from mmseg_zsclip.models.mask_ops import photo_masks
from mmseg_zsclip.models.proposals import Proposals
from mmseg_zsclip.models.two_stage import TwoStageSegmentor
from mmseg_zsclip.registry import MODELS

NAMES = ['sky', 'road', 'tree', 'car', 'dog']
TOY = dict(arch='ViT-T-8', weights='toy')
CLASSIFIERS = dict(
    ip_clip=dict(type='mmseg_zsclip.IPCLIPViT', clip_size=48, **TOY),
    sub_images=dict(type='mmseg_zsclip.SubImageCLIP', **TOY),
    pooling=dict(
        type='mmseg_zsclip.MaskPooling', backbone=dict(type='mmseg_zsclip.MaskCLIPViT', **TOY)
    ),
)
STATISTICS = dict(
    mean=[122.7709383, 116.7460125, 104.09373615], std=[68.5005327, 66.6321579, 70.32316305]
)
META = dict(img_shape=(56, 72), ori_shape=(28, 36), padding_size=(0, 8, 0, 8))


class Given(TrueProposals):
    """Hands out what it was given, of each image."""

    needs_labels = False

    def forward(self, img, metas, text, labels=None):
        self.saw = img
        return self.proposals


def sample(**changes):
    torch.manual_seed(1)
    labels = torch.randint(0, 5, (4, 4)).repeat_interleave(7, 0).repeat_interleave(9, 1)
    return SegDataSample(metainfo={**META, **changes}, gt_sem_seg=PixelData(data=labels[None]))


@pytest.fixture
def build(tiny_generator):
    init_default_scope('mmseg')

    def make(classifier='ip_clip', generator=None, statistics=STATISTICS, **changes):
        torch.manual_seed(0)
        generator = generator or dict(type=TrueProposals)
        model = MODELS.build(
            {
                **dict(
                    type='mmseg_zsclip.TwoStageSegmentor',
                    data_preprocessor=dict(type='SegDataPreProcessor', **statistics),
                    generator=tiny_generator(**generator)
                    if isinstance(generator, dict) and 'type' not in generator
                    else generator,
                    classifier=CLASSIFIERS[classifier],
                    classes=NAMES,
                    text=TOY,
                    unseen=['car'],
                    scale=28.0,
                ),
                **changes,
            }
        )
        model.init_weights()
        return model.eval()

    return make


def given(model, count=4, size=(64, 80), class_scores=False):
    """Puts random proposals of two images into a model, and returns them."""
    torch.manual_seed(2)
    scores = torch.rand(count, 5) if class_scores else None
    model.generator = Given()
    model.generator.proposals = [
        Proposals(torch.rand(n, *size), torch.rand(n), scores[:n] if class_scores else None)
        for n in (count, 1)
    ]
    return model.generator.proposals


@torch.no_grad()
@pytest.mark.parametrize('classifier', CLASSIFIERS)
def test_scores_are_the_sum_over_proposals(build, classifier):
    model, img = build(classifier), torch.randn(2, 3, 64, 80)
    proposals = given(model)
    out = model.predict(img, [sample(), sample()])
    kept = [(slice(0, 56), slice(0, 72))] * 2
    rows = model.classifier(img, [one.masks for one in proposals], kept)
    for one, row, result in zip(proposals, rows, out, strict=True):
        scores = (28 * F.normalize(row, dim=1) @ model.vocabulary().T).softmax(dim=1)
        expected = torch.einsum(
            'p,pc,phw->chw', one.object_scores, scores, photo_masks(one.masks, META)
        )
        torch.testing.assert_close(result.seg_logits.data, expected)
        assert torch.equal(result.pred_sem_seg.data[0], result.seg_logits.data.argmax(dim=0))


@torch.no_grad()
def test_labels_alone_are_those_of_the_scores(build):
    model, img = build(), torch.randn(2, 3, 64, 80)
    given(model)
    whole = model.predict(img, [sample(), sample()])
    model.test_cfg.keep_scores = False
    for one, other in zip(model.predict(img, [sample(), sample()]), whole, strict=True):
        assert 'seg_logits' not in one
        assert torch.equal(one.pred_sem_seg.data, other.pred_sem_seg.data)


@torch.no_grad()
def test_seen_classes_lose_the_offset_of_the_fusion_at_every_pixel(build):
    img, maps = torch.randn(2, 3, 64, 80), []
    for offset in (0.0, 0.25):
        model = build(fusion=dict(type='mmseg_zsclip.ZegFormerEnsemble', seen_offset=offset))
        given(model, class_scores=True)
        for one in model.predict(img, [sample(), sample()]):
            assert torch.equal(one.pred_sem_seg.data[0], one.seg_logits.data.argmax(dim=0))
        maps.append((one.seg_logits.data, model(img, mode='tensor')))
    for without, lowered in zip(*maps, strict=True):
        difference = (without - lowered).movedim(-3, -1)
        expected = torch.tensor([0.25, 0.25, 0.25, 0, 0.25]).expand_as(difference)
        torch.testing.assert_close(difference, expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_the_ensemble_reads_the_unseen_classes_of_the_vocabulary(build):
    model, img = (
        build(fusion=dict(type='mmseg_zsclip.Ensemble', seen=0.3, unseen=0.7)),
        torch.randn(2, 3, 64, 80),
    )
    given(model, class_scores=True)
    before = model.predict(img, [sample(), sample()])[0].seg_logits.data
    model.set_classes(NAMES, unseen=['sky', 'car'])
    after = model.predict(img, [sample(), sample()])[0].seg_logits.data
    assert not torch.allclose(before[0], after[0])
    assert torch.equal(before[1:], after[1:])


@torch.no_grad()
def test_true_masks_with_their_true_iou_give_the_truth(build):
    model = build(fusion=dict(type='mmseg_zsclip.UpperBound'))
    for flip in ({}, dict(flip=True, flip_direction='horizontal')):
        one = sample(**flip)
        truth = one.gt_sem_seg.data
        (out,) = model.predict(torch.randn(1, 3, 64, 80), [one])
        assert (out.pred_sem_seg.data == truth).float().mean() > 0.9  # borders are resized


@torch.no_grad()
@pytest.mark.parametrize(('empty', 'label'), [(None, 255), ('tree', 2)])
def test_an_image_without_proposals_is_ignored_or_of_a_class(build, empty, label):
    model = build(empty_class=empty)
    model.generator = Given()
    model.generator.proposals = [Proposals.of_masks(torch.zeros(0, 64, 80))]
    for keep in (True, False):
        model.test_cfg.keep_scores = keep
        (out,) = model.predict(torch.randn(1, 3, 64, 80), [sample()])
        assert (out.pred_sem_seg.data == label).all()
    for classifier in CLASSIFIERS:
        view = build(classifier)
        view.generator = model.generator
        view.predict(torch.randn(1, 3, 64, 80), [sample()])


SEVERAL = ['sky, heaven', 'road', 'tree, grass, sand', 'car', 'dog']


@torch.no_grad()
def test_of_several_synonyms_the_best_one_counts_before_the_softmax(build):
    model = build(classes=SEVERAL, text=dict(**TOY, synonyms='max'))
    alone = build(classes=', '.join(SEVERAL).split(', '))
    x = torch.randn(6, 192)
    each = alone.logits(x, alone.vocabulary())
    expected = torch.stack([part.amax(dim=1) for part in each.split([2, 1, 3, 1, 1], dim=1)], dim=1)
    torch.testing.assert_close(model.logits(x, model.vocabulary()), expected)
    torch.testing.assert_close(model.class_scores(x), expected.softmax(dim=1))
    view = model.with_classes(['dog', 'tree, sand'])
    chosen = alone.logits(x, alone.vocabulary())[:, [7, 3, 5]]
    expected = torch.stack([chosen[:, 0], chosen[:, 1:].amax(dim=1)], dim=1)
    torch.testing.assert_close(view.logits(x, view.vocabulary()), expected)


@pytest.mark.parametrize('interaction', [None, dict(dim=16, text_dim=192, inner=8, heads=2)])
def test_a_generator_by_text_takes_the_best_synonym_too(build, interaction):
    text = dict(dim=16, text_dim=192, hidden=())
    model = build(
        generator=dict(text=text, interaction=interaction),
        classes=SEVERAL,
        text=dict(**TOY, synonyms='max'),
    )
    img = torch.randn(1, 3, 64, 80)
    with torch.no_grad():
        (out,) = model.predict(img, [sample()])
    assert out.seg_logits.data.shape == (5, 28, 36)
    classifier = model.generator.head.cls_embed
    assert len(classifier.names()) == 8 + 1
    x = torch.randn(2, 16)
    model.generator.meet(model.vocabulary()[:, :1])
    first = classifier(x)
    model.generator.meet(model.vocabulary())
    assert (classifier(x) >= first - 1e-5).all()
    one = sample(ori_shape=(64, 80))
    one.gt_sem_seg = PixelData(data=torch.ones(1, 64, 80, dtype=torch.int64))
    losses = model.train().loss(img, [one])
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    assert classifier.no_object.grad.isfinite().all()


@torch.no_grad()
def test_the_vocabulary_is_an_argument_and_nothing_stays_behind(build):
    model = build(generator=dict(text=dict(dim=16, text_dim=192, hidden=())))
    img = torch.randn(1, 3, 64, 80)
    before = model.predict(img, [sample()])[0].seg_logits.data
    view = model.with_classes(['zebra', 'road'])
    assert view.predict(img, [sample()])[0].seg_logits.data.shape == (2, 28, 36)
    assert view.dataset_meta['classes'] == ('zebra', 'road')
    assert [id(p) for p in view.parameters()] == [id(p) for p in model.parameters()]
    assert model.generator.head.num_classes == 5
    assert torch.equal(model.predict(img, [sample()])[0].seg_logits.data, before)


@torch.no_grad()
def test_a_generator_sees_images_with_its_own_statistics(build):
    model = build()
    given(model)
    model.generator.statistics = [[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]]
    pixels = torch.rand(2, 3, 64, 80) * 255
    ours = model.data_preprocessor
    model.predict((pixels - ours.mean) / ours.std, [sample(), sample()])
    expected = (pixels - torch.tensor([1.0, 2, 3])[:, None, None]) / 2
    expected[:, :, 56:], expected[..., 72:] = 0, 0
    torch.testing.assert_close(model.generator.saw, expected, atol=1e-3, rtol=1e-4)


def test_stage_1_trains_the_generator_alone_on_seen_classes(build):
    model = build(generator=dict(text=dict(dim=16, text_dim=192, hidden=()))).train()
    one = sample(ori_shape=(64, 80))
    labels = torch.full((1, 64, 80), 255)
    labels[:, :30], labels[:, 40:] = 1, 4
    one.gt_sem_seg = PixelData(data=labels)
    masks, classes = model.targets([one])[0]
    assert classes.tolist() == [1, 3]  # 'dog' is the fourth of the seen
    assert masks.sum() == 54 * 80
    one.set_metainfo(
        dict(instance_map=np.kron([[0, 1], [0, 2]], np.ones((32, 36), int)))
    )  # unpadded
    masks, classes = model.targets([one])[0]
    assert classes.tolist() == [1, 1, 3, 3]
    assert masks.flatten(1).sum(dim=1).tolist() == [30 * 44, 30 * 36, 24 * 44, 24 * 36]
    losses = model.loss(torch.randn(1, 3, 64, 80), [one])
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    assert {name.split('.')[0] for name, p in model.named_parameters() if p.requires_grad} == {
        'generator'
    }
    labels[:, :30] = 3
    with pytest.raises(ValueError, match=r"ground-truth leak: labels of \['car'\]"):
        model.loss(torch.randn(1, 3, 64, 80), [one])


def test_clip_stays_in_evaluation_mode(build):
    model = build().train()
    assert model.training
    assert not model.classifier.training


def test_a_generator_without_loss_is_named(build):
    with pytest.raises(TypeError, match='TrueProposals has nothing to train'):
        build().loss(torch.randn(1, 3, 64, 80), [sample()])


def test_arguments_that_mmsegs_tools_give_every_model_are_taken_and_others_named(build):
    build(train_cfg=None, pretrained=None)
    with pytest.raises(TypeError, match='TwoStageSegmentor knows no pretrained, decode_head'):
        build(pretrained='somewhere', decode_head=None)


def test_wrong_settings_are_named(build):
    with pytest.raises(ValueError, match="empty_class is 'sea', which is none of the 5 classes"):
        build(empty_class='sea')
    with pytest.raises(ValueError, match='empty_class is 3, which is none of the 5 classes'):
        build(empty_class=3)
    for scale in (0, -1, float('nan'), float('inf'), '28'):
        with pytest.raises(ValueError, match=f'scale is {scale!r}; it must be a positive number'):
            build(scale=scale)
    with pytest.raises(ValueError, match="'sky' is the only class"):
        build(classes=['sky'], unseen=None)
    with pytest.raises(ValueError, match='trained on images of other statistics'):
        build(statistics=dict(mean=[0, 0, 0], std=[255, 255, 255]))


@torch.no_grad()
def test_a_classifier_of_another_clip_than_the_text_is_named(build):
    model = build(classifier='ip_clip', text=dict(arch='ViT-B-32'))
    given(model)
    with pytest.raises(ValueError, match='features have 192 channels, text embeddings 512'):
        model.predict(torch.randn(2, 3, 64, 80), [sample(), sample()])
    model = build(generator=dict(text=dict(dim=16, text_dim=12)))
    with pytest.raises(ValueError, match='features have 12 channels, text embeddings 192'):
        model.predict(torch.randn(2, 3, 64, 80), [sample(), sample()])


@torch.no_grad()
def test_an_image_with_nan_is_named(build):
    model = build()
    given(model)
    img = torch.randn(2, 3, 64, 80)
    img[1, 0, 5, 5] = torch.nan
    with pytest.raises(ValueError, match='b.png: the image that the model gets holds NaN'):
        model.predict(img, [sample(), sample(img_path='b.png')])


@torch.no_grad()
@pytest.mark.parametrize('part', ['masks', 'object_scores', 'class_scores'])
def test_a_generator_that_makes_nan_is_named_and_not_its_image(build, part):
    model = build()
    broken = vars(given(model, class_scores=True)[1])
    broken[part] = broken[part] * torch.nan
    model.generator.proposals[1] = Proposals(**broken)
    with pytest.raises(ValueError, match='b.png: the image is finite, but the model makes NaN'):
        model.predict(torch.randn(2, 3, 64, 80), [sample(), sample(img_path='b.png')])


@torch.no_grad()
def test_masks_of_another_size_than_the_image_are_named(build):
    model = build()
    given(model, size=(32, 40))
    with pytest.raises(ValueError, match='masks of image 0 are 32 x 40 pixels, .* 64 x 80'):
        model.predict(torch.randn(2, 3, 64, 80), [sample(), sample()])


def test_it_is_an_mmseg_segmentor_in_every_mode(build):
    model = build()
    given(model)
    img = torch.randn(2, 3, 64, 80)
    with torch.no_grad():
        assert model(img, mode='tensor').shape == (2, 5, 64, 80)
        assert len(model(img, [sample(), sample()], mode='predict')) == 2
        assert [len(one) for one in model.extract_feat(img)] == [4, 1]
    assert isinstance(model, TwoStageSegmentor)


@torch.no_grad()
def test_three_tasks_come_from_one_call(build):
    every = ['semantic', 'instance', 'panoptic']
    model, img = build(things=['car', 'dog'], test_cfg=dict(tasks=every)), torch.randn(2, 3, 64, 80)
    given(model)
    first, second = model.predict(img, [sample(), sample()])
    assert first.pred_sem_seg.data.shape == first.pred_panoptic_seg.sem_seg.shape == (1, 28, 36)
    assert len(first.pred_instances) == 4 * 2
    assert len(second.pred_instances) == 2
    assert set(first.pred_instances.labels.tolist()) == {3, 4}
    model.test_cfg.tasks = ['instance']
    assert 'pred_sem_seg' not in model.predict(img, [sample(), sample()])[0]


def test_things_follow_the_vocabulary(build):
    model = build(things=['car', 'dog'])
    assert model.things == [3, 4]
    view = model.with_classes(['dog, puppy', 'sea'])
    assert view.things == [0]
    assert model.with_classes(['sea', 'zebra'], things=['zebra']).things == [1]
    assert model.things == [3, 4]
    with pytest.raises(ValueError, match="'fish' of the things is none of the 2 classes"):
        view.set_classes(['sea', 'zebra'], things=['fish'])
    assert view.vocabulary.names == ['dog', 'sea']
    assert build().things == list(range(5))
