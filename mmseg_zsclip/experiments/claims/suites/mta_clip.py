"""MTA-CLIP, tables 1 and 3, on the toy world with all classes seen; `mta_clip_choices` has table 4.

Give it five seeds, `--seeds 5`: the paper's own effects are half a point. That is 25 trainings of
7200 steps, each a quarter of an hour of one CPU core.
"""

from mmseg_zsclip.experiments.claims.suite import Claim, Run, Suite

ABOUT = """The paper's numbers are mIoU of ADE20K with CLIP's ResNet-50. Here all 20 classes of the
toy world are seen, in whole scenes, and the backbone is the toy ResNet CLIP, learning at the
rate of the head. Base is Mask2Former;
text-enhanced adds queries of a fixed prompt; contrastive the loss that aligns masks with them; and
MTA-CLIP three learned contexts in the prompt's place."""
HEAD = 'model.decode_head.'
NO_LOSS = {HEAD + 'loss_sim': None}
FIXED = {HEAD + 'text.contexts': None}
BASE = {HEAD + 'text': None, **NO_LOSS}
TABLE_3 = dict(base=47.4, text=48.1, contrastive=48.6, mta=49.1)
TABLE_1 = dict(mta=49.1, base=47.4, pixel_text=43.5)


def trained(name: str, says: str, *options: dict, weights: str | None = 'toy', **kwargs) -> Run:
    merged = {key: value for one in options for key, value in one.items()}
    config = kwargs.pop('config', 'toy_mta_clip')
    return Run(name, config, merged, trains=True, weights=weights, says=says, **kwargs)


RUNS = [
    trained('base', 'Mask2Former on CLIP, no text', BASE),
    trained('text', 'text-enhanced: text queries of "a photo of a {}."', FIXED, NO_LOSS),
    trained('contrastive', 'text queries and the contrastive loss', FIXED),
    trained('mta', 'MTA-CLIP: three learned contexts, MixNeg'),
    trained('pixel_text', 'pixel-text alignment as in DenseCLIP', config='toy_pixel_text'),
]


def claim(says: str, source: str, better: str, than: tuple[str, ...], numbers: dict) -> Claim:
    paper = {side: numbers[side] for side in (better, *than) if side in numbers}
    return Claim(says, source, 'mIoU', better, than, paper=paper)


CLAIMS = [
    claim('Text queries help masks', 'MTA-CLIP, table 3', 'text', ('base',), TABLE_3),
    claim('The contrastive loss helps', 'MTA-CLIP, table 3', 'contrastive', ('text',), TABLE_3),
    claim('Learned prompts help', 'MTA-CLIP, table 3', 'mta', ('contrastive',), TABLE_3),
    claim('All of it helps', 'MTA-CLIP, table 3', 'mta', ('base',), TABLE_3),
    claim('Masks align better than pixels', 'MTA-CLIP, table 1', 'mta', ('pixel_text',), TABLE_1),
    claim(
        'Mask2Former is above pixel-text alignment',
        'MTA-CLIP, table 1',
        'base',
        ('pixel_text',),
        TABLE_1,
    ),
]
SUITE = Suite(
    'mta_clip',
    'MTA-CLIP (ECCV 2024)',
    RUNS,
    CLAIMS,
    quick_steps=10,
    quick_options={'test_dataloader.dataset.length': 20},
    about=ABOUT,
)
