"""A small segmentor of each dense head."""
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope

from mmseg_zsclip.registry import MODELS

NAMES = ['sky', 'road', 'tree', 'car', 'dog']
HEADS = {
    'maskclip': dict(type='mmseg_zsclip.MaskCLIPHead'),
    'maskclip, refined': dict(type='mmseg_zsclip.MaskCLIPHead', ks_thresh=1.0, pd_thresh=0.2),
    'zegclip': dict(type='mmseg_zsclip.ZegCLIPHead', unseen=['car'], seen_offset=0.05),
    'zegclip, softmax': dict(type='mmseg_zsclip.ZegCLIPHead', scores='softmax', unseen=['car']),
    'text': dict(type='mmseg_zsclip.TextHead', head=dict(
        type='FCNHead', in_channels=192, in_index=-1, channels=8, num_convs=1, align_corners=True)),
}
BACKBONES = dict(
    maskclip=dict(type='mmseg_zsclip.MaskCLIPViT'),
    zegclip=dict(type='mmseg_zsclip.DeepPromptedViT', num_prompts=2),
    text=dict(type='mmseg_zsclip.CLIPVisionTransformer'))


def config_of(head):
    return dict(
        type='mmseg_zsclip.OneStageSegmentor', data_preprocessor=dict(type='SegDataPreProcessor'),
        backbone=dict(arch='ViT-T-8', weights='toy', **BACKBONES[head.split(',')[0]]),
        decode_head=dict(classes=NAMES, text=dict(arch='ViT-T-8', weights='toy'), **HEADS[head]))


@pytest.fixture
def small_config():
    return config_of


@pytest.fixture(params=HEADS)
def head(request):
    return request.param


@pytest.fixture
def small():
    """Makes a segmentor of `NAMES`, random and the same each time: a name of a head, `test_cfg`, and
    keys of its config."""
    init_default_scope('mmseg')

    def make(head, test_cfg=(), **changes):
        torch.manual_seed(0)
        model = MODELS.build({
            **config_of(head), 'test_cfg': ConfigDict(test_cfg), **changes})
        model.init_weights()
        for name, parameter in model.decode_head.named_parameters():
            if 'mask_attn' in name or 'query_proj' in name:  # untrained, every pixel is of one class
                torch.nn.init.normal_(parameter)
        return model.eval()

    return make
