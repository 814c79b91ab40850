"""Mask R-CNN as a generator, of one class."""

import pytest
import torch
from mmengine.registry import init_default_scope

from mmseg_zsclip.models.detector_proposals import DetectorProposals
from mmseg_zsclip.models.proposals import check_proposals

METAS = [
    dict(ori_shape=(64, 96), padding_size=(0, 0, 0, 0)),
    dict(ori_shape=(30, 40), padding_size=(0, 16, 0, 4)),
]
TEXT = torch.zeros(5, 8)
CODER = dict(type='mmdet.DeltaXYWHBBoxCoder')
SAMPLED = dict(
    type='mmdet.RandomSampler', num=16, pos_fraction=0.5, neg_pos_ub=-1, add_gt_as_proposals=True
)


def assigner(positive):
    return dict(
        type='mmdet.MaxIoUAssigner',
        pos_iou_thr=positive,
        neg_iou_thr=0.3,
        min_pos_iou=0.3,
        match_low_quality=True,
        ignore_iof_thr=-1,
    )


def extractor(size):
    return dict(
        type='mmdet.SingleRoIExtractor',
        out_channels=16,
        featmap_strides=[4, 8, 16, 32],
        roi_layer=dict(type='RoIAlign', output_size=size, sampling_ratio=0),
    )


def mask_rcnn(classes=1, masks=True):
    roi_head = dict(
        type='mmdet.StandardRoIHead',
        bbox_roi_extractor=extractor(7),
        bbox_head=dict(
            type='mmdet.Shared2FCBBoxHead',
            in_channels=16,
            fc_out_channels=16,
            roi_feat_size=7,
            num_classes=classes,
            bbox_coder=CODER,
        ),
    )
    if masks:
        roi_head.update(
            mask_roi_extractor=extractor(14),
            mask_head=dict(
                type='mmdet.FCNMaskHead',
                num_convs=1,
                in_channels=16,
                conv_out_channels=16,
                num_classes=classes,
            ),
        )
    nms = dict(type='nms', iou_threshold=0.7)
    return dict(
        type='mmdet.MaskRCNN' if masks else 'mmdet.FasterRCNN',
        backbone=dict(type='mmdet.ResNet', depth=18, base_channels=8, norm_cfg=dict(type='BN')),
        neck=dict(type='mmdet.FPN', in_channels=[8, 16, 32, 64], out_channels=16, num_outs=5),
        rpn_head=dict(
            type='mmdet.RPNHead',
            in_channels=16,
            feat_channels=16,
            bbox_coder=CODER,
            anchor_generator=dict(
                type='mmdet.AnchorGenerator', scales=[4], ratios=[1.0], strides=[4, 8, 16, 32, 64]
            ),
        ),
        roi_head=roi_head,
        train_cfg=dict(
            rpn=dict(assigner=assigner(0.7), sampler=SAMPLED, allowed_border=-1, pos_weight=-1),
            rpn_proposal=dict(nms_pre=50, max_per_img=20, nms=nms, min_bbox_size=0),
            rcnn=dict(assigner=assigner(0.5), sampler=SAMPLED, mask_size=28, pos_weight=-1),
        ),
        test_cfg=dict(
            rpn=dict(nms_pre=50, max_per_img=20, nms=nms, min_bbox_size=0),
            rcnn=dict(score_thr=0.0, nms=nms, max_per_img=8, mask_thr_binary=0.5),
        ),
    )


@pytest.fixture
def build():
    init_default_scope('mmseg')

    def make(**options):
        torch.manual_seed(0)
        model = DetectorProposals(mask_rcnn(**options))
        model.init_weights()
        return model.eval()

    return make


@torch.no_grad()
def test_what_it_finds_are_proposals(build):
    img = torch.randn(2, 3, 64, 96)
    proposals = build()(img, METAS, TEXT)
    check_proposals(proposals, img, 5)
    assert all(0 < len(one) <= 8 for one in proposals)
    assert not proposals[1].masks[:, 60:].any()
    assert not proposals[1].masks[:, :, 80:].any()
    assert ((proposals[0].object_scores >= 0) & (proposals[0].object_scores <= 1)).all()


def test_its_losses_are_finite_also_of_images_without_a_mask(build):
    masks = torch.zeros(2, 64, 96, dtype=torch.bool)
    masks[0, :32], masks[1, 40:60, 20:50] = True, True
    targets = [(masks, torch.tensor([3, 1])), (masks[:0], torch.zeros(0, dtype=torch.int64))]
    model = build().train()
    for some in (targets, targets[1:] * 2):
        losses = model.loss(torch.randn(2, 3, 64, 96), METAS, TEXT, some)
        total = sum(
            sum(value) if isinstance(value, list) else value
            for name, value in losses.items()
            if 'loss' in name
        )
        assert total.isfinite()
        total.backward()


@torch.no_grad()
@pytest.mark.parametrize(
    ('options', 'what'),
    [(dict(classes=3), 'labels of several classes'), (dict(masks=False), 'boxes without masks')],
)
def test_a_detector_of_several_classes_or_without_masks_is_named(build, options, what):
    with pytest.raises(
        ValueError, match=f'gives {what}; a generator has a mask head and one class'
    ):
        build(**options)(torch.randn(2, 3, 64, 96), METAS, TEXT)
