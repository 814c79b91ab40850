import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.models.zegclip import (
    QUERY_TERMS,
    DeepPromptedViT,
    ZegCLIPHead,
    class_queries,
    query_terms,
    unbuilt_parameters,
)

NAMES = ['sky', 'road', 'tree, bush', 'car']
TEXT = dict(arch='ViT-XS-8')
ARCH = 'ViT-XS-8'
LABELS = torch.tensor([0, 1, 3, 255]).repeat_interleave(12).expand(2, 1, 48, 48)
EXCLUSIVE = dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True)


@pytest.fixture(scope='module')
def backbone():
    torch.manual_seed(0)
    return DeepPromptedViT(ARCH, num_prompts=4).eval()


@pytest.fixture
def head():
    torch.manual_seed(0)
    head = ZegCLIPHead(NAMES, TEXT, unseen=['tree'])
    head.init_weights()
    return head.eval()


def build_head(**kwargs):
    """A head in eval mode, with random text embeddings: the text tower takes seconds to build."""
    torch.manual_seed(0)
    head = ZegCLIPHead(NAMES, TEXT, unseen=['tree'], **kwargs)
    head.set_embeddings(torch.randn_like(head.vocabulary.embeddings))
    return head.eval()


def samples(labels):
    return [SegDataSample(gt_sem_seg=PixelData(data=label)) for label in labels]


def test_paper_parameter_counts():
    """13.8 M and 14.6 M (ZegCLIP, table 3) with the parameters that the release never uses."""
    for num_prompts, paper in ((10, 13.8), (100, 14.6)):
        with torch.device('meta'):
            backbone = DeepPromptedViT('ViT-B-16', num_prompts=num_prompts)
            head = ZegCLIPHead(NAMES, dict(arch='ViT-B-16'))
        ours = sum(p.numel() for m in (backbone, head) for p in m.parameters() if p.requires_grad)
        assert (
            ours + unbuilt_parameters(head)
        ) // 1e5 / 10 == paper  # the paper cuts, 14.65 -> 14.6


TABLE_4 = [
    't',
    't*g',
    '|t-g|',
    't-g',
    't+g',
    't,g',
    't*g,t',
    '|t-g|,t',
    't*g,t+g',
    't+g,t',
    't*g,|t-g|',
    't*g,|t-g|,t',
]


@pytest.mark.parametrize('query', TABLE_4)
def test_the_twelve_query_formats_of_table_4(query):
    text, cls = torch.randn(5, 8), torch.randn(2, 8)
    assert query_terms(query) == query_terms(query.split(','))  # as --cfg-options parses it
    out = class_queries(text, cls, query_terms(query))
    parts = [
        torch.stack(
            [
                torch.stack(
                    [
                        dict(t=t, g=g, r=t * g, d=(t - g).abs(), m=t - g, p=t + g)[
                            {'t': 't', 'g': 'g', 't*g': 'r', '|t-g|': 'd', 't-g': 'm', 't+g': 'p'}[
                                term
                            ]
                        ]
                        for t in text
                    ]
                )
                for g in cls
            ]
        )
        for term in query.split(',')
    ]
    torch.testing.assert_close(out, torch.cat(parts, -1))


@pytest.mark.parametrize('query', TABLE_4)
def test_every_query_format_trains_a_head(query, backbone):
    head = build_head(query=query)
    assert head.query_proj.in_features == 192 * len(query.split(','))
    losses = head.loss(backbone(torch.randn(2, 3, 48, 48)), samples(LABELS), {})
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    assert all(p.grad is not None for p in head.parameters())


def test_wrong_query_term_lists_the_legal_ones():
    with pytest.raises(ValueError, match=r"query is 't\*h'; legal terms.*t\*g") as error:
        ZegCLIPHead(NAMES, TEXT, query='t*h')
    assert all(term in str(error.value) for term in QUERY_TERMS)


def test_masks_only_attention_equals_the_mean_over_heads(head):
    queries, patches = torch.randn(2, 4, 192), torch.randn(2, 9, 192)
    attn = head.mask_attn
    q, k = (x.unflatten(-1, (8, 24)).transpose(1, 2) for x in (attn.q(queries), attn.k(patches)))
    expected = (q @ k.transpose(2, 3) / 24**0.5).mean(1)
    torch.testing.assert_close(attn.masks(queries, patches), expected)


def test_training_sees_the_rows_of_seen_classes_only(head, backbone):
    inputs = backbone(torch.randn(1, 3, 48, 48))
    torch.testing.assert_close(head(inputs)[:, [0, 1, 3]], head(inputs, rows=head.seen))
    with torch.no_grad():
        head.class_embeddings.embeddings[2] = float('nan')  # the unseen row
    loss = head.loss(inputs, samples(torch.ones(1, 1, 48, 48, dtype=torch.int64)), {})
    assert all(torch.isfinite(value).all() for value in loss.values())


def test_unseen_ground_truth_that_reaches_the_loss_is_a_leak(head, backbone):
    labels = torch.ones(1, 1, 48, 48, dtype=torch.int64)
    labels[0, 0, 0, 0] = 2
    inputs = backbone(torch.randn(1, 3, 48, 48))
    with pytest.raises(ValueError, match=r"ground-truth leak: .*\['tree'\].*HideUnseen"):
        head.loss(inputs, samples(labels), {})


def test_labels_outside_the_classes_are_an_error(head, backbone):
    labels = torch.full((1, 1, 48, 48), 7)
    inputs = backbone(torch.randn(1, 3, 48, 48))
    with pytest.raises(ValueError, match='labels run from 7 to 7, but there are 4 classes'):
        head.loss(inputs, samples(labels), {})


def test_ignored_and_unlabelled_pixels_do_not_change_the_loss(head, backbone):
    inputs = backbone(torch.randn(1, 3, 48, 48))
    labels = torch.ones(1, 1, 48, 48, dtype=torch.int64)
    labels[..., :10] = 255
    other = labels.clone()
    other[..., :10] = -1
    first, second = (head.loss(inputs, samples(x), {}) for x in (labels, other))
    torch.testing.assert_close(first['loss_focal'], second['loss_focal'])
    torch.testing.assert_close(first['loss_dice'], second['loss_dice'])


def test_prediction_subtracts_the_offset_from_seen_classes(head, backbone):
    inputs = backbone(torch.randn(1, 3, 48, 48))
    metas = [dict(img_shape=(50, 60))]
    scores = head.predict(inputs, metas, {})
    assert scores.shape == (1, 4, 50, 60)
    head.seen_offset = 0.0
    plain = head.predict(inputs, metas, {})
    torch.testing.assert_close(scores[:, 2], plain[:, 2])
    torch.testing.assert_close(scores[:, [0, 1, 3]], plain[:, [0, 1, 3]] - 0.1)


def test_custom_vocabulary_replaces_names_and_rows(head, backbone):
    head.set_classes(['zebra', 'road'])
    assert head.num_classes == head.out_channels == 2
    assert head(backbone(torch.randn(1, 3, 48, 48))).shape[1] == 2
    assert head.unseen == []


def test_never_computed_embeddings_are_an_error():
    head = ZegCLIPHead(NAMES, TEXT)
    with pytest.raises(RuntimeError, match='text embeddings of 4 classes were never computed'):
        head([torch.randn(1, 192, 6, 6), torch.randn(1, 192)])


def test_checkpoint_brings_its_embeddings(head):
    other = ZegCLIPHead(NAMES, TEXT, unseen=['tree'])
    other.load_state_dict(head.state_dict())
    torch.testing.assert_close(other.class_embeddings(), head.class_embeddings())


def test_backbone_without_class_embedding_needs_a_text_only_query(head):
    with pytest.raises(ValueError, match=r"query is 't\*g,t', which needs.*DeepPromptedViT"):
        head([torch.randn(1, 192, 6, 6)])


FIX, FT, DPT = dict(num_prompts=0), dict(num_prompts=0, finetune=True), dict(num_prompts=2)


@pytest.mark.parametrize('query', ['t', 't*g,t'])
@pytest.mark.parametrize('nel', [False, True])
@pytest.mark.parametrize('tower', [FIX, FT, DPT], ids=['Fix', 'FT', 'DPT'])
def test_the_twelve_models_of_table_5_train_every_parameter_they_have(tower, nel, query):
    """A parameter without gradient would stop DDP."""
    backbone = DeepPromptedViT(ARCH, **tower)
    head = build_head(
        query=query, loss_decode=None if nel else EXCLUSIVE, scores='sigmoid' if nel else 'softmax'
    )
    losses = head.loss(backbone(torch.randn(2, 3, 48, 48)), samples(LABELS), {})
    assert set(losses) == {'acc_seg', *(('loss_focal', 'loss_dice') if nel else ('loss_ce',))}
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    model = torch.nn.ModuleDict(dict(backbone=backbone, head=head))
    idle = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert idle == []


def test_exclusive_loss_is_cross_entropy_over_the_seen_classes_of_labelled_pixels(backbone):
    head = build_head(loss_decode=EXCLUSIVE)
    inputs = backbone(torch.randn(2, 3, 48, 48))
    logits = torch.nn.functional.interpolate(
        head(inputs)[:, [0, 1, 3]], size=(48, 48), mode='bilinear'
    )
    rows = torch.tensor([0, 1, 2, 255]).repeat_interleave(12).expand(2, 48, 48)
    expected = torch.nn.functional.cross_entropy(logits, rows, ignore_index=255)
    torch.testing.assert_close(head.loss(inputs, samples(LABELS), {})['loss_ce'], expected)


def test_several_losses_of_one_name_are_summed(head, backbone):
    inputs = backbone(torch.randn(2, 3, 48, 48))
    once = head.loss(inputs, samples(LABELS), {})
    head.loss_decode = torch.nn.ModuleList([head.loss_decode, head.loss_decode])
    torch.testing.assert_close(
        head.loss(inputs, samples(LABELS), {})['loss_dice'], 2 * once['loss_dice']
    )


def test_softmax_scores_are_over_seen_and_unseen_and_take_the_offset_too(backbone):
    head = build_head(scores='softmax', seen_offset=0.0)
    inputs = backbone(torch.randn(1, 3, 48, 48))
    metas = [dict(img_shape=(50, 60))]
    scores = head.predict(inputs, metas, {})
    torch.testing.assert_close(scores.sum(1), torch.ones(1, 50, 60))
    head.seen_offset = 0.1
    torch.testing.assert_close(
        head.predict(inputs, metas, {}), scores - torch.tensor([0.1, 0.1, 0, 0.1]).view(4, 1, 1)
    )


def test_unknown_scores_list_the_legal_ones():
    with pytest.raises(ValueError, match="scores is 'argmax'; legal values: sigmoid, softmax"):
        ZegCLIPHead(NAMES, TEXT, scores='argmax')


def stages(*sides, width=16):
    torch.manual_seed(1)
    return [torch.randn(2, width, side, side) for side in sides], torch.randn(2, 192)


def test_stages_are_projected_normalised_and_summed():
    head = build_head(in_channels=16, use_stages=2)
    maps, cls = stages(6, 6, 6)
    first, second = (
        proj(one.flatten(2).transpose(1, 2))
        for proj, one in zip(head.input_projs, maps[1:], strict=True)
    )
    expected = torch.nn.functional.normalize(first + second, dim=-1)
    torch.testing.assert_close(head.patch_embeddings(maps[1:]), expected)
    assert head([*maps, cls]).shape == (2, 4, 6, 6)
    maps[0] += 1  # of three, the last two are used
    torch.testing.assert_close(head.patch_embeddings(head.split_inputs([*maps, cls])[0]), expected)


def test_stages_of_other_sizes_come_to_the_first_ones():
    head = build_head(in_channels=16, use_stages=2, query='t')
    maps, _ = stages(6, 3)
    assert head(maps).shape == (2, 4, 6, 6)


def test_every_stage_is_trained():
    head = build_head(in_channels=16, use_stages=3)
    maps, cls = stages(4, 4, 4)
    head([*maps, cls]).sum().backward()
    idle = [name for name, p in head.named_parameters() if p.requires_grad and p.grad is None]
    assert idle == []


def test_more_stages_than_feature_maps():
    head = build_head(in_channels=16, use_stages=3)
    maps, cls = stages(4, 4)
    with pytest.raises(ValueError, match='use_stages is 3, but the backbone gives 2 feature maps'):
        head([*maps, cls])
