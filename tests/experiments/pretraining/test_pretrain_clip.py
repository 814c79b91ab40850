"""tools/pretrain_clip.py, from the command line to a file that load_clip reads."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from PIL import Image

from mmseg_zsclip.clip import archs
from mmseg_zsclip.clip.checkpoint import load_clip
from mmseg_zsclip.clip.tokenizer import tokenize
from mmseg_zsclip.engine.run_identity import RunError
from mmseg_zsclip.experiments.pretraining.recipe import Recipe, trained_by

TINY = archs.CLIPArch('tiny', 16, 32, 2, 32, 8, 2, 32, 2, 1)


@pytest.fixture
def tool(monkeypatch, load_tool):
    monkeypatch.setitem(archs.ARCHS, 'tiny', TINY)
    return load_tool('pretrain_clip.py')


@pytest.fixture(scope='module')
def street(tmp_path_factory):
    """6 photos of 48 x 64 pixels with label maps of 3 classes, and their names."""
    root = tmp_path_factory.mktemp('street')
    rng = np.random.default_rng(0)
    for part in ('img', 'ann'):
        (root / part).mkdir()
    for i in range(6):
        labels = np.kron(rng.integers(0, 3, (3, 4)), np.ones((16, 16), int)).astype(np.uint8)
        Image.fromarray(labels).save(root / 'ann' / f'{i}.png')
        photo = labels[..., None] * np.array([90, 40, 10]) + rng.integers(0, 40, (48, 64, 3))
        Image.fromarray(photo.astype(np.uint8)).save(root / 'img' / f'{i}.png')
    (root / 'names.txt').write_text('road, street\ncar\ntree\n')
    return root


def arguments(street, out, *more, steps=3):
    return [
        '--images',
        str(street / 'img'),
        '--labels',
        str(street / 'ann'),
        '--names',
        str(street / 'names.txt'),
        '--image-suffix',
        '.png',
        '--arch',
        'tiny',
        '--batch',
        '8',
        '--height',
        '48',
        '--steps',
        str(steps),
        '--out',
        str(out),
        '--log-every',
        '1',
        *more,
    ]


def weights(path):
    return load_clip('tiny', path).state_dict()


def test_three_steps_give_a_checkpoint_that_load_clip_reads(tool, street, tmp_path):
    tool.main(arguments(street, tmp_path))
    model = load_clip('tiny', tmp_path / 'contrastive.pt')
    assert model.visual(torch.zeros(1, 3, 32, 32)).shape == (1, 16)
    assert not (tmp_path / 'dense.pt').exists()
    rows = [json.loads(line) for line in (tmp_path / 'log.jsonl').read_text().splitlines()]
    assert [row['step'] for row in rows] == [1, 2, 3]
    assert all(np.isfinite(row['nce']) for row in rows)


def test_patch_term_adds_a_dense_checkpoint_after_the_contrastive_one(tool, street, tmp_path):
    tool.main(
        arguments(
            street,
            tmp_path,
            '--patch-term',
            '1',
            '--contrastive-share',
            '0.5',
            '--sizes',
            '16',
            '32',
            '48',
            steps=4,
        )
    )
    rows = [json.loads(line) for line in (tmp_path / 'log.jsonl').read_text().splitlines()]
    assert ['value' in row for row in rows] == [False, False, True, True]
    first, last = weights(tmp_path / 'contrastive.pt'), weights(tmp_path / 'dense.pt')
    assert any(not torch.equal(first[key], last[key]) for key in first)
    found = [
        trained_by(torch.load(tmp_path / f'{name}.pt', weights_only=True)['meta'])
        for name in ('contrastive', 'dense')
    ]
    assert found == [
        'the contrastive loss alone, on image-level captions, 2 steps',
        'the contrastive loss and a patch term, on image-level captions and tags, 4 steps',
    ]


@pytest.mark.parametrize(('minutes', 'loss'), [(6.02, 'alone'), (10.01, 'and a patch term')])
def test_a_run_of_minutes_says_which_of_its_files_saw_patches(minutes, loss):
    recipe = asdict(Recipe(minutes=10, patch_weight=1, contrastive_share=0.6, hold_class_token=0.7))
    said = trained_by(dict(recipe=recipe, step=7, minutes=minutes, init='first.pt'))
    assert said.startswith(f'the contrastive loss {loss}, ')
    assert said.endswith('7 steps from first.pt, 70% of the images with the CLS token held back')
    assert trained_by(dict(source='elsewhere')) is None


def test_resume_continues_as_if_never_stopped(tool, street, tmp_path, monkeypatch):
    tool.main(arguments(street, tmp_path / 'whole', steps=4))
    step = tool.Trainer.train_step

    def killed_after_two(self):
        if self.step == 2:
            self.save_state()
            raise KeyboardInterrupt
        return step(self)

    monkeypatch.setattr(tool.Trainer, 'train_step', killed_after_two)
    with pytest.raises(KeyboardInterrupt):
        tool.main(arguments(street, tmp_path / 'cut', steps=4))
    monkeypatch.undo()
    monkeypatch.setitem(archs.ARCHS, 'tiny', TINY)
    tool.main(arguments(street, tmp_path / 'cut', '--resume', steps=4))
    whole, cut = (weights(tmp_path / name / 'contrastive.pt') for name in ('whole', 'cut'))
    for key in whole:
        assert torch.allclose(whole[key], cut[key], atol=1e-5), key
    stored = [
        torch.load(tmp_path / name / 'contrastive.pt', weights_only=True)['token_rows']
        for name in ('whole', 'cut')
    ]
    assert torch.equal(*stored)


def test_init_continues_from_the_weights_of_another_run(tool, street, tmp_path):
    tool.main(arguments(street, tmp_path / 'a'))
    begin = str(tmp_path / 'a' / 'contrastive.pt')
    more = ('--init', begin, '--hold-class-token', '0.5', '--lr', '1e-9', '--lr-rest', '1e-9')
    tool.main(arguments(street, tmp_path / 'b', *more))
    first, second = weights(begin), weights(tmp_path / 'b' / 'contrastive.pt')
    assert all(torch.allclose(first[key], second[key], atol=1e-3) for key in first)
    meta = torch.load(tmp_path / 'b' / 'contrastive.pt', weights_only=True)['meta']
    assert meta['init'] == begin


def test_words_that_were_never_trained_are_not_stored(tool, street, tmp_path):
    pairs = street / 'same.tsv'
    pairs.write_text('\n'.join(f'img/{i}.png\ta {("red car", "tree")[i % 2]}' for i in range(6)))
    common = ['--captions', str(pairs), '--arch', 'tiny', '--batch', '4', '--height', '48']
    for name, more in (('whole', []), ('half', ['--half'])):
        tool.main([*common, '--out', str(tmp_path / name), '--steps', '4', *more])
    whole, half = (tmp_path / name / 'contrastive.pt' for name in ('whole', 'half'))
    assert half.stat().st_size < 0.7 * whole.stat().st_size < 400_000
    stored = torch.load(half, weights_only=True)
    assert stored['state_dict']['visual.proj'].dtype == torch.float16
    said = sorted(
        set(tokenize(['a red car', 'a tree']).flatten().tolist()) - {0}
    )  # 0 only fills up
    assert stored['token_rows'].tolist() == said
    words = weights(half)['text.token_embedding.weight']
    assert words.any(dim=1).nonzero().flatten().tolist() == said


def test_resume_refuses_what_it_cannot_continue(tool, street, tmp_path):
    with pytest.raises(ValueError, match='--resume: no .*state.pt; start without --resume'):
        tool.main(arguments(street, tmp_path, '--resume'))
    tool.main(arguments(street, tmp_path, steps=1))
    with pytest.raises(ValueError, match=r'another recipe \(lr: 0.01 in the file, 0.5 asked\)'):
        tool.main(arguments(street, tmp_path, '--resume', '--lr', '0.5', steps=1))
    with pytest.raises(ValueError, match='already holds a run; add --resume or give another --out'):
        tool.main(arguments(street, tmp_path, steps=1))


def test_two_trainings_do_not_share_a_folder(tool, street, tmp_path, hold):
    hold(tmp_path)
    with pytest.raises(RunError, match='is in use by another run'):
        tool.main(arguments(street, tmp_path, steps=1))


def test_a_caption_file_trains_too(tool, street, tmp_path):
    pairs = street / 'pairs.tsv'
    pairs.write_text('\n'.join(f'img/{i}.png\ta photo of scene {i % 3}.' for i in range(6)))
    common = [
        '--captions',
        str(pairs),
        '--arch',
        'tiny',
        '--batch',
        '6',
        '--height',
        '48',
        '--steps',
        '2',
        '--optimizer',
        'adamw',
        '--precision',
        'fp32',
        '--out',
        str(tmp_path),
    ]
    tool.main(common)
    weights(tmp_path / 'contrastive.pt')
    with pytest.raises(ValueError, match='--patch-term needs tags'):
        tool.main([*common, '--patch-term', '1'])


@pytest.mark.parametrize(
    ('more', 'message'),
    [
        (['--include', 'night*'], r"--include 'night\*' matched none of 6 images"),
        (
            ['--synonyms', 'bus, coach'],
            "'bus' is no class of the names file; its classes: road, car, tree",
        ),
        (['--present-of', 'car'], "--present-of 'car' is not NAME=SHARE"),
        (['--sizes', '20'], 'crop size 20 is no multiple of 8, .* of tiny; use e.g. 32'),
        (['--optimizer', 'sgd'], "optimizer is 'sgd'; legal: muon, adamw"),
        (
            ['--patch-term', '1', '--patch-paths', 'key'],
            r"patch paths \['key'\]; legal: one or more of value, block, last",
        ),
    ],
)
def test_bad_arguments_name_the_value_and_the_legal_ones(tool, street, tmp_path, more, message):
    with pytest.raises(ValueError, match=message):
        tool.main(arguments(street, tmp_path / 'out', *more))
    assert not (tmp_path / 'out').exists()


def test_no_source_is_an_error(tool, tmp_path):
    with pytest.raises(
        ValueError, match='give --images, --labels and --names .*, --captions FILE, or --scenes N'
    ):
        tool.main(['--steps', '1', '--out', str(tmp_path), '--arch', 'tiny'])


def test_what_needs_a_vit_is_an_error_on_a_resnet(tool, street, tmp_path, monkeypatch):
    resnet = archs.CLIPArch('tiny-rn', 16, 32, (1, 1, 1, 1), 8, None, 8, 32, 2, 1)
    monkeypatch.setitem(archs.ARCHS, 'tiny-rn', resnet)
    for option in ('--patch-term', '--hold-class-token'):
        with pytest.raises(ValueError, match=f'{option} needs a ViT; .* is a ModifiedResNet'):
            tool.main(arguments(street, tmp_path, '--arch', 'tiny-rn', option, '1'))
    tool.main(arguments(street, tmp_path, '--arch', 'tiny-rn', steps=1))
    load_clip('tiny-rn', tmp_path / 'contrastive.pt')


def test_each_part_of_the_schedule_is_annealed_to_its_end():
    recipe = Recipe(steps=100, patch_weight=1.0, contrastive_share=0.6)
    assert recipe.lr_factor(0.2) == 1
    assert recipe.lr_factor(0.599) < 0.01
    assert 0.4 < recipe.lr_factor(0.65) <= recipe.dense_lr
    assert recipe.lr_factor(0.999) < 0.01
    assert Recipe(steps=100).lr_factor(0.3) == 1


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ({}, 'steps=None and minutes=None: give exactly one'),
        (dict(steps=1, minutes=2.0), 'steps=1 and minutes=2.0: give exactly one'),
        (dict(minutes=-1.0), 'the length must be positive'),
        (
            dict(steps=1, hold_class_token=2.0),
            'hold_class_token is 2.0; legal: a share from 0 to 1',
        ),
        (dict(steps=1, precision='fp8'), "precision is 'fp8'; legal: bf16, fp32"),
    ],
)
def test_an_impossible_recipe_is_an_error(given, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**given)
