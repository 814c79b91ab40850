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

    def make(object_score='box', checkpoint=None, **options):
        torch.manual_seed(0)
        model = DetectorProposals(
            mask_rcnn(**options), object_score=object_score, checkpoint=checkpoint
        )
        model.init_weights()
        return model.eval()

    return make


@torch.no_grad()
@pytest.mark.parametrize('object_score', ['box', 'rpn'])
def test_what_it_finds_are_proposals(build, object_score):
    img = torch.randn(2, 3, 64, 96)
    proposals = build(object_score)(img, METAS, TEXT)
    check_proposals(proposals, img, 5)
    assert all(0 < len(one) <= 8 for one in proposals)
    assert not proposals[1].masks[:, 60:].any()
    assert not proposals[1].masks[:, :, 80:].any()
    assert ((proposals[0].object_scores >= 0) & (proposals[0].object_scores <= 1)).all()


@torch.no_grad()
def test_the_rpn_s_scores_are_those_of_the_regions_that_masks_came_from(build):
    """Box scores have no say: not in the scores, not in what NMS keeps."""
    img = torch.randn(2, 3, 64, 96)
    model = build('rpn')
    regions = model.detector.rpn_head.predict(
        model.detector.extract_feat(img), model.samples(img, METAS)
    )
    before = model(img, METAS, TEXT)
    for one, region in zip(before, regions, strict=True):
        assert set(one.object_scores.tolist()) <= set(region.scores.tolist())
        assert (one.object_scores.diff() <= 0).all()
        assert one.object_scores[0] == region.scores.max()
    model.detector.roi_head.bbox_head.fc_cls.bias.copy_(torch.tensor([-9.0, 9.0]))
    after = model(img, METAS, TEXT)
    assert all(torch.equal(a.masks, b.masks) for a, b in zip(before, after, strict=True))


@torch.no_grad()
def test_an_image_without_regions_has_no_proposals(build):
    model = build('rpn')
    model.detector.rpn_head.test_cfg.min_bbox_size = 1e4
    img = torch.randn(2, 3, 64, 96)
    assert [len(one) for one in model(img, METAS, TEXT)] == [0, 0]


@pytest.mark.parametrize('options', [dict(classes=3), dict(masks=False)])
def test_the_rpn_scores_a_mask_r_cnn_of_one_class(build, options):
    with pytest.raises(ValueError, match="'rpn', but .* lacks an RPN, a mask head or num_classes"):
        build('rpn', **options)


def test_an_unknown_object_score_is_named(build):
    with pytest.raises(ValueError, match="object_score is 'roi'; legal values: box, rpn"):
        build('roi')


def test_it_reads_the_checkpoint_of_stage_1_and_no_other(build, tmp_path):
    first, path = build(), str(tmp_path / 'stage_1.pth')
    torch.nn.init.constant_(first.detector.rpn_head.rpn_cls.bias, 3)
    state = {f'generator.{key}': value for key, value in first.state_dict().items()}
    torch.save(dict(state_dict=state, meta=dict(dataset_meta=dict(classes=['a', 'b']))), path)
    second = build(checkpoint=path)
    assert all(
        torch.equal(value, first.state_dict()[k]) for k, value in second.state_dict().items()
    )
    with pytest.raises(ValueError, match='was trained on 2 classes, the vocabulary has 1'):
        second.check_classes(['a'])
    with pytest.raises(
        ValueError, match='is not of this generator: 0 tensors missing .* of another'
    ):
        build(checkpoint=path, classes=3)


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
