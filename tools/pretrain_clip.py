"""Pre-train a CLIP contrastively on photos and captions; captions can be made from label maps.

    python tools/pretrain_clip.py --images DIR --labels DIR --names camvid --minutes 30 --out DIR
    python tools/pretrain_clip.py --captions pairs.tsv --minutes 30 --out DIR
    python tools/pretrain_clip.py --scenes 9000 --icons 3000 --minutes 30 --out DIR

The result (`contrastive.pt`, and `dense.pt` with --patch-term) is a file for `load_clip`.
"""

import argparse
from pathlib import Path

import torch

from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import Parser
from mmseg_zsclip.clip.archs import get_arch
from mmseg_zsclip.clip.checkpoint import load_clip
from mmseg_zsclip.clip.model import CLIP
from mmseg_zsclip.engine.folder_lock import in_use
from mmseg_zsclip.experiments.pretraining.batches import CaptionedBatches, LabelledBatches
from mmseg_zsclip.experiments.pretraining.captions import SCENE_TEMPLATES, CaptionWriter, Presence
from mmseg_zsclip.experiments.pretraining.crops import CropSampler
from mmseg_zsclip.experiments.pretraining.forward import PATHS
from mmseg_zsclip.experiments.pretraining.photos import load_captioned, load_labelled
from mmseg_zsclip.experiments.pretraining.recipe import Recipe
from mmseg_zsclip.experiments.pretraining.toy_batches import scene_batches
from mmseg_zsclip.experiments.pretraining.trainer import Trainer
from mmseg_zsclip.vocabulary.class_names import split_names
from mmseg_zsclip.vocabulary.lists import canonical, load_classes


def parse_args(argv=None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_source_arguments(parser.add_argument_group('photos and captions'))
    add_recipe_arguments(parser.add_argument_group('recipe'))
    parser.add_argument(
        '--arch', default='ViT-XS-8', help='architecture name (default %(default)s)'
    )
    parser.add_argument('--init', help='weights to begin with: a file of an earlier run')
    parser.add_argument('--out', type=Path, required=True, help='folder of the results')
    parser.add_argument('--half', action='store_true', help='write the checkpoints in float16')
    parser.add_argument('--resume', action='store_true', help='continue from OUT/state.pt')
    parser.add_argument('--save-minutes', type=float, default=3, help='between two states')
    parser.add_argument('--log-every', type=int, default=50, help='steps between two log lines')
    parser.add_argument('--threads', type=int, help="CPU threads (default: torch's)")
    parser.add_argument('--device', default='cpu')
    return parser.parse_args(argv)


def add_source_arguments(group) -> None:
    group.add_argument('--images', type=Path, help='folder of photos')
    group.add_argument('--labels', type=Path, help='folder of label maps, same relative names')
    group.add_argument('--names', help='class names: a shipped list or a .txt file')
    group.add_argument('--captions', type=Path, help='.tsv (image, caption) or .jsonl file instead')
    group.add_argument('--scenes', type=int, help='so many scenes of the toy world instead')
    group.add_argument('--icons', type=int, default=0, help='pictures of single things beside them')
    group.add_argument(
        '--include', nargs='+', default=[], metavar='GLOB', help='only these file names'
    )
    group.add_argument('--image-suffix', default='.jpg')
    group.add_argument('--label-suffix', default='.png')
    group.add_argument('--reduce-zero-label', action='store_true')
    group.add_argument(
        '--synonyms',
        nargs='+',
        default=[],
        metavar='"NAME, SYNONYM, ..."',
        help='more names of classes',
    )
    group.add_argument(
        '--present', type=float, default=0.03, help='share of a crop from which a class is shown'
    )
    group.add_argument(
        '--doubtful', type=float, default=0.004, help='share below which it is not shown'
    )
    group.add_argument('--present-of', nargs='+', default=[], metavar='NAME=SHARE')
    group.add_argument(
        '--height', type=int, default=180, help='photo height at which crops keep their scale'
    )
    group.add_argument(
        '--scale', type=float, nargs=2, default=(0.54, 1.75), help='crop side / crop size'
    )


def add_recipe_arguments(group) -> None:
    length = group.add_mutually_exclusive_group(required=True)
    length.add_argument('--minutes', type=float)
    length.add_argument('--steps', type=int)
    group.add_argument('--sizes', type=int, nargs='+', help='crop sizes (default: the image size)')
    group.add_argument(
        '--late-sizes', type=int, nargs='+', help='crop sizes later on (default: --sizes)'
    )
    group.add_argument('--patch-term', type=float, default=0.0, metavar='WEIGHT')
    group.add_argument('--patch-paths', nargs='+', default=list(PATHS))
    for name in (
        'late',
        'batch',
        'lr',
        'lr_rest',
        'weight_decay',
        'optimizer',
        'precision',
        'contrastive_share',
        'dense_lr',
        'jitter',
        'hold_class_token',
        'seed',
    ):
        default = getattr(Recipe, name)
        group.add_argument('--' + name.replace('_', '-'), type=type(default), default=default)


def build_recipe(args, image_size: int) -> Recipe:
    sizes = tuple(args.sizes or [image_size])
    return Recipe(
        steps=args.steps,
        minutes=args.minutes,
        sizes=sizes,
        late_sizes=tuple(args.late_sizes or sizes),
        late=args.late,
        batch=args.batch,
        lr=args.lr,
        lr_rest=args.lr_rest,
        weight_decay=args.weight_decay,
        optimizer=args.optimizer,
        precision=args.precision,
        patch_weight=args.patch_term,
        patch_paths=tuple(args.patch_paths),
        contrastive_share=args.contrastive_share,
        dense_lr=args.dense_lr,
        jitter=args.jitter,
        hold_class_token=args.hold_class_token,
        seed=args.seed,
    )


def class_index(name: str, classes: list[str]) -> int:
    names = [canonical(entry) for entry in classes]
    if name.strip() not in names:
        raise ValueError(
            f'{name.strip()!r} is no class of the names file; its classes: {", ".join(names)}'
        )
    return names.index(name.strip())


def add_synonyms(classes: list[str], synonyms: list[str]) -> list[str]:
    classes = list(classes)
    for entry in synonyms:
        name, *more = split_names(entry)
        index = class_index(name, classes)
        classes[index] = ', '.join([classes[index], *more])
    return classes


def build_presence(args, classes: list[str]) -> Presence:
    shares = {}
    for entry in args.present_of:
        name, _, share = entry.partition('=')
        try:
            shares[class_index(name, classes)] = float(share)
        except ValueError as error:
            raise ValueError(
                f'--present-of {entry!r} is not NAME=SHARE, e.g. pole=0.02 ({error})'
            ) from error
    return Presence(args.present, args.doubtful, shares)


def build_batches(args):
    """Photos in memory and what makes batches of them."""
    if args.scenes:
        return scene_batches(args.scenes, args.icons, args.scale, args.jitter)
    if args.captions:
        if args.patch_term:
            raise ValueError(
                '--patch-term needs tags: give --images, --labels, --names instead of --captions'
            )
        photos = load_captioned(args.captions, args.include)
        return CaptionedBatches(CropSampler(photos, 0, args.height, args.scale), args.jitter)
    if not (args.images and args.labels and args.names):
        raise ValueError(
            'give --images, --labels and --names (captions from label maps), --captions FILE, or'
            ' --scenes N'
        )
    classes = add_synonyms(load_classes(args.names), args.synonyms)
    photos = load_labelled(
        args.images,
        args.labels,
        len(classes),
        args.include,
        args.image_suffix,
        args.label_suffix,
        args.reduce_zero_label,
    )
    writer = CaptionWriter(classes, SCENE_TEMPLATES)
    crops = CropSampler(photos, len(classes), args.height, args.scale)
    return LabelledBatches(crops, build_presence(args, classes), writer, args.jitter)


def main(argv=None) -> None:
    args = parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    arch = get_arch(args.arch)
    recipe = build_recipe(args, arch.image_size)
    batches = build_batches(args)
    print(f'{len(batches.crops.photos)} photos in memory', flush=True)
    torch.manual_seed(recipe.seed)
    trainer = Trainer(
        (load_clip(arch, args.init) if args.init else CLIP(arch)).to(args.device),
        batches,
        recipe,
        args.out,
        dict(
            photos=len(batches.crops.photos),
            include=args.include,
            names=args.names,
            init=args.init,
        ),
        args.half,
    )
    with in_use(args.out):
        if args.resume:
            trainer.load_state()
        elif (args.out / 'state.pt').exists():
            raise ValueError(f'{args.out} already holds a run; add --resume or give another --out')
        trainer.run(args.save_minutes, args.log_every)


if __name__ == '__main__':
    run_tool(main)
