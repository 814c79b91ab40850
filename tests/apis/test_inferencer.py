"""MMSegmentation's inferencer with words as an argument, asked for in its issues 3400 and 3404."""

import numpy as np
import pytest
from mmengine.registry import INFERENCERS
from PIL import Image

from mmseg_zsclip.apis import ZeroShotSegmenter
from mmseg_zsclip.registry import INFERENCERS as OURS

PHOTO = np.kron(
    np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8), np.ones((16, 16, 1), np.uint8)
)
WORDS = ['sky, clouds', 'grass', 'house']


@pytest.fixture(scope='module')
def inferencer():
    return OURS.build(
        dict(type='mmseg_zsclip.ZeroShotInferencer', model='toy_maskclip', device='cpu')
    )


def test_it_is_registered_where_others_look():
    assert INFERENCERS.get('mmseg_zsclip.ZeroShotInferencer').__name__ == 'ZeroShotInferencer'


def test_labels_are_those_of_the_segmenter(inferencer, tmp_path):
    Image.fromarray(PHOTO).save(tmp_path / 'a.png')
    ours = ZeroShotSegmenter('toy', device='cpu')(PHOTO, WORDS)
    for photo in (str(tmp_path / 'a.png'), PHOTO[..., ::-1].copy()):
        found = inferencer(photo, texts=WORDS)
        assert np.array_equal(found['predictions'], ours.labels)
    both = inferencer([PHOTO[..., ::-1].copy()] * 2, texts='sky, clouds; grass; house')
    assert all(np.array_equal(one, ours.labels) for one in both['predictions'])


def test_pictures_have_the_colours_of_the_words_and_the_model_stays(inferencer, tmp_path):
    before = inferencer.model.vocabulary.names
    out = inferencer(
        PHOTO[..., ::-1].copy(), texts=WORDS, out_dir=str(tmp_path), return_vis=True, opacity=1.0
    )
    colours = {tuple(row) for row in out['visualization'].reshape(-1, 3)}
    palette = inferencer.model.with_classes(WORDS).dataset_meta['palette']
    present = {tuple(palette[i]) for i in np.unique(out['predictions'])}
    assert present <= colours
    assert inferencer.model.vocabulary.names == before
    stored = np.asarray(Image.open(next((tmp_path / 'pred').iterdir())))
    assert np.array_equal(stored, out['predictions'])
    inferencer(PHOTO[..., ::-1].copy(), texts=WORDS, out_dir=str(tmp_path))
    assert len(list((tmp_path / 'pred').iterdir())) == 2


def test_without_texts_the_classes_are_the_configs(inferencer):
    found = inferencer(PHOTO[..., ::-1].copy(), return_datasamples=True)
    assert found.seg_logits.data.shape[0] == 20


def test_a_model_that_is_trained_needs_its_checkpoint():
    with pytest.raises(ValueError, match='zsclip train toy_inductive'):
        OURS.build(dict(type='mmseg_zsclip.ZeroShotInferencer', model='toy_inductive'))
