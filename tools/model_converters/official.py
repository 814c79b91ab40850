"""Checkpoints that the authors' own code wrote, under our names.

    python tools/model_converters/official.py zegclip iter_20000.pth zegclip_voc.pth
    zsclip test voc_inductive_released zegclip_voc.pth
    python tools/model_converters/official.py maft maft.pth out.pth --config NAME
    python tools/model_converters/official.py masqclip panoptic.pth out.pth

Every tensor is accounted for: it has a place in our model, or no output depends on it. What is
left over, missing or of another shape is an error, and then nothing is written. OUT needs no CLIP
file: its text embeddings come from the text encoder in IN, or, of MasQCLIP, which has none in its
file, from the CLIP that the config names. `maft` takes stage 1 alone too, and
then OUT is of its config, or the `generator.checkpoint` of a stage 2. Arrays of numpy (.pkl) are
not read.
"""

import argparse
import sys
from pathlib import Path

import torch
from mmengine.registry import init_default_scope
from torch import Tensor

from mmseg_zsclip.apis.launch import load_config
from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import Parser
from mmseg_zsclip.clip.layouts import read_state
from mmseg_zsclip.clip.model import build_text
from mmseg_zsclip.clip.prompts import class_embeddings
from mmseg_zsclip.files import made_folder, whole_file
from mmseg_zsclip.models import released
from mmseg_zsclip.models.vocabulary import Vocabulary
from mmseg_zsclip.registry import MODELS

# prompts of a block -> the config of the release that has as many
ZEGCLIP = {10: 'voc_inductive_released', 100: 'coco_stuff_inductive_released'}
MASQCLIP = {133: 'coco_panoptic_masq_released', 48: 'coco_base_masq_released'}  # by its classes
TEXT = 'text_encoder.'
CLASS_WEIGHTS = 'decode_head.loss_decode.criterion.empty_weight'  # one more than it has classes


def zegclip(state: dict[str, Tensor], config: str | None = None) -> tuple[dict, str]:
    """ZegCLIP's tensors (float32, released names) as a state dict of `config`, and its name.

    Args:
        config: says the classes, their templates and every shape; found by the number of prompts
            if left out.

    Raises:
        ValueError: not a ZegCLIP checkpoint, no text encoder, a number of prompts that no config
            of the release has, or tensors unknown, missing or of other shapes: lists them.
    """
    text = {key: value for key, value in state.items() if key.startswith(TEXT)}
    ours = released.zegclip({key: value for key, value in state.items() if key not in text})
    if not text:
        raise ValueError(
            f'the checkpoint has no {TEXT}*, so the classes have no text embeddings. Give the '
            'whole '
            "file that the authors' train.py wrote: it holds CLIP's text encoder too."
        )
    prompts = ours['backbone.prompts'].shape[1] if 'backbone.prompts' in ours else 0
    config = config or ZEGCLIP.get(prompts)
    if config is None:
        raise ValueError(
            f'the checkpoint has {prompts} prompts a block, the release '
            f'{" or ".join(map(str, ZEGCLIP))}. Name its config: --config NAME.'
        )
    return fitted(ours | text, config, CLASS_WEIGHTS, state), config


def maft(state: dict[str, Tensor], config: str | None = None) -> tuple[dict, str]:
    """MAFT's tensors (float32, released names), or those of its stage 1 alone, as a state dict of
    `config`, and its name.

    Args:
        config: says the classes, their templates and every shape.

    Raises:
        ValueError: no config, not a MAFT checkpoint, trained on another number of classes, or
            tensors unknown, missing or of other shapes: lists them.
    """
    if config is None:
        raise ValueError(
            'a MAFT checkpoint does not say which classes it knows. Name its config: --config '
            'NAME, of a MAFT model whose QueryProposals have a `text`.'
        )
    return fitted(released.maft(state), config, 'criterion.empty_weight', state), config


def masqclip(state: dict[str, Tensor], config: str | None = None) -> tuple[dict, str]:
    """MasQCLIP's tensors (float32, released names) as a state dict of `config`, and its name. Text
    embeddings come from the CLIP that the config names.

    Args:
        config: found by the number of classes that it was trained on, if left out.

    Raises:
        ValueError: not a MasQCLIP checkpoint, trained on a number of classes that no config of the
            release or another than `config` has, or tensors unknown, missing or of other shapes:
            lists them.
    """
    ours = released.masqclip(state)
    count = len(state.get('criterion.empty_weight', [0])) - 1
    config = config or MASQCLIP.get(count)
    if config is None:
        raise ValueError(
            f'the checkpoint was trained on {count} classes, the release on '
            f'{" or ".join(map(str, MASQCLIP))}. Name its config: --config NAME.'
        )
    model = loaded(ours, config, 'criterion.empty_weight', state)
    for vocabulary in (model.vocabulary, model.background):
        vocabulary.init_weights()
    return model.state_dict(), config


def fitted(
    ours: dict[str, Tensor], config: str, class_weights: str, state: dict[str, Tensor]
) -> dict[str, Tensor]:
    """The state dict of a config's model from tensors under its names and its text tower's, which
    becomes text embeddings; see `loaded`."""
    model = loaded(ours, config, class_weights, state, with_text=True)
    vocabulary = model.vocabulary
    vocabulary.set_embeddings(
        class_embeddings(
            model.text_encoder,
            vocabulary.rows,
            vocabulary.templates,
            synonyms=vocabulary.synonyms,
        )
    )
    del model.text_encoder
    return model.state_dict()


def loaded(
    ours: dict[str, Tensor],
    config: str,
    class_weights: str,
    state: dict[str, Tensor],
    with_text: bool = False,
) -> torch.nn.Module:
    """A config's model with tensors under its names, its text embeddings still zeros.

    Args:
        class_weights: key in `state`, the file's own tensors, of a number for each trained class
            and for none.
        with_text: a text tower is among the tensors, and becomes a part of the model.

    Raises:
        ValueError: tensors unknown, missing or of other shapes, or another number of classes.
    """
    cfg = load_config(config)
    init_default_scope(cfg.default_scope)
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
        if with_text:
            model.text_encoder = build_text(model.vocabulary.arch)
    empty = {
        f'{name}.embeddings': torch.zeros(part.embeddings.shape)
        for name, part in model.named_modules()
        if isinstance(part, Vocabulary)
    }
    try:
        model.load_state_dict(ours | empty, assign=True)
    except RuntimeError as error:
        raise ValueError(
            f'the checkpoint, under our names, does not fit {config}; if it is of '
            f'another one: --config NAME. {error}'
        ) from error
    counts = {len(model.seen), model.num_classes}
    if class_weights in state and len(state[class_weights]) - 1 not in counts:
        raise ValueError(
            f'the checkpoint was trained on {len(state[class_weights]) - 1} classes, {config} has '
            f'{" or ".join(map(str, sorted(counts)))}. Name its config: --config NAME.'
        )
    return model


CONVERTERS = dict(zegclip=zegclip, maft=maft, masqclip=masqclip)


def main(argv: list[str] | None = None) -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('method', choices=CONVERTERS)
    parser.add_argument(
        'source',
        metavar='IN',
        type=Path,
        help='.pth of a training, mmcv or detectron2, or .safetensors',
    )
    parser.add_argument('target', metavar='OUT', type=Path)
    parser.add_argument('--config', metavar='NAME', help='the config that OUT is for')
    args = parser.parse_args(argv)
    if args.target.resolve() == args.source.resolve():
        parser.error(f'OUT is IN, {args.source}; give another name, so that the original stays.')
    try:
        state = {
            key.removeprefix('module.'): value.float()
            for key, value in read_state(args.source).items()
        }
        ours, config = CONVERTERS[args.method](state, args.config)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f'official: {error}')
    made_folder(args.target.parent)
    with whole_file(args.target) as partial:
        torch.save(dict(state_dict=ours), partial)
    print(
        f'{args.target}: {len(ours)} tensors, from {len(state)}. To test it:\n'
        f'    zsclip test {config} {args.target}'
    )
    if args.method == 'zegclip' and args.config is None:
        print('The transductive and fully supervised configs of the data set take the same file.')


if __name__ == '__main__':
    run_tool(main)
