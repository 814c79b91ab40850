import pytest
from mmengine.optim import build_optim_wrapper
from torch import nn


def build(model, **paramwise):
    return build_optim_wrapper(
        model,
        dict(
            constructor='mmseg_zsclip.StrictOptimWrapperConstructor',
            optimizer=dict(type='AdamW', lr=1.0, weight_decay=0.5),
            paramwise_cfg=dict(norm_decay_mult=0.0, **paramwise),
        ),
    )


@pytest.fixture
def model():
    model = nn.ModuleDict(
        dict(backbone=nn.Linear(2, 2), norm=nn.LayerNorm(2), decode_head=nn.Linear(2, 3))
    )
    model['backbone'].requires_grad_(False)
    return model


def test_learning_rate_key_that_matches_nothing_is_an_error(model):
    with pytest.raises(ValueError, match=r"custom_keys \['image_encoder'\].*trained parts are"):
        build(model, custom_keys={'image_encoder': dict(lr_mult=0.1)})


def test_key_of_a_frozen_part_is_an_error(model):
    with pytest.raises(ValueError, match=r"\['backbone'\]"):
        build(model, custom_keys={'backbone': dict(lr_mult=0.1)})


def test_an_unknown_optimizer_is_answered_with_the_nearest(model):
    wrapper = dict(
        constructor='mmseg_zsclip.StrictOptimWrapperConstructor', optimizer=dict(type='Adm', lr=1.0)
    )
    with pytest.raises(ValueError, match="'Adm', which is no optimizer. Nearest: Adam, "):
        build_optim_wrapper(model, wrapper)


def test_everything_frozen_is_an_error(model):
    with pytest.raises(ValueError, match='no parameter of the model is trained'):
        build(model.requires_grad_(False))


def test_frozen_parameters_stay_out_and_options_apply(model):
    groups = build(model, custom_keys={'decode_head': dict(lr_mult=0.1)}).optimizer.param_groups
    params = [p for g in groups for p in g['params']]
    assert len(params) == 4
    assert all(p.requires_grad for p in params)
    by_id = {id(p): g for g in groups for p in g['params']}
    assert by_id[id(model['decode_head'].weight)]['lr'] == pytest.approx(0.1)
    assert by_id[id(model['norm'].weight)]['weight_decay'] == 0


def test_mixed_precision_of_a_cpu_is_bfloat16_alone(model, monkeypatch):
    monkeypatch.setattr('mmseg_zsclip.engine.optim.get_device', lambda: 'cpu')
    with pytest.raises(
        ValueError, match="dtype of AmpOptimWrapper is 'float16'; a CPU has 'bfloat16'"
    ):
        build_optim_wrapper(
            model,
            dict(
                type='mmseg_zsclip.AmpOptimWrapper',
                dtype='float16',
                optimizer=dict(type='SGD', lr=1.0),
            ),
        )


def test_counts_are_logged(model, caplog):
    from mmengine.logging import MMLogger

    logger = MMLogger.get_instance('optim-test')
    logger.addHandler(caplog.handler)
    build(model)
    assert 'trained parameters: 13 in 4 tensors; frozen: 6' in caplog.text
