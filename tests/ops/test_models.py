"""Whole models of mmseg and mmdet on our ops: two training steps and a prediction each."""

import pytest
import torch
from mmengine.hub import get_config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData, PixelData

SIZE = 64


@pytest.fixture(params=['mmcv', 'ours'])
def attention(request, monkeypatch):
    """mmcv computes deformable attention itself on the CPU; 'ours' sends it where a GPU's goes."""
    from mmcv.ops import multi_scale_deform_attn as home

    calls = []

    def through_the_op(value, shapes, places, weights):
        calls.append(value.shape)
        starts = torch.cat([shapes.new_zeros(1), shapes.prod(1).cumsum(0)[:-1]])
        return home.MultiScaleDeformableAttnFunction.apply(
            value, shapes, starts, places, weights, 64
        )

    if request.param == 'ours':
        monkeypatch.setattr(home, 'multi_scale_deformable_attn_pytorch', through_the_op)
    yield calls
    assert bool(calls) == (request.param == 'ours')


def tiny_mask2former():
    model = get_config('mmseg::mask2former/mask2former_r50_8xb2-90k_cityscapes-512x1024.py').model
    model.backbone.update(
        depth=18, base_channels=8, init_cfg=None, norm_cfg={'type': 'BN', 'requires_grad': True}
    )
    model.data_preprocessor.size = (SIZE, SIZE)
    head = model.decode_head
    head.update(
        in_channels=[8, 16, 32, 64], feat_channels=32, out_channels=32, num_queries=5, num_classes=3
    )
    head.loss_cls.class_weight = [1.0, 1.0, 1.0, 0.1]
    head.train_cfg.num_points = 64
    head.positional_encoding.num_feats = head.pixel_decoder.positional_encoding.num_feats = 16
    for part in (head.pixel_decoder.encoder, head.transformer_decoder):
        part.num_layers = 2
        part.layer_cfg.ffn_cfg.update(embed_dims=32, feedforward_channels=32)
        part.layer_cfg.self_attn_cfg.update(embed_dims=32, num_heads=2)
    head.transformer_decoder.layer_cfg.cross_attn_cfg.update(embed_dims=32, num_heads=2)
    return model


def segmentation_batch():
    from mmseg.structures import SegDataSample

    generator = torch.Generator().manual_seed(0)
    meta = {'img_shape': (SIZE, SIZE), 'ori_shape': (SIZE, SIZE), 'pad_shape': (SIZE, SIZE)}
    samples = []
    for _ in range(2):
        labels = torch.randint(0, 3, (1, 4, 4), generator=generator)
        sample = SegDataSample(metainfo=meta)
        sample.gt_sem_seg = PixelData(data=labels.repeat_interleave(16, 1).repeat_interleave(16, 2))
        samples.append(sample)
    photos = torch.randint(0, 256, (2, 3, SIZE, SIZE), generator=generator, dtype=torch.uint8)
    return {'inputs': list(photos), 'data_samples': samples}


def two_steps(model, batch):
    """Train two steps with finite losses; return the weights without a gradient in the second.

    (Zero-initialised residuals and offsets rightly keep some gradients at zero in the first.)
    """
    from mmengine.optim import OptimWrapper

    optimizer = OptimWrapper(torch.optim.AdamW(model.parameters(), 1e-3))
    for _ in range(2):
        losses = model(**model.data_preprocessor(batch, True), mode='loss')
        total, log = model.parse_losses(losses)
        assert all(value.isfinite().all() for value in log.values())
        optimizer.zero_grad()
        total.backward()
        still = [
            name
            for name, weight in model.named_parameters()
            if weight.requires_grad and (weight.grad is None or not weight.grad.abs().sum() > 0)
        ]
        optimizer.step()
    return still


def test_mask2former_trains_and_predicts_without_compiled_mmcv(attention):
    import mmdet.models  # noqa: F401
    import mmseg.models  # noqa: F401
    from mmseg.registry import MODELS

    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(tiny_mask2former())
    model.init_weights()
    batch = segmentation_batch()
    assert two_steps(model.train(), batch) == []
    model.eval()
    with torch.no_grad():
        results = model.test_step(batch)
    assert [r.pred_sem_seg.data.shape for r in results] == [(1, SIZE, SIZE)] * 2
    assert set(results[0].pred_sem_seg.data.unique().tolist()) <= {0, 1, 2}


def tiny_mask_rcnn():
    model = get_config('mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py').model
    model.backbone.update(
        depth=18, base_channels=8, init_cfg=None, frozen_stages=-1, norm_eval=False
    )
    model.neck.update(in_channels=[8, 16, 32, 64], out_channels=16)
    model.rpn_head.update(in_channels=16, feat_channels=16)
    roi = model.roi_head
    roi.bbox_roi_extractor.out_channels = roi.mask_roi_extractor.out_channels = 16
    roi.bbox_head.update(in_channels=16, fc_out_channels=32, num_classes=3)
    roi.mask_head.update(in_channels=16, conv_out_channels=16, num_convs=1, num_classes=3)
    model.train_cfg.rpn_proposal.update(nms_pre=100, max_per_img=50)
    model.test_cfg.rpn.update(nms_pre=100, max_per_img=20)
    model.test_cfg.rcnn.update(score_thr=0.0, max_per_img=5)
    return model


def detection_batch():
    from mmdet.structures import DetDataSample
    from mmdet.structures.mask import BitmapMasks

    generator = torch.Generator().manual_seed(0)
    samples = []
    for _ in range(2):
        sample = DetDataSample(
            metainfo={
                'img_shape': (SIZE, SIZE),
                'ori_shape': (SIZE, SIZE),
                'scale_factor': (1.0, 1.0),
            }
        )
        boxes = torch.tensor([[4.0, 4.0, 40.0, 36.0], [20.0, 24.0, 60.0, 60.0]])
        masks = torch.zeros(2, SIZE, SIZE, dtype=torch.uint8)
        for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist(), strict=True):
            mask[y1:y2, x1:x2] = 1
        sample.gt_instances = InstanceData(
            bboxes=boxes, labels=torch.tensor([0, 2]), masks=BitmapMasks(masks.numpy(), SIZE, SIZE)
        )
        samples.append(sample)
    photos = torch.randint(0, 256, (2, 3, SIZE, SIZE), generator=generator, dtype=torch.uint8)
    return {'inputs': list(photos), 'data_samples': samples}


def test_mask_rcnn_trains_and_predicts_without_compiled_mmcv():
    import mmdet.models  # noqa: F401
    from mmdet.registry import MODELS

    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(tiny_mask_rcnn())
    model.init_weights()
    batch = detection_batch()
    assert two_steps(model.train(), batch) == []
    model.eval()
    with torch.no_grad():
        results = model.test_step(batch)
    for result in results:
        found = result.pred_instances
        assert 0 < len(found) <= 5
        assert found.masks.shape == (len(found), SIZE, SIZE)
