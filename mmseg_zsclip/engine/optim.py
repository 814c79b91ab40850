"""Optimizer settings that say what they matched, and mixed precision on any device."""

from difflib import get_close_matches

import mmengine.optim
import torch
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.registry import OPTIMIZERS
from torch import nn
from torch.cuda.amp import GradScaler

from ..registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class AmpOptimWrapper(mmengine.optim.AmpOptimWrapper):
    """MMEngine's, but on a CPU too: the forward pass in bfloat16, whose range needs no loss scale.

    Raises:
        ValueError: another `dtype` on a CPU.
    """

    def __init__(
        self, loss_scale: str | float | dict = 'dynamic', dtype: str | None = None, **kwargs
    ) -> None:
        if get_device() != 'cpu':
            super().__init__(loss_scale, dtype, **kwargs)
            return
        if dtype not in (None, 'bfloat16'):
            raise ValueError(
                f"dtype of AmpOptimWrapper is {dtype!r}; a CPU has 'bfloat16' alone. "
                'Leave dtype out.'
            )
        OptimWrapper.__init__(self, **kwargs)
        self.cast_dtype = torch.bfloat16
        self.loss_scaler = GradScaler(enabled=False)
        self._scale_update_param = None


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class StrictOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """MMEngine's constructor over the trained parameters, in which every custom key must match.

    A key of `paramwise_cfg.custom_keys` that is part of no trained parameter's name is an error:
    a misspelt one would train that part at the wrong rate, silently. Frozen parameters stay out
    of the optimizer. Counts of trained and frozen parameters are logged.

    Raises:
        ValueError: a key that matches nothing, nothing to train, or no such optimizer.
    """

    def __call__(self, model: nn.Module):
        model = getattr(model, 'module', model)
        trained = {n: p.numel() for n, p in model.named_parameters() if p.requires_grad}
        frozen = sum(p.numel() for p in model.parameters() if not p.requires_grad)
        if not trained:
            raise ValueError(
                'no parameter of the model is trained: all are frozen. Lower '
                'frozen_stages, or evaluate without training.'
            )
        kind = self.optimizer_cfg.get('type')
        if isinstance(kind, str) and OPTIMIZERS.get(kind) is None:
            names = sorted(OPTIMIZERS.module_dict)
            near = get_close_matches(kind, names, 3, 0.4)
            raise ValueError(
                f'optim_wrapper.optimizer.type is {kind!r}, which is no optimizer. '
                f'{"Nearest" if near else "Legal"}: {", ".join(near or names)}.'
            )
        custom = (self.paramwise_cfg or {}).get('custom_keys', {})
        dead = [key for key in custom if not any(key in name for name in trained)]
        if dead:
            parts = sorted({'.'.join(name.split('.')[:2]) for name in trained})
            raise ValueError(
                f'custom_keys {dead} of paramwise_cfg are part of no trained '
                f'parameter; trained parts are {parts}. Correct the key or remove it.'
            )
        print_log(
            f'trained parameters: {sum(trained.values()):,} in {len(trained)} tensors; '
            f'frozen: {frozen:,}',
            logger='current',
        )
        return super().__call__(model)

    def add_params(
        self, params: list, module: nn.Module, prefix: str = '', is_dcn_module=None
    ) -> None:
        if any(p.requires_grad for p in module.parameters()):  # frozen parts: no line in the log
            super().add_params(params, module, prefix, is_dcn_module)
