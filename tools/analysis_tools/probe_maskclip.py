"""What decides whether MaskCLIP's steps help: measured for one CLIP on one data set, no training.

    python tools/analysis_tools/probe_maskclip.py toy_maskclip --weights toy
    python tools/analysis_tools/probe_maskclip.py maskclip_vit-b16_context59 --scenes 100

A row is a variant's mIoU and pixel accuracy over the same validation images, in percent; a line
with '=' is a mean. Rows in brackets read the truth: they are ceilings, or show what a step does to
labels that are right. Whole images are used, and masks of all classes, so that this is for
understanding a result, not for tuning a zero-shot one.
"""

import argparse
import logging
from collections import defaultdict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.config import Config, DictAction
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from mmseg_zsclip.apis.launch import load_config
from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import Parser
from mmseg_zsclip.clip.checkpoint import load_text
from mmseg_zsclip.clip.prompts import class_embeddings, get_templates
from mmseg_zsclip.engine.progress import ProgressBar
from mmseg_zsclip.evaluation.scores import pixel_areas, summarise
from mmseg_zsclip.models.maskclip import DROPPED, MaskCLIPHead, drop_absent, smooth_by_keys
from mmseg_zsclip.registry import DATASETS, MODELS
from mmseg_zsclip.vocabulary.labels import ignore_index

FACTORS = (0.5, 0.75, 1.25, 1.5)  # of the config's input size


class Tally:
    """Sums over images by section: each row's pixel areas (3, C), each fact's values and number."""

    def __init__(self, classes: int) -> None:
        self.classes, self.ignore = classes, ignore_index(classes)
        self.areas, self.facts = defaultdict(dict), defaultdict(dict)

    def row(self, section: str, name: str, scores: Tensor, label: Tensor) -> Tensor:
        """Counts scores (1, C, h, w) at the size of the label (H, W); returns their classes."""
        found = F.interpolate(scores, size=label.shape, mode='bilinear')[0].argmax(0)
        areas = pixel_areas(found, label, self.classes, self.ignore).cpu()
        self.areas[section][name] = self.areas[section].get(name, 0) + areas
        return found

    def fact(self, section: str, name: str, values: Tensor) -> None:
        """Values to average over all images; there may be none."""
        total, count = self.facts[section].get(name, (0.0, 0))
        self.facts[section][name] = total + values.float().sum().item(), count + values.numel()

    def scores(self, section: str, name: str) -> dict[str, float]:
        return summarise(self.areas[section][name].numpy(), ())

    def mean(self, section: str, name: str) -> float:
        total, count = self.facts[section][name]
        return total / count if count else float('nan')

    def text(self) -> str:
        lines = [f'{"":54} {"mIoU":>6} {"pAcc":>6}']
        for section, rows in self.areas.items():
            lines.append(section)
            for name in rows:
                found = self.scores(section, name)
                lines.append(f'  {name:52} {found["mIoU"]:6.1f} {found["pAcc"]:6.1f}')
            lines += [f'  {name} = {self.mean(section, name):.4g}' for name in self.facts[section]]
        return '\n'.join(lines)


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """(H, W) classes -> (1, C, H, W), 0 everywhere where there is none."""
    return torch.stack([(labels == c).float() for c in range(classes)])[None]


def patch_truth(label: Tensor, grid: Sequence[int], classes: int) -> Tensor:
    """The commonest class of every patch (h, w) of a label map (H, W); -1 where all is ignored."""
    shares = F.adaptive_avg_pool2d(one_hot(label, classes), tuple(grid))[0]
    return shares.argmax(0).where(shares.amax(0) > 0, -1)


def probe_keys(tally: Tally, scores: Tensor, keys: Tensor, truth: Tensor, label: Tensor) -> None:
    """Eq. 5 of the predictions, of labels that are right, and with keys that know the classes."""
    section, keys = 'key smoothing', F.normalize(keys, dim=1)
    pred, right = scores.softmax(1), one_hot(truth, tally.classes)
    for power in (1, 8):  # 1 is Eq. 5's
        tally.row(section, f'cosine to the power {power}', smooth_by_keys(pred, keys, power), label)
        tally.row(
            section,
            f'[the same, of the true labels, power {power}]',
            smooth_by_keys(right, keys, power),
            label,
        )
    truth, flat = truth.flatten(), keys.flatten(2)[0]
    same, known = truth[:, None] == truth, truth >= 0
    perfect = (pred.flatten(2)[0] @ same.float()).view_as(pred)
    tally.row(section, '[perfect keys: 1 within a class, 0 across]', perfect, label)
    cosine, both = flat.T @ flat, (known[:, None] & known).fill_diagonal_(False)
    tally.fact(section, 'cosine of two keys of one class', cosine[both & same])
    tally.fact(section, 'cosine of two keys of different classes', cosine[both & ~same])


def probe_denoising(tally: Tally, scores: Tensor, label: Tensor, threshold: float) -> None:
    """Which classes go, which should, and how many pixels that could change."""
    section = f'prompt denoising at {threshold:g}'
    valid = label != tally.ignore
    absent = torch.bincount(label[valid], minlength=tally.classes) == 0
    weak = scores.softmax(1).flatten(2)[0].amax(1) < threshold
    tally.row(section, 'classes below it dropped', drop_absent(scores, threshold), label)
    gone = scores.masked_fill(absent[:, None, None], DROPPED)
    tally.row(section, '[exactly the absent classes dropped]', gone, label)
    found = F.interpolate(scores, size=label.shape, mode='bilinear')[0].argmax(0)
    for name, which in (
        ('absent classes that go', weak[absent]),
        ('present classes that go', weak[~absent]),
        ('pixels given to an absent class', absent[found[valid]]),
        ('pixels given to a class that goes', weak[found[valid]]),
        ('pixels of a class that goes', weak[label[valid]]),
    ):
        tally.fact(section, f'share of {name}', which)


def dense_scores(model: nn.Module, img: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Scores (1, C, h, w) before any refinement, features and keys of an image (1, 3, H, W)."""
    features, keys = model.backbone(img)
    head = model.decode_head
    return head.fold_background(head.similarities(features)), features, keys


def probe_sizes(
    tally: Tally,
    model: nn.Module,
    img: Tensor,
    label: Tensor,
    plain: Tensor,
    factors: Sequence[float],
) -> None:
    """The image at other sizes, alone and averaged with its own; who is right where they differ."""
    section, stride = 'input size', model.backbone.arch.stride
    plain = F.interpolate(plain, size=label.shape, mode='bilinear')
    own = plain[0].argmax(0)
    for factor in factors:
        name, size = (
            f'x {factor:g}',
            [max(round(side * factor / stride), 1) * stride for side in img.shape[2:]],
        )
        scores, *_ = dense_scores(
            model, F.interpolate(img, size=size, mode='bilinear', antialias=True)
        )
        truth = one_hot(patch_truth(label, scores.shape[2:], tally.classes), tally.classes)
        found = tally.row(section, name, scores, label)
        tally.row(section, f'[{name}: the true class of every patch]', truth, label)
        scores = F.interpolate(scores, size=label.shape, mode='bilinear')
        tally.row(section, f'{name} averaged with x 1', plain.softmax(1) + scores.softmax(1), label)
        differ = (found != own) & (label != tally.ignore)
        tally.fact(
            section, f'share of pixels where {name} and x 1 differ', differ[label != tally.ignore]
        )
        tally.fact(section, f'  right there: {name}', (found == label)[differ])
        tally.fact(section, f'  right there: x 1, not {name}', (own == label)[differ])


def probe_prompts(
    tally: Tally, head: MaskCLIPHead, features: Tensor, each: Tensor, mean: Tensor, label: Tensor
) -> None:
    """Prompts one by one, `each` (T, C, d), and their ensemble, `mean` (C, d)."""
    section, average = f'{len(each)} prompts', each.mean(0)
    flat = F.normalize(features)[0].flatten(1)
    together = head.scale * (mean @ flat).unflatten(1, features.shape[2:])[None]
    tally.row(section, 'all together', head.fold_background(together), label)
    changed = (each @ flat).argmax(1) != (mean @ flat).argmax(0)
    tally.fact(section, 'share of patches that the ensemble changes', changed)
    tally.fact(section, 'cosine of a prompt with the ensemble', (each * mean).sum(-1))
    over_prompts, over_classes = (each - average).square(), (average - average.mean(0)).square()
    tally.fact(
        section, 'variance over prompts / over classes', over_prompts.mean() / over_classes.mean()
    )


def probe_path(tally: Tally, model: nn.Module, img: Tensor, truth: Tensor, label: Tensor) -> None:
    """The parts that section 3.3 adds up in a ViT's last block, each read as features."""
    section, visual, head = 'last block', model.backbone.visual, model.decode_head
    x, grid = visual.embed(img)
    for block in visual.blocks[:-1]:
        x = block(x)
    block = visual.blocks[-1]

    def mlp(out: Tensor) -> Tensor:
        return block.mlp(block.ln_2(out))

    value, residual = block.attn.values(block.ln_1(x))[:, 1:], x[:, 1:]
    both = value + residual
    parts = {
        'value': value,
        '+ feed-forward': value + mlp(value),
        '+ residual': both,
        '+ residual + feed-forward (section 3.3)': both + mlp(both),
        'residual alone': residual,
        'feed-forward alone': mlp(both),
    }
    own = truth.flatten()
    for name, part in parts.items():
        features = visual.project(part).transpose(1, 2).unflatten(2, grid)
        scores = head.fold_background(head.similarities(features))
        tally.row(section, name, scores, label)
        if '+' not in name:
            cosine = scores[0].flatten(1).T[own >= 0].gather(1, own[own >= 0, None]) / head.scale
            tally.fact(section, f'{name}: norm', part.norm(dim=-1))
            tally.fact(section, f'{name}: cosine with the text of its class', cosine)


@torch.no_grad()
def probe(cfg: Config, scenes: int = 50, factors: Sequence[float] = FACTORS) -> Tally:
    """Everything, over `scenes` validation images of a MaskCLIP config, evenly spaced.

    Raises:
        ValueError: no scene, or a model of another method.
    """
    if scenes < 1:
        raise ValueError(f'--scenes is {scenes}; give 1 or more.')
    if not cfg.model.decode_head.type.endswith('MaskCLIPHead'):
        raise ValueError(
            f'{cfg.filename} has a {cfg.model.decode_head.type}, this probe takes '
            'MaskCLIPHead apart. Give a config of configs/maskclip.'
        )
    init_default_scope('mmseg')
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.to(get_device()).eval()
    head, vocabulary = model.decode_head, model.vocabulary
    dataset = DATASETS.build(cfg.val_dataloader.dataset)
    text = load_text(vocabulary.arch, vocabulary.weights).to(get_device())
    each = torch.stack(
        [class_embeddings(text, vocabulary.rows, [one]) for one in get_templates('imagenet')]
    )
    mean = class_embeddings(text, vocabulary.rows, 'imagenet')
    tally = Tally(model.num_classes)
    chosen = range(0, len(dataset), max(len(dataset) // scenes, 1))[:scenes]
    bar = ProgressBar(f'{len(chosen)} images', len(chosen))
    for done, index in enumerate(chosen, 1):
        data = model.data_preprocessor(pseudo_collate([dataset[index]]), False)
        img, label = data['inputs'], data['data_samples'][0].gt_sem_seg.data[0].long()
        scores, features, keys = dense_scores(model, img)
        truth = patch_truth(label, scores.shape[2:], tally.classes)
        tally.row('plain', "the config's path", scores, label)
        tally.row('plain', '[the true class of every patch]', one_hot(truth, tally.classes), label)
        if not model.backbone.arch.is_resnet:
            probe_path(tally, model, img, truth, label)
        probe_keys(tally, scores, keys, truth, label)
        probe_denoising(tally, scores, label, head.pd_thresh or 0.5)
        probe_sizes(tally, model, img, label, scores, factors)
        probe_prompts(tally, head, features, each, mean, label)
        bar.update(done)
    bar.close()
    return tally


def main(argv: Sequence[str] | None = None) -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('--weights', help="CLIP weights; the config's own if left out")
    parser.add_argument('--scenes', type=int, default=50, help='validation images (%(default)s)')
    parser.add_argument('--sizes', type=float, nargs='+', default=FACTORS, metavar='FACTOR')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    args = parser.parse_args(argv)
    logging.disable(logging.INFO)  # a line for every tensor that was loaded
    cfg = load_config(args.config, weights=args.weights, options=args.cfg_options)
    print(probe(cfg, args.scenes, args.sizes).text())


if __name__ == '__main__':
    run_tool(main)
