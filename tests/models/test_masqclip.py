"""MasQCLIP: mask class tokens, what of them trains, and CLIP's tokens, which never change."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmseg_zsclip.models.given_proposals import FileProposals, TrueProposals
from mmseg_zsclip.models.masqclip import TUNED, MasQCLIPViT
from mmseg_zsclip.models.proposals import Proposals
from mmseg_zsclip.registry import MODELS

NAMES = ['sky', 'grass', 'sea', 'car', 'sand']
TOY = dict(arch='ViT-T-8', weights='toy')
SIZE = 48, 64


class Overlapping(TrueProposals):
    """The truth, and masks that hold other things, the same each time."""

    def forward(self, *args):
        return [
            Proposals.of_masks(torch.cat([one.masks, one.masks.flip(1)]))
            for one in super().forward(*args)
        ]


def tower(**changes):
    torch.manual_seed(0)
    out = MasQCLIPViT(**{**TOY, **changes})
    out.init_weights()
    return out.eval()


@pytest.fixture
def build():
    init_default_scope('mmseg')

    def make(classifier=(), **changes):
        torch.manual_seed(0)
        model = MODELS.build(
            {
                **dict(
                    type='mmseg_zsclip.MasQCLIP',
                    generator=dict(type=Overlapping),
                    classifier=dict(type='mmseg_zsclip.MasQCLIPViT', **TOY, **dict(classifier)),
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


@pytest.fixture
def batch():
    torch.manual_seed(1)
    labels = torch.randint(0, 2, (2, 1, 3, 4)).repeat_interleave(16, 2).repeat_interleave(16, 3)
    labels[labels == 1] = 3
    meta = dict(img_shape=SIZE, ori_shape=SIZE, padding_size=(0, 0, 0, 0))
    return torch.randn(2, 3, *SIZE), [
        SegDataSample(metainfo=meta, gt_sem_seg=PixelData(data=one)) for one in labels
    ]


def trained(**changes):
    with torch.device('meta'):
        module = MasQCLIPViT(**changes)
    return sum(one.numel() for one in module.parameters() if one.requires_grad)


def test_as_many_parameters_train_as_in_the_paper():
    assert trained() == 25_190_400
    assert trained(arch='ViT-B-16') == 7_087_104
    assert trained(train_position=True) == 25_190_400 + 1024


@pytest.mark.parametrize(
    ('tune', 'millions'),
    [('freeze', 0), ('v', 25), ('k', 25), ('qk', 50), ('qkv', 76), ('clip', 303)],
)
def test_the_rows_of_table_5_train_what_they_say(tune, millions):
    assert round(trained(tune=tune) / 1e6) == millions


@torch.no_grad()
def test_clips_own_tokens_are_those_of_plain_clip_bit_for_bit():
    encoder, img = tower(q_init='random'), torch.randn(2, 3, 128, 128)
    x = encoder.visual.embed(encoder.resized(img, None))[0]
    plain = x
    for block, (seen, k, v) in zip(encoder.visual.blocks, encoder.clip_steps(x), strict=True):
        assert torch.equal(seen, plain)
        expected = block.attn.qkv(block.ln_1(plain))[1:]
        assert all(torch.equal(a, b) for a, b in zip((k, v), expected, strict=True))
        plain = block(plain)


@torch.no_grad()
@pytest.mark.parametrize('tune', TUNED)
def test_every_row_begins_as_frozen_clip(tune):
    img, masks = torch.randn(1, 3, 64, 80), [torch.rand(3, 64, 80)]
    frozen = tower(tune='freeze')(img, masks)[0]
    torch.testing.assert_close(tower(tune=tune)(img, masks)[0], frozen, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_queries_may_begin_at_random():
    img, masks = torch.randn(1, 3, 64, 80), [torch.rand(3, 64, 80)]
    assert not torch.allclose(
        tower(q_init='random')(img, masks)[0], tower()(img, masks)[0], atol=0.1
    )


@torch.no_grad()
def test_a_token_that_sees_every_patch_is_clips_own():
    """Its queries are CLIP's, so that it attends as the class token does."""
    encoder, img = tower(), torch.randn(1, 3, 128, 128)
    ours = encoder(img, [torch.ones(1, 128, 128)])[0]
    torch.testing.assert_close(
        ours, encoder.visual(encoder.resized(img, None)), atol=1e-4, rtol=1e-4
    )


@torch.no_grad()
def test_proposals_do_not_see_each_other_nor_the_batchs_filling():
    encoder, img = tower(), torch.randn(2, 3, 64, 80)
    masks = [torch.rand(5, 64, 80), torch.rand(2, 64, 80)]
    rows = encoder(img, masks)
    assert [len(one) for one in rows] == [5, 2]
    torch.testing.assert_close(encoder(img[:1], [masks[0].flip(0)])[0], rows[0].flip(0))
    torch.testing.assert_close(encoder(img[1:], [masks[1][1:]])[0], rows[1][1:])
    assert [len(one) for one in encoder(img, [masks[0][:0]] * 2)] == [0, 0]


@torch.no_grad()
def test_a_mask_that_touches_no_patch_sees_the_class_token_alone():
    encoder, img = tower(), torch.randn(1, 3, 64, 80)
    row = encoder(img, [torch.zeros(1, 64, 80)])[0]
    assert row.isfinite().all()
    x = encoder.visual.embed(encoder.resized(img, None))[0]
    tokens = x[:, :1]
    for block in encoder.visual.blocks:
        tokens, x = block.cross(tokens, [x[:, :1]]), block(x)
    torch.testing.assert_close(row, encoder.visual.project(tokens)[0])


@torch.no_grad()
def test_padding_is_black_as_released_or_of_the_mean_colour():
    img, masks, kept = torch.randn(1, 3, 64, 80), [torch.ones(1, 64, 80)], [(slice(64), slice(60))]
    img[..., 60:] = 0
    rows = [tower(black_padding=black)(img, masks, kept)[0] for black in (False, True)]
    assert not torch.allclose(*rows, atol=1e-2)
    black = tower(black_padding=True)
    img[..., 60:] = black.black[:, None, None]
    torch.testing.assert_close(tower()(img, masks, kept)[0], rows[1])


@pytest.mark.parametrize('tune', TUNED)
def test_gradients_reach_what_trains_and_nothing_else(tune):
    encoder = tower(tune=tune, train_position=True)
    encoder(torch.randn(1, 3, 64, 80), [torch.rand(3, 64, 80)])[0].square().sum().backward()
    reached = {name for name, one in encoder.named_parameters() if one.grad is not None}
    assert reached == set(encoder.choose_trained())
    assert not any(name.startswith('visual') for name in reached)


def test_wrong_settings_of_the_tower_are_named():
    with pytest.raises(ValueError, match="tune is 'mlp'; legal values: freeze, q, k, v, qk, qkv"):
        MasQCLIPViT('ViT-T-8', tune='mlp')
    with pytest.raises(ValueError, match="q_init is 'zero'; legal values: clip, random"):
        MasQCLIPViT('ViT-T-8', q_init='zero')
    with pytest.raises(ValueError, match="'RN50' is a ResNet"):
        MasQCLIPViT('RN50')


@torch.no_grad()
def test_the_background_takes_part_in_the_softmax_and_gets_no_score(build):
    model = build().eval()
    rows = torch.randn(4, 192)
    text = torch.cat([model.vocabulary(), model.background()])
    expected = (28 * F.normalize(rows, dim=1) @ text.T).softmax(dim=1)[:, :5]
    torch.testing.assert_close(model.class_scores(rows), expected)
    view = model.with_classes(['car', 'boat'])
    assert view.class_scores(rows).shape == (4, 2)
    assert (view.class_scores(rows).sum(dim=1) < 1).all()


def test_a_few_steps_fit_the_labels_and_move_the_queries_alone(build, batch):
    model, (img, samples) = build(), batch
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 1e-3)
    first = model.loss(img, samples)['loss_mask_class']
    for _ in range(6):
        optimizer.zero_grad()
        loss = model.loss(img, samples)['loss_mask_class']
        loss.backward()
        optimizer.step()
    assert loss < 0.8 * first
    moved = {
        name for name, value in model.state_dict().items() if not torch.equal(value, before[name])
    }
    assert moved == {f'classifier.{name}' for name in model.trained}
    assert all(name.startswith('classifier.own.q') for name in moved)


def test_a_batch_without_proposals_moves_nothing_and_holds_nobody_up(build, batch):
    """Every process of a distributed training has a gradient for every tensor."""
    model, (img, samples) = build(), batch
    for sample in samples:
        sample.gt_sem_seg.data[:] = 255
    loss = model.loss(img, samples)['loss_mask_class']
    loss.backward()
    assert loss == 0
    grads = [dict(model.classifier.named_parameters())[name].grad for name in model.trained]
    assert not any(one.any() for one in grads)


def test_labels_are_of_seen_classes_and_the_background(build, batch):
    model, (img, samples) = build(), batch
    proposals, kept = model.propose(img, samples, of_photos=False)
    masks = [one.masks for one in proposals]
    text = torch.cat([model.vocabulary()[[0, 1, 3]], model.background()])
    logits = [model.logits(one, text) for one in model.classifier(img, masks, kept)]
    maps, classes = zip(*model.targets(samples), strict=True)
    assert set(torch.cat(classes).tolist()) == {0, 2}  # 'car' is the third of the seen
    torch.testing.assert_close(
        model.loss(img, samples)['loss_mask_class'], model.mask_loss(logits, masks, maps, classes)
    )
    samples[0].gt_sem_seg.data[0, :16] = 2
    with pytest.raises(ValueError, match=r"ground-truth leak: labels of \['sea'\]"):
        model.loss(img, samples)


def test_a_class_called_background_is_named(build):
    with pytest.raises(ValueError, match="'background' is a class, and the word for what is none"):
        build(classes=[*NAMES, 'Background'])
    model = build()
    with pytest.raises(ValueError, match='Take it out of the classes'):
        model.set_classes(['car', 'sea, background'])
    assert model.vocabulary.names == NAMES
    build(classes=[*NAMES, 'background'], background='nothing')
    with pytest.raises(ValueError, match='empty'):
        build(background='')


def test_what_it_cannot_train_is_named(build, tmp_path):
    with pytest.raises(TypeError, match='which MasQCLIP does not train; legal: MasQCLIPViT'):
        MODELS.build(
            dict(
                type='mmseg_zsclip.MasQCLIP',
                generator=dict(type=TrueProposals),
                classifier=dict(type='mmseg_zsclip.SubImageCLIP', **TOY),
                classes=NAMES,
                text=TOY,
            )
        )
    with pytest.raises(ValueError, match='FileProposals has the masks of whole photos'):
        build(generator=dict(type=FileProposals, path=tmp_path))
