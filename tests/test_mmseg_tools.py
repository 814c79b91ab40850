"""MMSegmentation's and MMEngine's own tools on our configs."""

import numpy as np
import pytest
import torch
from mmengine.config import Config

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.apis.configs import shipped_configs

# behind the ops fallback
from mmseg.apis import MMSegInferencer, inference_model, init_model  # isort: skip

TOY = [path for path in shipped_configs() if path.stem.startswith('toy_')]


def untrained(path):
    """The config without the checkpoint of a stage before, which nobody has trained here."""
    cfg = Config.fromfile(path)
    if 'generator' in cfg.model:
        cfg.model.generator.checkpoint = None
    return cfg


def test_toy_configs_were_found():
    assert TOY


@pytest.mark.parametrize('path', TOY, ids=lambda path: path.stem)
def test_a_photo_without_labels_is_segmented_by_mmsegs_own_calls(path, tmp_path):
    photo = np.random.default_rng(0).integers(0, 256, (96, 64, 3), np.uint8)
    model = init_model(untrained(path), device='cpu')
    model.init_weights()
    classes = tuple(f'class {i}' for i in range(model.num_classes))
    torch.save(
        dict(
            state_dict=model.state_dict(),
            meta=dict(
                dataset_meta=dict(classes=classes, palette=[[i, i, i] for i in range(len(classes))])
            ),
        ),
        tmp_path / 'a.pth',
    )
    loaded = init_model(untrained(path), str(tmp_path / 'a.pth'), device='cpu')
    assert loaded.dataset_meta['classes'] == classes
    labels = inference_model(loaded, photo).pred_sem_seg.data[0].numpy()
    assert labels.shape == photo.shape[:2]
    assert 0 <= labels.min() <= labels.max() < len(classes)
    inferencer = MMSegInferencer(
        untrained(path),
        weights=str(tmp_path / 'a.pth'),
        classes=classes,
        palette=[[i, i, i] for i in range(len(classes))],
        device='cpu',
    )
    again = inferencer(photo, show=False)['predictions']
    assert (np.asarray(again) == labels).all()


def test_a_tower_that_was_never_read_is_no_plausible_map():
    model = init_model(str(next(path for path in TOY if path.stem == 'toy_maskclip')), device='cpu')
    model.set_classes(['sky', 'grass'])
    assert model.dataset_meta['classes'] == ('sky', 'grass')
    with pytest.raises(RuntimeError, match=r'were never read.*model.init_weights\(\)'):
        inference_model(model, np.zeros((64, 64, 3), np.uint8))


def test_other_words_are_the_argument_of_a_call(tmp_path):
    photo = np.random.default_rng(0).integers(0, 256, (96, 64, 3), np.uint8)
    model = init_model(str(next(path for path in TOY if path.stem == 'toy_maskclip')), device='cpu')
    model.init_weights()
    before = inference_model(model, photo).pred_sem_seg.data
    other = inference_model(model.with_classes(['sky', 'grass, lawn', 'dog']), photo)
    assert other.seg_logits.data.shape[0] == 3
    assert torch.equal(inference_model(model, photo).pred_sem_seg.data, before)


def test_text_embeddings_of_other_words_are_refused_by_mmsegs_own_loading(tmp_path):
    """It runs no hook, and rows of other words have the same shape."""
    path = next(path for path in TOY if path.stem == 'toy_maskclip')
    cfg = Config.fromfile(path)
    model = init_model(cfg, device='cpu')
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'a.pth')
    cfg.model.decode_head.text.templates = 'vild14'
    with pytest.raises(
        ValueError, match="made from templates 'single', the config's are from 'vild14'"
    ):
        init_model(cfg, str(tmp_path / 'a.pth'), device='cpu')
