"""Later attentions of the last block, and PAMR, against MaskCLIP's value path; none trains."""

from mmseg_zsclip.experiments.claims.suite import Claim, Run, Suite

ABOUT = """Nothing is trained. The papers' numbers are averages over eight benchmarks (VOC21,
Context60, COCO-Object, VOC20, Cityscapes, Context59, ADE20K, COCO-Stuff) with CLIP ViT-B/16, as
OV-Stitcher's table has them; that of NACLIP with PAMR is of its authors' README. The settings are
the papers'; block numbers are of half as many blocks."""
PATH = {'model.backbone.residual': True, 'model.backbone.ffn': True}
PAMR = {'model.test_cfg.pamr.steps': 10, 'model.test_cfg.pamr.dilations': [8, 16]}
PAPER = dict(
    value=30.3, sclip=38.2, clearclip=38.1, naclip=39.4, rcs=41.4, sc=43.9, naclip_pamr=42.46
)
TWO_PASSES = {
    'rcs': "the paper's number is of ResCLIP on NACLIP with its second pass (SFR), ours of RCS "
    'alone.',
    'sc': "the paper's number is with a second pass over summed blocks, ours without.",
}


def run(name: str, says: str, config: str, options: dict | None = None) -> Run:
    return Run(name, config, options or {}, weights='toy', says=says)


RUNS = [
    run('value', "MaskCLIP's values, residual and feed-forward network", 'toy_maskclip', PATH),
    run('value_alone', "MaskCLIP's values alone", 'toy_maskclip'),
    run('sclip', 'SCLIP: queries to queries and keys to keys', 'toy_maskclip_qq_kk'),
    run('clearclip', 'ClearCLIP: queries to queries', 'toy_maskclip_qq'),
    run('naclip', 'NACLIP: keys to keys, with a Gaussian window', 'toy_maskclip_kk'),
    run('rcs', "ResCLIP's RCS: NACLIP and attention of middle blocks", 'toy_maskclip_rcs'),
    run('sc', 'SC-CLIP: similarity of a middle block, outliers repaired', 'toy_maskclip_sc'),
    run('value_pamr', 'value_alone, refined by PAMR', 'toy_maskclip_pamr'),
    run('naclip_pamr', 'naclip, refined by PAMR', 'toy_maskclip_kk', PAMR),
]


def claim(says: str, source: str, better: str, *than: str) -> Claim:
    return Claim(
        says,
        source,
        'mIoU',
        better,
        than,
        note=TWO_PASSES.get(better, ''),
        paper={side: PAPER[side] for side in (better, *than) if side in PAPER},
    )


CLAIMS = [
    claim(
        "SCLIP is better than MaskCLIP's values, residual and feed-forward network in both",
        'SCLIP',
        'sclip',
        'value',
    ),
    *(
        claim(
            f"{paper} is better than MaskCLIP's values, with the block's rest or without",
            paper,
            key,
            'value',
            'value_alone',
        )
        for paper, key in (
            ('ClearCLIP', 'clearclip'),
            ('NACLIP', 'naclip'),
            ('ResCLIP', 'rcs'),
            ('SC-CLIP', 'sc'),
        )
    ),
    claim('NACLIP is better than SCLIP and ClearCLIP', 'NACLIP', 'naclip', 'sclip', 'clearclip'),
    claim('RCS adds to NACLIP', 'ResCLIP', 'rcs', 'naclip'),
    claim('SC-CLIP is the best of them', 'SC-CLIP', 'sc', 'sclip', 'clearclip', 'naclip', 'rcs'),
    claim('PAMR adds to NACLIP', 'NACLIP', 'naclip_pamr', 'naclip'),
    claim("PAMR adds to MaskCLIP's values", 'this project', 'value_pamr', 'value_alone'),
]
SUITE = Suite(
    'attentions',
    'Attention of the last block, and PAMR',
    RUNS,
    CLAIMS,
    quick_options={'test_dataloader.dataset.length': 100},
    about=ABOUT,
)
