
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


def samples(labels):
    return [SegDataSample(gt_sem_seg=PixelData(data=label)) for label in labels]


@pytest.mark.parametrize('size', [(48, 48), (40, 72), (96, 96)])
def test_backbone_shapes_and_norms_at_any_size(backbone, size):
    feat, cls = backbone(torch.randn(2, 3, *size))
    assert feat.shape == (2, 192, size[0] // 8, size[1] // 8)
    assert cls.shape == (2, 192)
    torch.testing.assert_close(feat.norm(dim=1), torch.ones(2, size[0] // 8, size[1] // 8))
    torch.testing.assert_close(cls.norm(dim=1), torch.ones(2))


def test_only_prompts_are_trained_and_all_of_them_get_gradients(backbone):
    feat, cls = backbone.train()(torch.randn(1, 3, 48, 48))
    (feat.sum() + cls.sum()).backward()
    trained = {n for n, p in backbone.named_parameters() if p.requires_grad}
    assert trained == {n for n, p in backbone.named_parameters() if p.grad is not None}
    assert {n.split('.')[0] for n in trained} == {'prompts', 'prompt_proj', 'prompt_norm'}
    backbone.eval()


def test_paper_parameter_counts():
    """13.8 M and 14.6 M (ZegCLIP, table 3) with the parameters that the release never uses."""
    for num_prompts, paper in ((10, 13.8), (100, 14.6)):
        with torch.device('meta'):
            backbone = DeepPromptedViT('ViT-B-16', num_prompts=num_prompts)
            head = ZegCLIPHead(NAMES, dict(arch='ViT-B-16'))
        ours = sum(p.numel() for m in (backbone, head) for p in m.parameters() if p.requires_grad)
        assert (ours + unbuilt_parameters(head)) // 1e5 / 10 == paper  # the paper cuts, 14.65 -> 14.6


@pytest.mark.parametrize('query', [
    't', 't*g', '|t-g|', 't-g', 't+g', 't,g', 't*g,t', '|t-g|,t', 't*g,t+g', 't+g,t', 't*g,|t-g|',
    't*g,|t-g|,t'])
def test_the_twelve_query_formats_of_table_4(query):
    text, cls = torch.randn(5, 8), torch.randn(2, 8)
    assert query_terms(query) == query_terms(query.split(','))  # as --cfg-options parses it
    out = class_queries(text, cls, query_terms(query))
    parts = [
        torch.stack([torch.stack([dict(t=t, g=g, r=t * g, d=(t - g).abs(), m=t - g, p=t + g)[
            {'t': 't', 'g': 'g', 't*g': 'r', '|t-g|': 'd', 't-g': 'm', 't+g': 'p'}[term]]
            for t in text]) for g in cls]) for term in query.split(',')]
    torch.testing.assert_close(out, torch.cat(parts, -1))


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


@pytest.mark.parametrize(('kwargs', 'message'), [
    (dict(arch='RN50'), "'RN50' is a ResNet and has no tokens to prompt"),
    (dict(arch=ARCH, num_prompts=0), 'num_prompts is 0; give at least 1')])
def test_backbone_arguments(kwargs, message):
    with torch.device('meta'), pytest.raises(ValueError, match=message):
        DeepPromptedViT(**kwargs)
