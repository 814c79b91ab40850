import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.models.segmentor import check_statistics
from mmseg_zsclip.models.windows import window_starts
from mmseg_zsclip.registry import MODELS

NAMES = ['sky', 'road', 'tree', 'car']


@pytest.fixture(scope='module')
def model():
    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='mmseg_zsclip.OneStageSegmentor',
            data_preprocessor=dict(type='SegDataPreProcessor'),
            backbone=dict(type='mmseg_zsclip.DeepPromptedViT', arch='ViT-XS-8', num_prompts=2),
            decode_head=dict(
                type='mmseg_zsclip.ZegCLIPHead', classes=NAMES, text=dict(arch='ViT-XS-8')
            ),
            test_cfg=ConfigDict(mode='slide', crop_size=(48, 48), stride=(32, 32)),
        )
    )
    model.init_weights()
    return model.eval()


def anew(model):
    """A copy that was not initialised."""
    model = copy.deepcopy(model)
    for module in model.modules():
        module._is_init = False
    return model


def test_a_script_sees_no_two_lines_of_each_parameter(model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(MMLogger, '_instance_dict', {})  # the logs of other tests
    anew(model).init_weights()
    shown = ''.join(capsys.readouterr())
    assert 'text embeddings of 4 names' in shown
    assert 'Initialized by' not in shown
    logger = MMLogger.get_instance('with_a_file', log_file=str(tmp_path / 'log'))
    anew(model).init_weights()
    logger.handlers[-1].flush()
    assert 'Initialized by' in (tmp_path / 'log').read_text()


@pytest.fixture
def test_cfg(model):
    saved = model.test_cfg.copy()
    yield model.test_cfg
    model.test_cfg.clear()
    model.test_cfg.update(saved)


@pytest.mark.parametrize(
    ('size', 'crop', 'stride', 'starts'),
    [
        (48, 48, 32, [0]),
        (30, 48, 32, [0]),
        (49, 48, 32, [0, 1]),
        (80, 48, 32, [0, 32]),
        (100, 48, 32, [0, 32, 52]),
    ],
)
def test_windows_cover_the_image_and_end_at_its_border(size, crop, stride, starts):
    assert window_starts(size, crop, stride) == starts


def metas(img):
    return [dict(img_shape=img.shape[2:], ori_shape=img.shape[2:])] * len(img)


@pytest.mark.parametrize('size', [(48, 48), (40, 32)])
def test_one_window_equals_the_whole_image(model, size):
    img = torch.randn(2, 3, *size)
    slide = model.slide_inference(img, metas(img))
    torch.testing.assert_close(slide, model.whole_inference(img, metas(img)))


@pytest.mark.parametrize('size', [(80, 100), (48, 50), (97, 40)])
def test_batched_windows_equal_mmsegs_loop(model, size):
    from mmseg.models.segmentors import EncoderDecoder

    img = torch.randn(2, 3, *size)
    ours = model.slide_inference(img, metas(img))
    theirs = EncoderDecoder.slide_inference(model, img, metas(img))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('mode', ['whole', 'slide'])
def test_padding_of_the_test_preprocessor_is_cut_off_again(model, test_cfg, mode):
    test_cfg.mode = mode
    model.data_preprocessor.test_cfg = dict(size_divisor=32)
    sample = SegDataSample(metainfo=dict(img_shape=(40, 72), ori_shape=(40, 72)))
    (out,) = model.test_step(dict(inputs=[torch.zeros(3, 40, 72)], data_samples=[sample]))
    model.data_preprocessor.test_cfg = None
    assert out.pad_shape == (64, 96)
    assert out.pred_sem_seg.data.shape == (1, 40, 72)


def test_window_batch_changes_nothing(model, test_cfg):
    img = torch.randn(1, 3, 96, 96)
    once = model.slide_inference(img, metas(img))
    test_cfg.window_batch = 2
    torch.testing.assert_close(model.slide_inference(img, metas(img)), once, rtol=1e-4, atol=1e-5)


def test_stride_larger_than_the_window_is_an_error(model, test_cfg):
    test_cfg.stride = (64, 64)
    img = torch.randn(1, 3, 96, 96)
    with pytest.raises(ValueError, match=r'stride \(64, 64\) is larger than crop_size \(48, 48\)'):
        model.slide_inference(img, metas(img))


def test_tensor_mode_and_flops_counter_run(model):
    assert model(torch.randn(1, 3, 48, 48), mode='tensor').shape == (1, 4, 6, 6)


def test_vocabulary_of_another_length_slides(model):
    model.set_classes(['zebra', 'road'])
    img = torch.randn(1, 3, 80, 48)
    assert model.slide_inference(img, metas(img)).shape == (1, 2, 80, 48)
    model.set_classes(NAMES)


def test_bfloat16_autocast_is_finite_and_close(model):
    img = torch.randn(1, 3, 48, 48)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        low = model.whole_inference(img, metas(img))
    torch.testing.assert_close(
        low.float(), model.whole_inference(img, metas(img)), rtol=0, atol=0.05
    )


def test_the_whole_forward_is_one_graph_of_torch_compile(whole_graphs, model):
    img = torch.randn(1, 3, 48, 48)
    fast = torch.compile(lambda x: model(x, mode='tensor'), fullgraph=True, backend='eager')
    torch.testing.assert_close(fast(img), model(img, mode='tensor'))


def maskclip(**head):
    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='mmseg_zsclip.OneStageSegmentor',
            data_preprocessor=dict(type='SegDataPreProcessor'),
            backbone=dict(type='mmseg_zsclip.MaskCLIPViT', arch='ViT-XS-8'),
            decode_head=dict(
                type='mmseg_zsclip.MaskCLIPHead', classes=NAMES, text=dict(arch='ViT-XS-8'), **head
            ),
            test_cfg=ConfigDict(mode='whole'),
        )
    )
    model.init_weights()
    return model.eval()


def predicted(model, img, **cfg):
    model.test_cfg = ConfigDict(mode='whole', **cfg)
    sample = SegDataSample(metainfo=dict(img_shape=(64, 96), ori_shape=(90, 131)))
    with torch.no_grad():
        return model(img, [sample], mode='predict')[0]


def test_labels_without_scores_are_those_with_scores():
    model, img = maskclip(), torch.randn(1, 3, 64, 96)
    both, alone = predicted(model, img), predicted(model, img, keep_scores=False)
    assert 'seg_logits' in both
    assert 'seg_logits' not in alone
    assert alone.pred_sem_seg.data.shape == (1, 90, 131)
    same = alone.pred_sem_seg.data == both.pred_sem_seg.data
    assert same.float().mean() > 0.999  # rounding decides near ties


@pytest.mark.parametrize(
    'head',
    [
        dict(type='mmseg_zsclip.ZegCLIPHead'),
        dict(
            type='mmseg_zsclip.TextHead',
            head=dict(type='FCNHead', in_channels=192, in_index=0, channels=8, num_convs=1),
        ),
    ],
)
def test_class_255_of_300_is_trained_and_padding_is_not(head):
    init_default_scope('mmseg')
    names = [f'thing {i}' for i in range(300)]
    backbone = 'DeepPromptedViT' if 'Zeg' in head['type'] else 'CLIPVisionTransformer'
    config = dict(
        type='mmseg_zsclip.OneStageSegmentor',
        test_cfg=dict(mode='whole'),
        data_preprocessor=dict(type='SegDataPreProcessor', size=(48, 48), seg_pad_val=255),
        backbone=dict(type=f'mmseg_zsclip.{backbone}', arch='ViT-XS-8'),
        decode_head=dict(head, classes=names, text=dict(arch='ViT-XS-8')),
    )
    model = MODELS.build(copy.deepcopy(config))
    assert model.decode_head.ignore_index == model.data_preprocessor.seg_pad_val == 65535
    inner = config['decode_head'].get('head', config['decode_head'])
    inner['ignore_index'] = 255
    with pytest.raises(ValueError, match='ignore_index is 255, which is one of the 300 classes'):
        MODELS.build(copy.deepcopy(config))
    inner['ignore_index'] = 400
    assert MODELS.build(config).data_preprocessor.seg_pad_val == 400


@pytest.mark.parametrize(('mean', 'legal'), [(122.77, True), (127.5, False)])
def test_images_are_normalised_as_the_weights_want_or_it_is_an_error(tmp_path, mean, legal):
    """A LAION ViT-L-14 wants 0.5; its statistics were read and dropped."""
    init_default_scope('mmseg')
    model = MODELS.build(
        dict(
            type='mmseg_zsclip.OneStageSegmentor',
            test_cfg=dict(mode='whole'),
            data_preprocessor=dict(
                type='SegDataPreProcessor',
                mean=[mean, 116.75, 104.09],
                std=[68.5, 66.63, 70.32],
                bgr_to_rgb=True,
            ),
            backbone=dict(type='mmseg_zsclip.MaskCLIPViT', arch='ViT-T-8', weights='toy'),
            decode_head=dict(
                type='mmseg_zsclip.MaskCLIPHead',
                classes=NAMES,
                text=dict(arch='ViT-T-8', weights='toy'),
            ),
        )
    )
    if legal:
        model.init_weights()
        with pytest.raises(ValueError, match=r'mean=\[127.5, 127.5, 127.5\], std=\[127.5'):
            check_statistics(([0.5] * 3, [0.5] * 3), model.data_preprocessor)
    else:
        with pytest.raises(
            ValueError, match=r'has: mean=\[127.5, 116.75, 104.09\].*mean=\[122.771'
        ):
            model.init_weights()


@pytest.mark.parametrize(
    ('backbone', 'head', 'message'),
    [
        (dict(type='DeepPromptedViT', arch='ViT-XS-8'), dict(type='ZegCLIPHead'), 'of one CLIP'),
        (dict(type='MaskCLIPViT', arch='ViT-XS-8'), dict(type='MaskCLIPHead'), 'of one CLIP'),
        (
            dict(type='CLIPVisionTransformer', arch='ViT-XS-8', out_indices=(5,)),
            dict(type='ZegCLIPHead', query='t', in_channels=7),
            'Give in_channels=192',
        ),
    ],
)
def test_towers_of_two_clips_are_an_error_that_says_so(backbone, head, message):
    init_default_scope('mmseg')
    model = MODELS.build(
        dict(
            type='mmseg_zsclip.OneStageSegmentor',
            test_cfg=dict(mode='whole'),
            backbone=dict(backbone, type=f'mmseg_zsclip.{backbone["type"]}'),
            decode_head=dict(
                head, type=f'mmseg_zsclip.{head["type"]}', classes=NAMES, text=dict(arch='ViT-B-32')
            ),
        )
    ).eval()
    model.decode_head.init_weights()
    with pytest.raises(ValueError, match=message):
        model(torch.randn(1, 3, 48, 48), mode='tensor')


@pytest.mark.parametrize('count', [1, 2])
def test_a_plain_auxiliary_head_ignores_hidden_pixels(small, count):
    aux = dict(type='FCNHead', in_channels=192, channels=8, num_convs=1, num_classes=5, in_index=0)
    model = small('zegclip', auxiliary_head=[aux] * count if count > 1 else aux)
    labels = torch.randint(0, 5, (1, 56, 72))
    losses = []
    for hidden in (-1, 255):
        labels[labels == 3] = hidden  # 3 is unseen
        sample = SegDataSample(
            gt_sem_seg=PixelData(data=labels.where(labels != -1, hidden)),
            metainfo=dict(img_shape=(56, 72)),
        )
        torch.manual_seed(0)
        losses.append(model.loss(torch.ones(1, 3, 56, 72), [sample]))
    assert len([name for name in losses[0] if name.startswith('aux') and 'loss' in name]) == count
    for name in losses[0]:
        torch.testing.assert_close(losses[0][name], losses[1][name])
