# MasQCLIP's class-agnostic Mask R-CNN (R50-FPN), the scores of whose RPN are an object's, and
# CLIP with mask class tokens that have nothing of their own yet. Words are bare names.
arch = 'ViT-L-14-336'
weights = 'openai'
extractor = dict(type='mmdet.SingleRoIExtractor', out_channels=256, featmap_strides=[4, 8, 16, 32])
regions = dict(max_per_img=1000, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0)
assigner = dict(type='mmdet.MaxIoUAssigner', match_low_quality=True, ignore_iof_thr=-1)
model = dict(
    type='mmseg_zsclip.TwoStageSegmentor',
    data_preprocessor=dict(
        type='mmseg_zsclip.CLIPDataPreProcessor',
        size_divisor=32,
        test_cfg=dict(size_divisor=32),
    ),
    generator=dict(
        type='mmseg_zsclip.DetectorProposals',
        object_score='rpn',
        statistics=((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
        detector=dict(
            type='mmdet.MaskRCNN',
            backbone=dict(
                type='mmdet.ResNet',
                depth=50,
                frozen_stages=1,
                norm_cfg=dict(type='BN', requires_grad=False),
                norm_eval=True,
                init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
            ),
            neck=dict(
                type='mmdet.FPN', in_channels=[256, 512, 1024, 2048], out_channels=256, num_outs=5
            ),
            rpn_head=dict(
                type='mmdet.RPNHead',
                in_channels=256,
                feat_channels=256,
                anchor_generator=dict(
                    type='mmdet.AnchorGenerator',
                    scales=[8],
                    ratios=[0.5, 1.0, 2.0],
                    strides=[4, 8, 16, 32, 64],
                ),
                bbox_coder=dict(type='mmdet.DeltaXYWHBBoxCoder'),
                loss_bbox=dict(type='mmdet.L1Loss'),
            ),
            roi_head=dict(
                type='mmdet.StandardRoIHead',
                bbox_roi_extractor=dict(
                    extractor, roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=0)
                ),
                bbox_head=dict(
                    type='mmdet.Shared2FCBBoxHead',
                    in_channels=256,
                    fc_out_channels=1024,
                    roi_feat_size=7,
                    num_classes=1,
                    bbox_coder=dict(
                        type='mmdet.DeltaXYWHBBoxCoder', target_stds=[0.1, 0.1, 0.2, 0.2]
                    ),
                    loss_bbox=dict(type='mmdet.L1Loss'),
                ),
                mask_roi_extractor=dict(
                    extractor, roi_layer=dict(type='RoIAlign', output_size=14, sampling_ratio=0)
                ),
                mask_head=dict(
                    type='mmdet.FCNMaskHead',
                    num_convs=4,
                    in_channels=256,
                    conv_out_channels=256,
                    num_classes=1,
                ),
            ),
            train_cfg=dict(
                rpn=dict(
                    assigner=dict(assigner, pos_iou_thr=0.7, neg_iou_thr=0.3, min_pos_iou=0.3),
                    sampler=dict(
                        type='mmdet.RandomSampler',
                        num=256,
                        pos_fraction=0.5,
                        neg_pos_ub=-1,
                        add_gt_as_proposals=False,
                    ),
                    allowed_border=-1,
                    pos_weight=-1,
                ),
                rpn_proposal=dict(regions, nms_pre=2000),
                rcnn=dict(
                    assigner=dict(assigner, pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5),
                    sampler=dict(
                        type='mmdet.RandomSampler',
                        num=512,
                        pos_fraction=0.25,
                        neg_pos_ub=-1,
                        add_gt_as_proposals=True,
                    ),
                    mask_size=28,
                    pos_weight=-1,
                ),
            ),
            test_cfg=dict(
                rpn=dict(regions, nms_pre=1000),
                rcnn=dict(
                    score_thr=0.05,
                    nms=dict(type='nms', iou_threshold=0.5),
                    max_per_img=100,
                    mask_thr_binary=0.5,
                ),
            ),
        ),
    ),
    classifier=dict(type='mmseg_zsclip.MasQCLIPViT', arch=arch, weights=weights, tune='freeze'),
    text=dict(arch=arch, weights=weights, templates='none'),
)
