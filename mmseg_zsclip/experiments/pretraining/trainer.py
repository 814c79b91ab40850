"""The training loop: one step, the log, checkpoints and taking up again where a run stopped."""

import json
import time
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...checkpoints import read_checkpoint
from ...clip.checkpoint import save_clip
from ...clip.model import CLIP
from ...files import made_folder, whole_file
from . import forward
from .batches import Batch
from .loss import contrastive_loss, patch_tag_loss
from .recipe import Recipe, build_optimizers

MAX_SCALE = 100.0


def small_attention(device: torch.device):
    """On a CPU the flash kernel is slower than plain matrix products at a few dozen tokens."""
    if device.type != 'cpu' or not hasattr(nn, 'attention'):
        return nullcontext()
    return nn.attention.sdpa_kernel(nn.attention.SDPBackend.MATH)


class Trainer:
    """Trains a CLIP and writes `contrastive.pt`, `dense.pt`, `state.pt` and `log.jsonl` into `out`.

    Args:
        model: trained in place, on its own device.
        batches: has `draw(size, batch, rng)`.
        meta: stored in the checkpoints beside the recipe.
        half: write the checkpoints in float16.
    """

    def __init__(
        self,
        model: CLIP,
        batches,
        recipe: Recipe,
        out: Path,
        meta: dict | None = None,
        half: bool = False,
    ) -> None:
        self.model, self.batches, self.recipe, self.out = model, batches, recipe, out
        self.meta, self.half = meta or {}, half
        arch = model.arch
        for size in (*recipe.sizes, *recipe.late_sizes):
            if size < arch.stride or size % arch.stride:
                raise ValueError(
                    f'crop size {size} is no multiple of {arch.stride}, the patch (or stride) of '
                    f'{arch.name}; use e.g. {arch.image_size}'
                )
        for option in ('patch_weight', 'hold_class_token'):
            if getattr(recipe, option) and arch.is_resnet:
                flag = '--' + option.replace('_weight', '_term').replace('_', '-')
                raise ValueError(
                    f'{flag} needs a ViT; {arch.name!r} is a ModifiedResNet. Set it to 0.'
                )
        self.none_logit = nn.Parameter(torch.zeros((), device=model.logit_scale.device))
        self.optimizers = build_optimizers(model, [self.none_logit], recipe)
        self.step, self.elapsed, self.contrastive_saved = 0, 0.0, False

    @property
    def progress(self) -> float:
        """Share of the run that is done."""
        if self.recipe.steps is not None:
            return self.step / self.recipe.steps
        return self.elapsed / (60 * self.recipe.minutes)

    def image_features(self, images: Tensor, rng: np.random.Generator, dense: bool):
        """Image embeddings (B, d) and, if `dense`, patch features (B, N, d) by path."""
        visual, arch = self.model.visual, self.model.arch
        if arch.is_resnet:
            return visual(images), {}
        spare = arch.grid - images.shape[-1] // arch.patch_size
        offset = tuple(rng.integers(spare + 1, size=2)) if spare > 0 else None
        held = None
        if self.recipe.hold_class_token:
            held = torch.from_numpy(rng.random(len(images)) < self.recipe.hold_class_token)
            held = held.to(images.device)
        tokens = forward.to_last_block(visual, forward.embed_window(visual, images, offset), held)
        if dense:
            return forward.dense_embeddings(visual, tokens)
        return forward.image_embedding(visual, tokens), {}

    def losses(self, batch: Batch, rng: np.random.Generator, dense: bool) -> dict[str, Tensor]:
        device = self.model.logit_scale.device
        bf16 = torch.autocast(device.type, torch.bfloat16, enabled=self.recipe.precision == 'bf16')
        with small_attention(device), bf16:
            image, patches = self.image_features(batch.images.to(device), rng, dense)
            text = self.model.text(batch.tokens.to(device))
        text = F.normalize(text.float(), dim=-1)
        scale = self.model.logit_scale.exp()
        logits = scale * F.normalize(image.float(), dim=-1) @ text.T
        losses = dict(nce=contrastive_loss(logits, batch.target.to(device)))
        if dense:
            words, tags = text[batch.single.to(device)], batch.tags.to(device)
            for path in self.recipe.patch_paths:
                at = scale * F.normalize(patches[path].float(), dim=-1) @ words.T
                at = torch.cat([at, self.none_logit.expand(*at.shape[:2], 1)], dim=-1)
                top = max(1, round(at.shape[1] ** 0.5 / 2))
                losses[path] = patch_tag_loss(at, tags, top)
        return losses

    def train_step(self) -> dict[str, float]:
        """One update; its losses. The random numbers depend on the seed and the step alone."""
        rng = np.random.default_rng([self.recipe.seed, self.step])
        progress = self.progress
        dense = progress >= self.recipe.contrastive_end
        size = int(rng.choice(self.recipe.crop_sizes(progress)))
        count = max(2, round(self.recipe.batch * self.model.arch.image_size / size))
        losses = self.losses(self.batches.draw(size, count, rng), rng, dense)
        patch = [losses[path] for path in losses if path != 'nce']
        total = losses['nce']
        if patch:
            total = total + self.recipe.patch_weight * torch.stack(patch).mean()
        if not torch.isfinite(total):
            raise FloatingPointError(f'the loss is {total.item()} at step {self.step}; lower --lr')
        total.backward()
        factor = self.recipe.lr_factor(progress)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group['lr'] = group['peak_lr'] * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            self.model.logit_scale.clamp_(max=float(np.log(MAX_SCALE)))
        self.step += 1
        return dict({name: loss.item() for name, loss in losses.items()}, size=size, images=count)

    def run(self, save_minutes: float = 3.0, log_every: int = 50) -> None:
        """Train to the end, saving the state every `save_minutes`."""
        made_folder(self.out)
        self.model.train()
        began = saved = logged = time.time()
        before, records = self.elapsed, []
        while self.progress < 1:
            records.append(self.train_step())
            now = time.time()
            self.elapsed = before + now - began
            if (
                self.recipe.patch_weight
                and self.progress >= self.recipe.contrastive_end
                and not self.contrastive_saved
            ):
                self.save_model('contrastive.pt')
                self.contrastive_saved = True
            if len(records) >= log_every or self.progress >= 1:
                self.log(records, now - logged)
                logged, records = now, []
            if now - saved > 60 * save_minutes:
                self.save_state()
                saved = now
        self.save_state()
        self.save_model('dense.pt' if self.recipe.patch_weight else 'contrastive.pt')

    def log(self, records: list[dict], seconds: float) -> None:
        row = dict(
            step=self.step, progress=round(self.progress, 4), minutes=round(self.elapsed / 60, 2)
        )
        for name in sorted({key for record in records for key in record} - {'size', 'images'}):
            row[name] = round(float(np.mean([r[name] for r in records if name in r])), 4)
        row['images_per_s'] = round(sum(r['images'] for r in records) / max(seconds, 1e-9), 1)
        row['scale'] = round(self.model.logit_scale.exp().item(), 2)
        row['lr_factor'] = round(self.recipe.lr_factor(self.progress), 4)
        with (self.out / 'log.jsonl').open('a') as file:
            file.write(json.dumps(row) + '\n')
        print(' '.join(f'{key} {value}' for key, value in row.items()), flush=True)

    def trained_words(self) -> Tensor:
        """(vocab_size,) bool: the token embeddings that ever had a gradient."""
        (sparse,) = (o for o in self.optimizers if isinstance(o, torch.optim.SparseAdam))
        # its sum of squared gradients is saved with the state, so a resumed run forgets no word
        return sparse.state[self.model.text.token_embedding.weight]['exp_avg_sq'].any(dim=1)

    def save_model(self, name: str) -> None:
        meta = dict(
            self.meta, recipe=asdict(self.recipe), step=self.step, minutes=self.elapsed / 60
        )
        save_clip(self.model, self.out / name, meta, self.half, self.trained_words())

    def save_state(self) -> None:
        """Everything that `load_state` needs, replacing the file in one move."""
        state = dict(
            model=self.model.state_dict(),
            none_logit=self.none_logit.detach(),
            optimizers=[optimizer.state_dict() for optimizer in self.optimizers],
            step=self.step,
            elapsed=self.elapsed,
            contrastive_saved=self.contrastive_saved,
            recipe=asdict(self.recipe),
        )
        with whole_file(self.out / 'state.pt') as partial:
            torch.save(state, partial)

    def load_state(self) -> None:
        """Continue the run whose `state.pt` is in `out`.

        Raises:
            ValueError: there is none, it is damaged (see `read_checkpoint`), or it is of another
                recipe (the differences are named).
        """
        path = self.out / 'state.pt'
        if not path.is_file():
            raise ValueError(f'--resume: no {path}; start without --resume')
        state = read_checkpoint(path, self.none_logit.device)
        ours, theirs = asdict(self.recipe), state['recipe']
        differ = [
            f'{key}: {theirs.get(key)} in the file, {ours[key]} asked'
            for key in ours
            if ours[key] != theirs.get(key)
        ]
        if differ:
            raise ValueError(
                f'--resume: {path} is of another recipe ({"; ".join(differ)}); use its arguments'
            )
        self.model.load_state_dict(state['model'])
        with torch.no_grad():
            self.none_logit.copy_(state['none_logit'])
        for optimizer, saved in zip(self.optimizers, state['optimizers'], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self.elapsed = state['step'], state['elapsed']
        self.contrastive_saved = state['contrastive_saved']
