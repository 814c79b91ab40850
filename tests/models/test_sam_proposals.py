"""SAM as a generator: a tiny random one, offline."""

import pytest
import torch

from mmseg_zsclip.models.proposals import check_proposals
from mmseg_zsclip.models.sam_proposals import SAMProposals

transformers = pytest.importorskip('transformers')
METAS = [dict(ori_shape=(48, 64), padding_size=(0, 0, 0, 16))]
IMAGE = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 255
TEXT = torch.zeros(5, 8)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A SAM with random weights, as `save_pretrained` writes it."""
    torch.manual_seed(0)
    sizes = dict(hidden_size=32, num_attention_heads=2, mlp_dim=32)
    model = transformers.SamModel(
        transformers.SamConfig(
            vision_config=dict(
                hidden_size=32,
                output_channels=32,
                num_hidden_layers=1,
                mlp_dim=32,
                num_attention_heads=2,
                image_size=64,
                patch_size=16,
                window_size=2,
                global_attn_indexes=[0],
                num_pos_feats=16,
            ),
            prompt_encoder_config=dict(hidden_size=32, image_size=64, patch_size=16),
            mask_decoder_config=dict(num_hidden_layers=1, iou_head_hidden_dim=16, **sizes),
        )
    )
    path = tmp_path_factory.mktemp('sam')
    model.save_pretrained(path)
    transformers.SamImageProcessor(
        size=dict(longest_edge=64), pad_size=dict(height=64, width=64)
    ).save_pretrained(path)
    return path


def test_its_masks_lie_in_the_image_and_not_in_the_padding(folder):
    generator = SAMProposals(folder, points_per_side=4, iou_thresh=0, stability_thresh=0)
    proposals = generator(IMAGE, METAS, TEXT)
    check_proposals(proposals, IMAGE, 5)
    (one,) = proposals
    assert len(one) > 0
    assert set(one.masks.unique().tolist()) <= {0, 1}
    assert not one.masks[:, 48:].any()
    assert one.class_scores is None


def test_an_image_may_have_no_mask(folder):
    (one,) = SAMProposals(folder, points_per_side=4, iou_thresh=1, stability_thresh=1)(
        IMAGE, METAS, TEXT
    )
    assert one.masks.shape == (0, 64, 64)
    assert one.object_scores.shape == (0,)


def test_it_is_no_part_of_checkpoints_and_is_read_once(folder):
    generator = SAMProposals(folder, points_per_side=2)
    generator(IMAGE, METAS, TEXT)
    first = generator.pipeline
    generator(IMAGE, METAS, TEXT)
    assert generator.pipeline is first
    assert not generator.state_dict()
    assert not list(generator.parameters())


def test_wrong_settings_of_sam_are_named(folder):
    for options, what in (
        (dict(iou_thresh=1.2), 'iou_thresh is 1.2; legal values: 0 to 1'),
        (dict(nms_thresh=-1), 'nms_thresh is -1'),
        (dict(points_per_side=0), 'points_per_side is 0 .* at least 1'),
    ):
        with pytest.raises(ValueError, match=what):
            SAMProposals(folder, **options)
