"""Weights, gradients and the optimizer's state shared out among processes (torch's `fully_shard`),
in checkpoints that do not show it."""

from collections.abc import Collection, Mapping

import torch
import torch.distributed as dist
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.model import convert_sync_batchnorm
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from ..registry import RUNNERS
from .runner import ResumableRunner

BLOCKS = ('ResidualAttentionBlock',)


def share_out(model: nn.Module, units: Collection[str]) -> list[nn.Module]:
    """Leaves each process its share of the model's weights, which are those of the first process.
    The weights of a unit are put together while it runs; those of no unit for the whole of a step.

    Args:
        units: names of classes of modules that run through `forward`, or `cross`, alone.

    Returns: the units of the model, the model itself last.

    Raises:
        ValueError: no module is of a class in `units`.
        RuntimeError: torch is older than 2.6.
    """
    try:
        from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
    except ImportError:
        raise RuntimeError(
            f'sharing out a model needs torch 2.6 or later; found {torch.__version__}. Take a '
            'later one, or keep whole copies: '
            '--cfg-options runner_type=mmseg_zsclip.ResumableRunner'
        ) from None
    units = [units] if isinstance(units, str) else list(units)
    parts = [part for part in model.modules() if type(part).__name__ in units][::-1]  # inner first
    if not parts:
        own = sorted({type(part).__name__ for part in model.modules() if any(part.children())})
        raise ValueError(
            f'no module of the model is of a class in sharding.units, {units}; it has '
            f'{", ".join(own)}. Name many large ones, such as blocks of its tower.'
        )
    for tensor in model.state_dict().values():
        dist.broadcast(tensor, 0)
    for part in parts:
        fully_shard(part)
        if hasattr(part, 'cross'):
            register_fsdp_forward_method(part, 'cross')
    return [*parts, fully_shard(model)]


def together(node):
    """Every share in a dict or list of tensors as the whole tensor, on the CPU of the first
    process; all processes take part."""
    if isinstance(node, Mapping):
        return {key: together(value) for key, value in node.items()}
    if isinstance(node, list):
        return [together(value) for value in node]
    if not hasattr(node, 'full_tensor'):
        return node
    whole = node.full_tensor()
    return whole.cpu() if is_main_process() else None


def share_like(value: Tensor, like: Tensor) -> Tensor:
    """This process's share of a whole tensor, as that of `like` is; the tensor itself where `like`
    is whole or of another shape."""
    if not hasattr(like, 'full_tensor') or value.shape != like.shape:
        return value
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)


@RUNNERS.register_module()
class ShardedRunner(ResumableRunner):
    """Where there are several processes, each keeps its share of weights, gradients and optimizer
    state, see `share_out`: `sharding = dict(units=[...])` in a config names the units, else they
    are the blocks of CLIP's towers. Every process builds the whole model first.

    Checkpoints are those of a plain run and may come from one, of any number of processes. For a
    validation every process puts the whole weights together: windows of photos of several sizes
    are not equally many.

    Raises:
        ValueError, RuntimeError: while training, see `share_out`.
    """

    units = None  # shared out, once they are

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        if not self.distributed:
            return super().wrap_model(model_wrapper_cfg, model)
        sync_bn = self.cfg.get('sync_bn')
        return convert_sync_batchnorm(model, sync_bn) if sync_bn else model

    def build_optim_wrapper(self, optim_wrapper) -> OptimWrapper:
        if self.distributed and self.units is None:
            self._init_model_weights()  # they are read whole
            self.model.to(get_device())
            units = self.cfg.get('sharding', {}).get('units', BLOCKS)
            self.units = share_out(self.model, units)
            self.logger.info(
                f'{len(self.units) - 1} units and the rest of the model are shared out among '
                f'{self.world_size} processes'
            )
        return super().build_optim_wrapper(optim_wrapper)

    def _init_model_weights(self) -> None:
        if self.units is None:
            super()._init_model_weights()

    def gather(self) -> None:
        """Puts together what a checkpoint holds; every process takes part."""
        if self.units is not None:
            self.whole = (
                together(self.model.state_dict()),
                together(self.optim_wrapper.state_dict()),
            )

    def call_hook(self, fn_name: str, **kwargs) -> None:
        if self.units is not None:
            if fn_name == 'before_save_checkpoint':
                self._put_whole(kwargs['checkpoint'])
            elif fn_name in ('before_val', 'after_val'):
                self._keep_whole(fn_name == 'before_val')
        super().call_hook(fn_name, **kwargs)
        if self.units is not None and fn_name == 'after_load_checkpoint':
            self._share(kwargs['checkpoint'])  # behind the hooks, which want it whole

    def _put_whole(self, checkpoint: dict) -> None:
        (weights, optimizer), self.whole = self.whole, None
        checkpoint['state_dict'].update(weights)  # which holds more than tensors
        if 'optimizer' in checkpoint:
            checkpoint['optimizer'] = optimizer

    def _share(self, checkpoint: dict) -> None:
        ours = self.model.state_dict()
        weights = checkpoint.get('state_dict', checkpoint)
        for key, value in weights.items():
            name = key.removeprefix('module.')
            if name in ours:
                weights[key] = share_like(value, ours[name])
        if self._resume and 'optimizer' in checkpoint:
            groups = self.optim_wrapper.optimizer.param_groups
            params = [param for group in groups for param in group['params']]
            for i, state in checkpoint['optimizer']['state'].items():
                for key, value in state.items():
                    if isinstance(value, Tensor):
                        state[key] = share_like(value, params[i])

    def _keep_whole(self, whole: bool) -> None:
        for unit in self.units:
            unit.set_reshard_after_forward(not whole, recurse=False)
            if not whole:
                unit.reshard()
