import importlib
import pkgutil
import re
import sys

import pytest

from mmseg_zsclip import ops
from mmseg_zsclip.ops.missing import FULL_MMCV


def test_the_table_names_functions_that_exist():
    assert ops.OPS
    for name in ops.OPS:
        assert ops.find_op(name).__name__ == name


def test_the_module_looks_like_an_ordinary_one():
    module = ops.build_module()
    assert module.__spec__.name == module.__name__ == 'mmcv._ext'
    assert not hasattr(module, '__path__')
    with pytest.raises(AttributeError, match='_nothing'):
        _ = module._nothing


def test_mmcv_and_mmengine_find_the_ops(monkeypatch):
    module = ops.build_module()
    monkeypatch.setitem(sys.modules, 'mmcv._ext', module)
    assert importlib.util.find_spec('mmcv._ext') is module.__spec__
    assert importlib.import_module('mmcv._ext') is module
    if hasattr(pkgutil, 'find_loader'):
        from mmengine.utils.dl_utils import mmcv_full_available

        assert mmcv_full_available()


def test_an_op_we_lack_fails_when_called_and_says_how_to_get_it():
    op = ops.build_module().nms_rotated
    with pytest.raises(ops.MissingOpError) as error:
        op(1, iou_threshold=0.5)
    assert "'nms_rotated'" in str(error.value)
    assert 'roi_align_forward' in str(error.value)
    assert FULL_MMCV in str(error.value)


def test_every_op_that_mmseg_and_mmdet_import_is_ours():
    """What they import from mmcv.ops, and the compiled names behind it, read from their source."""
    behind = {
        'batched_nms': ['nms'],
        'nms': ['nms'],
        'soft_nms': ['softnms'],
        'nms_match': ['nms_match'],
        'DeformConv2d': ['deform_conv_forward', 'deform_conv_backward_input'],
        'deform_conv2d': ['deform_conv_forward'],
        'ModulatedDeformConv2d': ['modulated_deform_conv_forward'],
        'MaskedConv2d': ['masked_im2col_forward', 'masked_col2im_forward'],
        'CARAFEPack': ['carafe_forward', 'carafe_backward'],
        'MultiScaleDeformableAttention': ['ms_deform_attn_forward', 'ms_deform_attn_backward'],
        'PSAMask': ['psamask_forward'],
        'RoIPool': ['roi_pool_forward'],
        'roi_align': ['roi_align_forward', 'roi_align_backward'],
        'sigmoid_focal_loss': ['sigmoid_focal_loss_forward', 'sigmoid_focal_loss_backward'],
        # Python in mmcv itself.
        'point_sample': [],
        'rel_roi_point_to_rel_img_point': [],
        'CornerPool': [],
        'CrissCrossAttention': [],
        'ConcatCell': [],
        'GlobalPoolingCell': [],
        'SumCell': [],
    }
    seen = set()
    for package in ('mmseg', 'mmdet'):
        root = importlib.util.find_spec(package).submodule_search_locations[0]
        for info in pkgutil.walk_packages([f'{root}/models'], f'{package}.models.'):
            source = info.module_finder.find_spec(info.name).loader.get_source(info.name)
            for names in re.findall(r'from mmcv\.ops[.\w]* import \(?([\w, ]+)', source):
                seen |= {name.split(' as ')[0].strip() for name in names.split(',')}
    assert 'point_sample' in seen
    assert seen <= set(behind), f'not accounted for: {sorted(seen - set(behind))}'
    for name in seen:
        assert set(behind[name]) <= set(ops.OPS), name
