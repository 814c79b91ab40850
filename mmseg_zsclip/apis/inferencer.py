"""MMSegmentation's inferencer with words as an argument, for those who know its ways of drawing and
saving; `ZeroShotSegmenter` is the shorter call."""

from copy import copy
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmseg.apis import MMSegInferencer

from ..models.vocabulary import OpenVocabulary
from ..registry import INFERENCERS
from .building import built, in_scope
from .configs import what_is_missing
from .launch import load_config, set_weights
from .model_list import named_model
from .words import Classes, prompts_of


@INFERENCERS.register_module()
class ZeroShotInferencer(MMSegInferencer):
    """`MMSegInferencer` of any config of ours; its call takes `texts`.

        inferencer = ZeroShotInferencer('toy_maskclip')
        inferencer('photo.jpg', texts=['sky, clouds', 'grass'], out_dir='out')

    Pictures have the names and colours of the texts, and no Cityscapes classes. Nothing of the
    model changes in a call.

    Args:
        model: a config's path or name, or a name of `zsclip models`.
        weights: the checkpoint of a model that is trained.
        clip_weights: of every tower, in the place of the config's.
        device: see mmengine's `BaseInferencer`.
        scope: default scope of the registries.

    Raises: as `ZeroShotSegmenter`.
    """

    def __init__(
        self,
        model: str | Path,
        weights: str | Path | None = None,
        clip_weights: str | None = None,
        device: str | None = None,
        scope: str = 'mmseg',
    ) -> None:
        self.name, self.made = str(model), named_model(model).checkpoint
        cfg = load_config(named_model(model).config)
        if clip_weights is not None:
            set_weights(cfg, clip_weights)
        super().__init__(cfg, None if weights is None else str(weights), device=device, scope=scope)

    def _init_model(self, cfg: Config, weights: str | None, device: str) -> OpenVocabulary:
        with what_is_missing(cfg), in_scope(self.scope):
            return built(cfg, weights, self.name, self.made).to(device)

    def __call__(
        self, inputs: 'str | np.ndarray | list', texts: Classes | None = None, **options
    ) -> dict:
        """Args:
            inputs: paths, or arrays in BGR, as mmseg's.
            texts: see `read_classes`, each text of a dict a class; the config's classes if left
                out.
            options: of `MMSegInferencer.__call__`.

        Returns: as there.
        """
        texts = self.model.vocabulary.classes if texts is None else texts
        one = copy(self)
        one.model = self.model.with_classes(list(prompts_of(texts, False, '').texts))
        one.visualizer = copy(self.visualizer)
        with torch.inference_mode():
            out = MMSegInferencer.__call__(one, inputs, **options)
        self.num_visualized_imgs, self.num_pred_imgs = one.num_visualized_imgs, one.num_pred_imgs
        return out
