"""Self-training of two stages: who labels, what the losses are given, and which stage trains."""

import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmseg_zsclip.models.given_proposals import TrueProposals
from mmseg_zsclip.models.proposals import Proposals
from mmseg_zsclip.registry import MODELS
from mmseg_zsclip.vocabulary.labels import UNLABELLED

NAMES = ['sky', 'grass', 'sea', 'car', 'sand']
UNSEEN = [2, 4]
TOY = dict(arch='ViT-T-8', weights='toy')
SIZE = 64, 80  # of which the last 8 rows and columns are padding


class Given(TrueProposals):
    """The same proposals each time, which leave a corner out, with scores of classes."""

    needs_labels = False

    def forward(self, img, metas, text, labels=None):
        rng = torch.Generator().manual_seed(0)
        masks = torch.rand(len(img), 5, *SIZE, generator=rng)
        masks[..., :8, :8] = 0
        scores = torch.rand(len(img), 5, len(text), generator=rng)
        return [
            Proposals(one, torch.ones(5), row) for one, row in zip(masks**4, scores, strict=True)
        ]


@pytest.fixture
def build(tiny_generator):
    init_default_scope('mmseg')

    def make(generator=None, **changes):
        torch.manual_seed(0)
        model = MODELS.build(
            {
                **dict(
                    type='mmseg_zsclip.SelfTrainedMAFT',
                    data_preprocessor=dict(type='mmseg_zsclip.CLIPDataPreProcessor'),
                    generator=generator or tiny_generator(),
                    classifier=dict(type='mmseg_zsclip.IPCLIPViT', clip_size=48, **TOY),
                    classes=NAMES,
                    unseen=[NAMES[i] for i in UNSEEN],
                    text=TOY,
                    scale=28.0,
                ),
                **changes,
            }
        )
        model.init_weights()
        return model.train()

    return make


@pytest.fixture
def batch():
    """Two images whose labels are seen, ignored, and of nobody; one of them is flipped."""
    torch.manual_seed(1)
    values = torch.tensor([0, 1, 3, 255, UNLABELLED, UNLABELLED])
    labels = values[torch.randint(0, 6, (2, 1, 8, 10))]
    labels = labels.repeat_interleave(8, 2).repeat_interleave(8, 3)
    labels[..., 56:, :], labels[..., 72:], labels[..., :16, :16] = 255, 255, UNLABELLED
    meta = dict(img_shape=(56, 72), ori_shape=(28, 36), padding_size=(0, 8, 0, 8))
    flips = ({}, dict(flip=True, flip_direction='horizontal'))
    return torch.randn(2, 3, *SIZE), [
        SegDataSample(metainfo={**meta, **flip}, gt_sem_seg=PixelData(data=one))
        for flip, one in zip(flips, labels, strict=True)
    ]


def given_labels(samples):
    return torch.stack([sample.gt_sem_seg.data[0] for sample in samples])


@torch.no_grad()
def test_unlabelled_pixels_get_the_best_unseen_class_of_the_final_map(build, batch):
    """Against ZSSeg's recipe, pixel by pixel: softmax, seen classes to 0, argmax."""
    fusion = dict(type='mmseg_zsclip.Ensemble', seen=0.2, unseen=0.2)
    model = build(dict(type=Given), retrain=['classifier'], fusion=fusion)
    img, samples = batch
    given = given_labels(samples)
    made = model.completed(given, img, samples)
    proposals, kept = model.propose(img, samples)
    rows = model.classifier(img, [one.masks for one in proposals], kept)
    for i in range(2):
        scores = model.class_scores(rows[i]) ** 0.2 * proposals[i].class_scores ** 0.8
        for y in range(0, SIZE[0], 3):
            for x in range(0, SIZE[1], 3):
                covers = proposals[i].masks[:, y, x]
                expected = given[i, y, x]
                if expected == UNLABELLED:
                    final = sum(scores[p] * covers[p] for p in range(5)).softmax(dim=0)
                    final[model.seen] = 0
                    expected = final.argmax() if covers.any() else 255
                assert made[i, y, x] == expected
    changed = made[given == UNLABELLED].unique().tolist()
    assert changed == [*UNSEEN, 255]


def relabelled(samples, labels):
    return [
        SegDataSample(metainfo=sample.metainfo, gt_sem_seg=PixelData(data=one[None]))
        for sample, one in zip(samples, labels, strict=True)
    ]


def test_losses_are_mafts_with_the_labels_of_the_phase(build, batch):
    """Of all classes where the model labels, of the seen ones where nobody does."""
    model, (img, samples) = build(dict(type=Given), retrain=['classifier']), batch
    given = given_labels(samples)
    labels = dict(self=model.completed(given, img, samples), supervised=given)
    for phase, unseen in (('self', None), ('supervised', [NAMES[i] for i in UNSEEN])):
        config = dict(type='mmseg_zsclip.MAFT', unseen=unseen)
        expected = build(dict(type=Given), **config).loss(img, relabelled(samples, labels[phase]))
        model.phase = phase
        losses = model.loss(img, samples)
        made = losses.pop('labelled_by_self')
        assert made == (labels[phase] != given).float().mean()
        assert (made > 0) == (phase == 'self')
        assert losses.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(losses[name], value)
    assert torch.equal(given_labels(samples), given)


@pytest.mark.parametrize('retrain', [['generator'], ['classifier'], ['generator', 'classifier']])
@pytest.mark.parametrize('text', [None, dict(dim=16, text_dim=192, hidden=())])
def test_the_stages_asked_for_train_and_no_other(build, batch, tiny_generator, retrain, text):
    model, (img, samples) = build(tiny_generator(text=text), retrain=retrain), batch
    losses = model.loss(img, samples)
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    assert losses['labelled_by_self'] > 0.1
    reached = {
        name.split('.')[0]
        for name, p in model.named_parameters()
        if p.grad is not None and p.grad.any()
    }
    assert reached == set(retrain)
    assert {n.split('.')[0] for n, p in model.named_parameters() if p.requires_grad} == set(retrain)
    assert model.generator.training == ('generator' in retrain)
    assert not model.classifier.training


def test_labels_of_unseen_classes_are_a_leak_in_every_phase(build, batch):
    model, (img, samples) = build(dict(type=Given), retrain=['classifier']), batch
    samples[0].gt_sem_seg.data[0, 20, 20] = 4
    for phase in ('self', 'supervised'):
        model.phase = phase
        with pytest.raises(ValueError, match=r"leak: labels of \['sand'\] .* mode='transductive'"):
            model.loss(img, samples)


def test_what_it_cannot_do_is_named(build):
    for retrain in ([], 'generator', ['text']):
        with pytest.raises(ValueError, match='retrain is .*; legal: a list of generator, class'):
            build(dict(type=Given), retrain=retrain)
    with pytest.raises(TypeError, match=r"Given has nothing to train. .* retrain=\['classifier'\]"):
        build(dict(type=Given))
    with pytest.raises(ValueError, match="phase is 'guided'; legal values: supervised, self"):
        build().phase = 'guided'
