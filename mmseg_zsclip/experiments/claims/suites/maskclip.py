"""MaskCLIP, tables 1 and 8, and the prompts that it classifies with. Nothing is trained."""

from mmseg_zsclip.experiments.claims.suite import Claim, Run, Suite
from mmseg_zsclip.experiments.pretraining.toy_captions import HELD_OUT_TEMPLATES

ABOUT = """Nothing is trained. The paper's numbers are of PASCAL Context, with ViT-B/16 or R50.
Sizes are in CLIP's own: the paper's 224, 336 and 520 pixels are 64, 96 and 152 of a CLIP that was
trained on 64."""
BACKBONE, HEAD = 'model.backbone.', 'model.decode_head.'
# The path of section 3.3, with the block's residual and its feed-forward network.
PAPER = {BACKBONE + 'residual': True, BACKBONE + 'ffn': True}
KS, PD = {HEAD + 'ks_thresh': 1.0}, {HEAD + 'pd_thresh': 0.5}
ONE_PROMPT = {
    f'prompt_{i}': HELD_OUT_TEMPLATES[i * (len(HELD_OUT_TEMPLATES) - 1) // 2] for i in range(3)
}


def vit(name: str, says: str, options: dict | None = None, **kwargs) -> Run:
    return Run(
        name, 'toy_maskclip', {**PAPER, **(options or {})}, weights='toy', says=says, **kwargs
    )


def resnet(name: str, says: str, options: dict | None = None) -> Run:
    return Run(name, 'toy_maskclip_r', options or {}, says=says)


def at_sizes(*sizes: int) -> Run:
    return vit(
        '_'.join(['at', *map(str, sizes)]),
        f'vit on scenes of {" and ".join(map(str, sizes))} pixels',
        {'tta.scales': [(size, size) for size in sizes], 'tta.flip': False},
        tta=True,
    )


RUNS = [
    vit('vit_baseline', 'ViT, the unmodified last block', {BACKBONE + 'attention': 'last'}),
    vit('vit', 'ViT, value path of section 3.3: values, residual, feed-forward network'),
    vit(
        'vit_value_alone',
        'ViT, values without residual and feed-forward network',
        {BACKBONE + 'residual': False, BACKBONE + 'ffn': False},
    ),
    vit('vit_ks', 'vit with key smoothing', KS),
    vit('vit_pd', 'vit with prompt denoising', PD),
    vit('vit_ks_pd', 'vit with both', {**KS, **PD}),
    vit('vit_ks8', 'vit with key smoothing by the eighth power', {**KS, HEAD + 'ks_power': 8.0}),
    resnet('rn_baseline', 'ResNet, unmodified', {BACKBONE + 'attention': 'last'}),
    resnet('rn', 'ResNet, value path'),
    resnet('rn_ks', 'rn with key smoothing', KS),
    resnet('rn_pd', 'rn with prompt denoising', PD),
    resnet('rn_ks_pd', 'rn with both', {**KS, **PD}),
    at_sizes(64),
    at_sizes(96),
    at_sizes(152),
    at_sizes(64, 152),
    at_sizes(64, 96, 152),
    vit(
        'prompts',
        f'vit, every text the mean of {len(HELD_OUT_TEMPLATES)} prompts',
        {HEAD + 'text.templates': list(HELD_OUT_TEMPLATES)},
    ),
    *(
        vit(name, f'vit, prompt "{template}"', {HEAD + 'text.templates': [template]})
        for name, template in ONE_PROMPT.items()
    ),
]


def claim(says: str, better: str, *than: str, **kwargs) -> Claim:
    return Claim(says, kwargs.pop('source', 'MaskCLIP, table 1a'), 'mIoU', better, than, **kwargs)


def cause(text: str, section: str) -> str:
    """A note that says why a claim does not show, and where that was measured."""
    return f'{text} ([measured](toy_why.md#{section})).'


OUTVOTED = cause(
    'Eq. 5 lets large regions outvote small ones, even of labels that are right', 'key-smoothing'
)
UNEQUAL = cause('the sizes are far from equally good alone', 'sizes-of-the-input')

CLAIMS = [
    claim(
        'The value path is far above the unmodified last layer (ViT)',
        'vit',
        'vit_baseline',
        paper=dict(vit=21.7, vit_baseline=9.0),
        factor=2.4,
        note="the factor is the paper's own on Context; on COCO-Stuff it is 2.9. One class "
        'everywhere scores about 1: a baseline near that makes any factor easy.',
    ),
    claim(
        'The values alone are far above the unmodified last layer (ViT)',
        'vit_value_alone',
        'vit_baseline',
        factor=2.4,
        source='this project',
        note='the path that toy_maskclip ships with; the paper does not have it. '
        + cause(
            "The residual is longer than the value and tells nothing of a patch's class",
            'the-residual',
        ),
    ),
    claim(
        'The value path is far above the unmodified last layer (ResNet)',
        'rn',
        'rn_baseline',
        paper=dict(rn=18.5, rn_baseline=8.3),
        factor=2.2,
    ),
    claim(
        'Key smoothing helps (ViT)',
        'vit_ks',
        'vit',
        paper=dict(vit_ks=23.9, vit=21.7),
        note=OUTVOTED,
    ),
    claim(
        'Key smoothing by the eighth power of the cosine helps (ViT)',
        'vit_ks8',
        'vit',
        source='this project',
        note=cause(
            'Eq. 5 has the first power; perfect keys would not help either', 'key-smoothing'
        ),
    ),
    claim(
        'Prompt denoising helps (ViT)',
        'vit_pd',
        'vit',
        paper=dict(vit_pd=23.1, vit=21.7),
        note=cause('hardly a pixel goes to a class that is not in the scene', 'prompt-denoising'),
    ),
    claim(
        'Key smoothing and prompt denoising together help (ViT)',
        'vit_ks_pd',
        'vit',
        paper=dict(vit_ks_pd=25.5, vit=21.7),
        note=OUTVOTED,
    ),
    claim(
        'Key smoothing and prompt denoising together are better than each alone (ViT)',
        'vit_ks_pd',
        'vit_ks',
        'vit_pd',
        paper=dict(vit_ks_pd=25.5, vit_ks=23.9, vit_pd=23.1),
        note=OUTVOTED,
    ),
    claim(
        'Key smoothing helps (ResNet)',
        'rn_ks',
        'rn',
        paper=dict(rn_ks=21.0, rn=18.5),
        note=OUTVOTED,
    ),
    claim(
        'Prompt denoising helps (ResNet)',
        'rn_pd',
        'rn',
        paper=dict(rn_pd=19.0, rn=18.5),
        note=cause('nearly half of the classes that are there are dropped too', 'prompt-denoising'),
    ),
    claim(
        'Key smoothing and prompt denoising together help (ResNet)',
        'rn_ks_pd',
        'rn',
        paper=dict(rn_ks_pd=21.8, rn=18.5),
        note=OUTVOTED,
    ),
    claim(
        'The ViT is better than the ResNet',
        'vit',
        'rn',
        paper=dict(vit=21.7, rn=18.5),
        note='two CLIPs of different size and training; the ResNet sees the scenes enlarged. '
        + cause("The ViT's path has the residual, which the ResNet's has not", 'the-residual'),
    ),
    claim(
        'An ensemble of two sizes is better than each',
        'at_64_152',
        'at_64',
        'at_152',
        paper=dict(at_64_152=25.16, at_64=22.72, at_152=21.68),
        source='MaskCLIP, table 8',
        note=UNEQUAL,
    ),
    claim(
        'A third size adds to the ensemble',
        'at_64_96_152',
        'at_64_152',
        paper=dict(at_64_96_152=26.34, at_64_152=25.16),
        source='MaskCLIP, table 8',
        note=UNEQUAL,
    ),
    claim(
        "One and a half times CLIP's own size is the best single one",
        'at_96',
        'at_64',
        'at_152',
        paper=dict(at_96=23.02, at_64=22.72, at_152=21.68),
        source='MaskCLIP, table 8',
        note=UNEQUAL,
    ),
    claim(
        f'{len(HELD_OUT_TEMPLATES)} prompts are better than one',
        'prompts',
        *ONE_PROMPT,
        source='CLIP, section 3.1.4',
        note="all are prompts that pre-training never used; the paper's +3.5 points are of "
        'ImageNet accuracy. '
        + cause('This text tower hardly tells one prompt from another', 'prompts-of-the-text'),
    ),
]
SUITE = Suite(
    'maskclip',
    'MaskCLIP (ECCV 2022)',
    RUNS,
    CLAIMS,
    quick_options={'test_dataloader.dataset.length': 100},
    about=ABOUT,
)
