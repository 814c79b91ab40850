"""Optimizer settings that say what they matched."""
from mmengine.logging import print_log
from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from ..registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class StrictOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """MMEngine's constructor over the trained parameters, in which every custom key must match.

    A key of `paramwise_cfg.custom_keys` that is part of no trained parameter's name is an error:
    a misspelt one would train that part at the wrong rate, silently. Frozen parameters stay out
    of the optimizer. Counts of trained and frozen parameters are logged.
    """

    def __call__(self, model: nn.Module):
        model = getattr(model, 'module', model)
        trained = {n: p.numel() for n, p in model.named_parameters() if p.requires_grad}
        frozen = sum(p.numel() for p in model.parameters() if not p.requires_grad)
        if not trained:
            raise ValueError('no parameter of the model is trained: all are frozen. Lower '
                             'frozen_stages, or evaluate without training.')
        custom = (self.paramwise_cfg or {}).get('custom_keys', {})
        dead = [key for key in custom if not any(key in name for name in trained)]
        if dead:
            parts = sorted({'.'.join(name.split('.')[:2]) for name in trained})
            raise ValueError(f'custom_keys {dead} of paramwise_cfg are part of no trained '
                             f'parameter; trained parts are {parts}. Correct the key or remove it.')
        print_log(f'trained parameters: {sum(trained.values()):,} in {len(trained)} tensors; '
                  f'frozen: {frozen:,}', logger='current')
        return super().__call__(model)

    def add_params(self, params: list, module: nn.Module, prefix: str = '',
                   is_dcn_module=None) -> None:
        if any(p.requires_grad for p in module.parameters()):  # frozen parts: no line in the log
            super().add_params(params, module, prefix, is_dcn_module)
