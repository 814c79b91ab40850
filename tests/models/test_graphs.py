"""The graph of a model gives the model's scores, its vocabulary being an argument."""

import pytest
import torch

from mmseg_zsclip.models.graphs import class_texts, graph_of
from mmseg_zsclip.models.vocabulary import Vocabulary


def prepared(model, image):
    """As mmseg loads photos, BGR, through the model's own data_preprocessor."""
    return model.data_preprocessor(dict(inputs=list(image.flip(1))))['inputs']


def with_words(model, classes, **options):
    rows = len(classes) + options.pop('more', 0)
    return model.with_classes(classes, embeddings=torch.randn(rows, 16), **options)


@pytest.mark.parametrize(
    ('name', 'options'),
    [
        ('maskclip', {}),
        ('synonyms', {}),
        ('background', dict(more=1)),  # its two names
        ('refined', {}),
        ('resnet', {}),
        ('zegclip', {}),
        ('zegclip', dict(unseen=['dog'])),
        ('plain', {}),
    ],
)
@torch.no_grad()
def test_a_graph_gives_the_scores_of_the_model_with_any_words(tiny_exportable, name, options):
    model = tiny_exportable(name)
    graph = graph_of(with_words(model, ['a', 'b']))
    model = with_words(model, ['tree, bush', 'background', 'dog'], **options)
    words = graph.words(model.vocabulary)
    words['text'] = 3 * words['text']  # need not be of length 1
    image = 255 * torch.rand(2, 3, 72, 105)
    expected = model.encode_decode(prepared(model, image), [dict(img_shape=image.shape[2:])] * 2)
    scores, expected = map(graph.comparable, (graph(image, **words), expected))
    torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('name', ['ip_clip', 'ip_clip_resnet'])
@torch.no_grad()
def test_the_graph_of_a_two_stage_model_classifies_given_masks(tiny_exportable, name):
    model = with_words(tiny_exportable(name), ['tree', 'car', 'dog'])
    graph = graph_of(model)
    image, masks = 255 * torch.rand(2, 3, 64, 96), torch.rand(2, 3, 64, 96)
    scores = graph(image, masks=masks, **graph.words(model.vocabulary))
    embeddings = model.classifier(prepared(model, image), list(masks))
    torch.testing.assert_close(scores, torch.stack(list(map(model.class_scores, embeddings))))


def test_a_class_with_fewer_texts_has_its_first_one_again():
    words = Vocabulary(
        ['sky', 'background', 'car'], 'ViT-T-8', background=['wall', 'floor', 'road, street']
    )
    words.embeddings = torch.nn.functional.normalize(torch.randn(5, 128), dim=-1)
    sky, wall, floor, road, car = words.embeddings
    expected = [[sky, sky, sky], [wall, floor, road], [car, car, car]]
    assert torch.equal(class_texts(words), torch.stack([torch.stack(row) for row in expected]))


@pytest.mark.parametrize(
    ('name', 'changes', 'message'),
    [
        ('maskclip', dict(test_cfg=dict(pamr={})), r'test_cfg\.pamr is .*pamr=None'),
        ('calibrated', {}, "attention 'sc' cannot be exported"),
        (
            'text',
            {},
            'a OneStageSegmentor with a TextHead cannot be exported; legal: MaskCLIP and ZegCLIP',
        ),
        (
            'pooling',
            {},
            'a TwoStageSegmentor with a MaskPooling cannot be exported; legal: ',
        ),
    ],
)
def test_what_cannot_be_exported_says_what_can(tiny_exportable, name, changes, message):
    with pytest.raises(ValueError, match=message):
        graph_of(tiny_exportable(name, **changes))
