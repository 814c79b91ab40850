"""MTA-CLIP's head: Mask2Former where it has no text, and what the text adds to it."""

from copy import deepcopy

import pytest
import torch
from mmcv.cnn.bricks.transformer import MultiheadAttention
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmseg_zsclip.models.mta_clip import attend
from mmseg_zsclip.registry import MODELS

NAMES = ['sky', 'road', 'tree', 'car', 'dog']
TEXT = dict(arch='ViT-T-8', weights='toy', contexts=2, length=4)
LOSS = dict(type='mmseg_zsclip.MaskTextLoss')
WHOLE = dict(text=TEXT, loss_sim=LOSS)


@pytest.fixture
def head_config(tiny_generator):
    """Makes the config of a small head, with keys of it."""

    def make(names=NAMES, **changes):
        config = deepcopy(tiny_generator()['head'])
        for key in ('num_things_classes', 'num_stuff_classes'):
            del config[key]
        del config['loss_cls']['class_weight']
        return ConfigDict(config, type='mmseg_zsclip.MTACLIPHead', classes=names, **changes)

    return make


@pytest.fixture
def model(tiny_generator, head_config):
    """Makes a segmentor of mmseg with that head, random and the same each time."""
    init_default_scope('mmseg')

    def make(names=NAMES, read=True, **changes):
        torch.manual_seed(0)
        built = MODELS.build(
            ConfigDict(
                type='EncoderDecoder',
                data_preprocessor=dict(type='mmseg_zsclip.CLIPDataPreProcessor'),
                backbone=tiny_generator()['backbone'],
                decode_head=head_config(names, **changes),
                test_cfg=dict(mode='whole'),
            )
        )
        if read:
            built.init_weights()
        return built

    return make


def samples(*maps):
    """Of label maps (H, W), or of 64 x 64 pixels that all have one label."""
    shape = (64, 64)
    return [
        SegDataSample(
            gt_sem_seg=PixelData(
                data=one[None] if isinstance(one, torch.Tensor) else torch.full((1, *shape), one)
            ),
            metainfo=dict(img_shape=shape, ori_shape=shape, pad_shape=shape),
        )
        for one in maps
    ]


def halves(one, other):
    labels = torch.full((64, 64), one)
    labels[:, 32:] = other
    return labels


def losses_of(model, *maps, seed=1):
    """Losses of random photos; the points of masks that mmdet samples are the same each time."""
    torch.manual_seed(seed)
    img = torch.randn(len(maps), 3, 64, 64)
    losses = model.loss(img, samples(*maps))
    return {key.removeprefix('decode.'): value for key, value in losses.items()}


def test_without_text_it_is_mmsegs_head(model, head_config):
    """Same weights: the same outputs and losses, bit by bit."""
    ours = model()
    theirs = deepcopy(ours)
    config = dict(head_config(), type='Mask2FormerHead', num_classes=len(NAMES))
    del config['classes']
    config['loss_cls'] = ConfigDict(config['loss_cls'], class_weight=[1.0] * len(NAMES) + [0.1])
    theirs.decode_head = MODELS.build(ConfigDict(config))
    theirs.decode_head.load_state_dict(ours.decode_head.state_dict())
    for mode in (True, False):
        ours.train(mode)
        theirs.train(mode)
        maps = halves(0, 1), halves(2, 255)
        mine, other = losses_of(ours, *maps), losses_of(theirs, *maps)
        assert mine.keys() == other.keys()
        assert all(torch.equal(mine[key], other[key]) for key in mine)
    img = torch.randn(2, 3, 64, 96)
    others = theirs.decode_head(theirs.extract_feat(img), None)
    for mine, other in zip(ours(img), others, strict=True):
        assert all(torch.equal(*pair) for pair in zip(mine, other, strict=True))


def test_separate_attention_leaves_masks_to_themselves(model):
    img = torch.randn(1, 3, 64, 64)
    plain = model().eval()
    expected = plain(img)
    for attention, same in (('separate', True), ('joint', False)):
        with_text = model(**WHOLE, queries=dict(attention=attention)).eval()
        missing = with_text.load_state_dict(plain.state_dict(), strict=False).missing_keys
        assert all('text_queries' in key or 'alignment' in key for key in missing)
        masks = with_text(img)[1][-1]
        assert torch.allclose(masks, expected[1][-1], atol=1e-5) is same


def test_text_queries_change_with_the_image_and_masks_with_the_text(model):
    one = model(**WHOLE).train()
    head, text = one.decode_head, one.decode_head.text_queries.prompts()
    aligned = [
        head.decode(one.extract_feat(torch.randn(1, 3, 64, 64)), align=True)[2][2] for _ in range(2)
    ]
    assert aligned[0][1].shape == (1, *text.shape) == (1, 5, 2, 192)
    assert not torch.allclose(aligned[0][1], aligned[1][1])


@pytest.mark.parametrize('free', [0, 3])
def test_attention_is_mmcvs_with_nothing_hidden_from_the_first_queries(free):
    attention = MultiheadAttention(16, 2, batch_first=True).eval()
    (query, x), (key, value) = torch.randn(2, 2, 5, 16), torch.randn(2, 2, 7, 16)
    hidden = torch.rand(2, 5 - free, 7).repeat_interleave(2, 0) > 0.5
    hidden[..., 0] = False
    all_rows = torch.cat([hidden.new_zeros(4, free, 7), hidden], dim=1)
    expected = attention(query, key, value, identity=x, attn_mask=all_rows)
    torch.testing.assert_close(attend(attention, query, key, value, hidden, x), expected)


def test_aligned_queries_are_those_of_equation_5(model):
    one = model(**WHOLE).train()
    head, met = one.decode_head, []
    for layer in head.transformer_decoder.layers:
        layer.norms[2].register_forward_hook(lambda *args: met.append(args[2]))
    aligned = head.decode(one.extract_feat(torch.randn(2, 3, 64, 64)), align=True).aligned
    assert list(aligned) == [1, 2]
    t0 = head.text_queries.prompts()
    for query, (masks, text) in zip(met, aligned.values(), strict=True):
        query = head.transformer_decoder.post_norm(query)
        torch.testing.assert_close(masks, head.alignment.masks[0](query[:, 10:]))
        moved = head.alignment.text[0](query[:, :10])
        torch.testing.assert_close(text[1, 3, 1], moved[1, 7] + t0[3, 1])


def test_every_layer_has_the_loss_of_its_own_matches(model):
    one = model(**WHOLE)
    losses = losses_of(one, halves(0, 1), halves(2, 255))
    assert [key for key in losses if 'sim' in key] == ['d1.loss_sim', 'loss_sim']
    labels = one.decode_head.matched
    assert len(labels) == 3
    for step, wanted in ((0, [0, 1, 5, 5, 5, 5]), (2, [0, 1, 5, 5, 5, 5])):
        assert sorted(labels[step][0].tolist()) == wanted  # 5 is no object
    assert sorted(labels[2][1].tolist()) == [2, 5, 5, 5, 5, 5]
    torch.manual_seed(1)
    aligned = one.decode_head.decode(
        one.extract_feat(torch.randn(2, 3, 64, 64)), align=True
    ).aligned
    again = one.decode_head.loss_sim(*aligned[2], labels[2].masked_fill(labels[2] == 5, -1))
    torch.testing.assert_close(again, losses['loss_sim'])


@pytest.mark.parametrize(
    ('options', 'keys', 'count'),
    [
        ({}, ['d1.loss_sim', 'loss_sim'], 1),
        (dict(initial=True), ['d0.loss_sim', 'd1.loss_sim', 'loss_sim'], 1),
        (dict(per_layer=True), ['d1.loss_sim', 'loss_sim'], 2),
        (
            dict(per_layer=True, initial=True, depth=3),
            ['d0.loss_sim', 'd1.loss_sim', 'loss_sim'],
            3,
        ),
    ],
)
def test_layers_that_align(model, options, keys, count):
    one = model(**WHOLE, alignment=options)
    losses = losses_of(one, halves(0, 1))
    assert [key for key in losses if 'sim' in key] == keys
    sum(losses.values()).backward()
    parts = one.decode_head.alignment
    assert len(parts.text) == len(parts.masks) == count
    assert all(p.grad is not None for p in parts.parameters())


@pytest.mark.parametrize(
    ('queries', 'loss_sim', 'text'),
    [
        ({}, LOSS, {}),
        (dict(attention='separate', position='learned', depth=3), LOSS, {}),
        (dict(mask='predicted'), None, {}),
        ({}, dict(LOSS, learned_tau=True, normaliser='matched'), dict(contexts=None)),
    ],
)
def test_everything_that_trains_gets_a_gradient_and_the_text_tower_none(
    model, queries, loss_sim, text
):
    one = model(text={**TEXT, **text}, queries=queries, loss_sim=loss_sim)
    tower = one.decode_head.text_queries.prompts.teacher
    sum(losses_of(one, halves(0, 1), 3).values()).backward()
    without = [n for n, p in one.named_parameters() if p.grad is None]
    assert without == []
    if text.get('contexts', 2):
        assert one.decode_head.text_queries.prompts.contexts.grad.abs().sum() > 0
    assert all(p.grad is None and not p.requires_grad for p in tower.parameters())
    assert not {id(p) for p in tower.parameters()} & {id(p) for p in one.parameters()}


def test_the_contexts_learn_from_masks_alone_too(model):
    """Text-Enhanced without L_sim: by what mask queries see of text queries."""
    one = model(text=TEXT)
    losses_of(one, halves(0, 1))['loss_dice'].backward()
    assert one.decode_head.text_queries.prompts.contexts.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ('names', 'maps'),
    [
        (NAMES, (255, halves(0, 1))),
        (NAMES, (255, 255)),
        (['sky'], (halves(0, 255),)),
        ([f'dog {i}' for i in range(9)], (torch.arange(64).expand(64, 64) // 8,)),
        (NAMES, (halves(0, 1), halves(1, 2))),
    ],
    ids=['one empty', 'all empty', 'one class', 'more classes than queries', 'absent classes'],
)
def test_losses_are_finite(model, names, maps):
    one = model(names, **WHOLE)
    losses = losses_of(one, *maps)
    assert all(value.isfinite() for value in losses.values())
    sum(losses.values()).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in one.parameters())
    empty = all(isinstance(one, int) for one in maps)
    assert (losses['loss_sim'] == 0) == empty


def test_a_checkpoint_predicts_without_a_text_tower(model):
    """What the contexts were trained to is saved, and not what they began with."""
    one = model(**WHOLE)
    before = one.decode_head.text_queries.prompts.embeddings.clone()
    optimizer = torch.optim.SGD(one.parameters(), lr=0.1)
    sum(losses_of(one, halves(0, 1)).values()).backward()
    optimizer.step()
    state = one.state_dict()
    assert not any('token_embedding' in key for key in state)
    assert not torch.allclose(state['decode_head.text_queries.prompts.embeddings'], before)
    img = torch.randn(1, 3, 64, 64)
    expected = one.eval().predict(img, samples(0))[0].seg_logits.data
    other = model(**WHOLE, read=False)
    other.load_state_dict(state)
    assert other.decode_head.text_queries.prompts.teacher is None
    torch.testing.assert_close(other.eval().predict(img, samples(0))[0].seg_logits.data, expected)


def test_loss_sim_without_text(head_config):
    with pytest.raises(ValueError, match='loss_sim compares masks with text: give `text` too'):
        MODELS.build(head_config(loss_sim=LOSS))


def test_no_layers_and_no_queries(head_config):
    for depth in (0, -1):
        wrong, says = dict(depth=depth), f'depth is {depth}; an MLP has at least 1 linear layer'
        for options in (dict(queries=wrong), dict(alignment=wrong, loss_sim=LOSS)):
            with pytest.raises(ValueError, match=says):
                MODELS.build(head_config(text=TEXT, **options))
    with pytest.raises(ValueError, match='num_queries is 0; at least 1 is needed'):
        MODELS.build(head_config(num_queries=0))


def test_a_backbone_without_four_maps(head_config):
    with pytest.raises(ValueError, match=r'there are 3 maps of \[8, 16, 32\] channels.*takes 4'):
        MODELS.build(head_config(in_channels=[8, 16, 32]))
    head = MODELS.build(head_config())
    with pytest.raises(ValueError, match=r'there are 1 maps of \[64\].*in_channels is \[8, 16, 32'):
        head.decode([torch.randn(1, 64, 4, 4)])


@pytest.mark.parametrize(
    ('option', 'legal'),
    [('position', 'zero, learned'), ('mask', 'none, predicted'), ('attention', 'joint, separate')],
)
def test_an_unknown_option_of_text_queries(head_config, option, legal):
    with pytest.raises(ValueError, match=f"{option} is 'all'; legal values: {legal}"):
        MODELS.build(head_config(text=TEXT, queries={option: 'all'}))
