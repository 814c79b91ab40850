"""MaskCLIP against its formulas written out again, its switches and its errors."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.clip.archs import CLIPArch, get_arch
from mmseg_zsclip.models.maskclip import (
    DROPPED,
    MaskCLIPHead,
    MaskCLIPResNet,
    MaskCLIPViT,
    drop_absent,
    smooth_by_keys,
)
from mmseg_zsclip.registry import MODELS

ARCH = CLIPArch('tiny', 16, 32, 3, 24, 8, 4, 16, 2, 1)
RESNET = CLIPArch('RN-tiny', 16, 64, (1, 1, 1, 1), 2, None, 4, 16, 2, 1)
NAMES = ['sky', 'road', 'tree, bush', 'car']


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def head(classes=NAMES, arch=ARCH, **settings):
    head = MaskCLIPHead(classes, dict(arch=arch), **settings).eval()
    head.init_weights()
    return head


def last_input(tower, img):
    x, grid = tower.visual.embed(img)
    for block in tower.visual.blocks[:-1]:
        x = block(x)
    return x, grid


def as_map(tokens, grid):
    return tokens.transpose(1, 2).unflatten(2, grid)


@pytest.mark.parametrize('residual', [True, False])
@pytest.mark.parametrize('ffn', [True, False])
def test_value_path_is_attention_in_which_each_token_sees_itself_alone(residual, ffn):
    tower = MaskCLIPViT(ARCH, residual=residual, ffn=ffn)
    img = torch.randn(2, 3, 32, 48)
    x, grid = last_input(tower, img)
    block = tower.visual.blocks[-1]
    alone = torch.eye(x.shape[1], dtype=torch.bool)
    y = block.attn(block.ln_1(x), alone)
    y = y + x if residual else y
    y = y + block.mlp(block.ln_2(y)) if ffn else y
    expected = as_map(tower.visual.ln_post(y)[:, 1:] @ tower.visual.proj, grid)
    features, keys = tower(img)
    assert features.shape == (2, 16, 4, 6)
    torch.testing.assert_close(features, expected)
    k = block.attn.qkv(block.ln_1(x))[1].transpose(1, 2).flatten(2)[:, 1:]
    torch.testing.assert_close(keys, as_map(k, grid))


def test_the_papers_baseline_is_the_unmodified_tower():
    tower = MaskCLIPViT(ARCH, attention='last')
    img = torch.randn(1, 3, 40, 32)
    x, grid = tower.visual.embed(img)
    expected = tower.visual.project(tower.visual.transformer(x))[:, 1:]
    torch.testing.assert_close(tower(img)[0], as_map(expected, grid))


def test_released_tower_runs_gelu_with_its_own_epsilon_on_weights_of_quickgelu():
    arch = get_arch('ViT-XS-8-quickgelu')
    ours, released = MaskCLIPViT(arch), MaskCLIPViT(arch, released_tower=True)
    released.load_state_dict(ours.state_dict())
    gelu = MaskCLIPViT(CLIPArch(**{**vars(arch), 'activation': 'gelu', 'norm_eps': 1e-6}))
    gelu.load_state_dict(ours.state_dict())
    img = torch.randn(1, 3, 48, 48)
    torch.testing.assert_close(released(img)[0], gelu(img)[0])
    assert not torch.allclose(released(img)[0], ours(img)[0])


def test_released_keys_have_gone_through_out_proj():
    ours, released = MaskCLIPViT(ARCH), MaskCLIPViT(ARCH, released_keys=True)
    released.load_state_dict(ours.state_dict())
    img = torch.randn(1, 3, 32, 32)
    expected = ours.visual.blocks[-1].attn.out_proj(ours(img)[1].movedim(1, -1)).movedim(-1, 1)
    torch.testing.assert_close(released(img)[1], expected)


def test_resnet_features_are_value_and_last_projection_of_each_cell():
    tower = MaskCLIPResNet(RESNET)
    img = torch.randn(2, 3, 64, 96)
    pool, x = tower.visual.attnpool, tower.visual.features(img)
    features, keys = tower(img)
    assert features.shape == (2, 16, 2, 3)
    for row, column in ((0, 0), (1, 2)):
        cell = x[:, :, row, column]
        torch.testing.assert_close(features[:, :, row, column], pool.c_proj(pool.v_proj(cell)))
        torch.testing.assert_close(keys[:, :, row, column], pool.k_proj(cell))


@pytest.mark.parametrize('positions', [True, False])
def test_resnet_baseline_is_the_pools_own_tokens(positions):
    tower = MaskCLIPResNet(RESNET, attention='last', pool_positions=positions)
    pool = tower.visual.attnpool
    learned = pool.positional_embedding.clone()
    tower.init_weights()
    x = torch.randn(1, 64, 2, 2)
    tokens = x.flatten(2).transpose(1, 2)
    tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], 1)
    tokens = tokens + learned if positions else tokens
    out, _ = F.multi_head_attention_forward(
        *[tokens.transpose(0, 1)] * 3,
        64,
        4,
        None,
        torch.cat([pool.q_proj.bias, pool.k_proj.bias, pool.v_proj.bias]),
        None,
        None,
        False,
        0.0,
        pool.c_proj.weight,
        pool.c_proj.bias,
        use_separate_proj_weight=True,
        q_proj_weight=pool.q_proj.weight,
        k_proj_weight=pool.k_proj.weight,
        v_proj_weight=pool.v_proj.weight,
    )
    expected = out[1:].permute(1, 2, 0).unflatten(2, (2, 2))
    torch.testing.assert_close(tower.pool(x)[0], expected)


@pytest.mark.parametrize('tower', [MaskCLIPViT(ARCH), MaskCLIPResNet(RESNET)])
def test_nothing_is_trained_and_batch_statistics_stay(tower):
    assert not any(p.requires_grad for p in tower.parameters())
    before = {key: value.clone() for key, value in tower.state_dict().items()}
    tower.train()(torch.randn(2, 3, 64, 64))
    assert not tower.training
    assert all(torch.equal(value, before[key]) for key, value in tower.state_dict().items())


def test_scores_are_scaled_cosines():
    model = head(scale=20.0)
    features = torch.randn(2, 16, 3, 2)
    scores = model((features,))
    text = model.class_embeddings()
    for c in range(4):
        cosine = torch.cosine_similarity(features, text[c][None, :, None, None])
        torch.testing.assert_close(scores[:, c], 20 * cosine)


def test_of_several_synonyms_the_best_one_counts():
    several = MaskCLIPHead(NAMES, dict(arch=ARCH, synonyms='max')).eval()
    given = torch.randn(4, 2, ARCH.embed_dim)
    given[[0, 1, 3], 1] = given[[0, 1, 3], 0]
    several.set_embeddings(given)
    alone = head(['sky', 'road', 'tree', 'car'])
    features = torch.randn(2, ARCH.embed_dim, 3, 5)
    each = []
    for i in range(2):
        alone.set_embeddings(given[:, i])
        each.append(alone.similarities(features))
    torch.testing.assert_close(several.similarities(features), torch.maximum(*each))


@pytest.mark.parametrize('power', [1.0, 8.0])
def test_key_smoothing_is_eq_5(power):
    pred, keys = torch.rand(2, 3, 2, 3), F.normalize(torch.randn(2, 5, 2, 3), dim=1)
    out = smooth_by_keys(pred, keys, power).flatten(2)
    p, k = pred.flatten(2), keys.flatten(2)
    for b in range(2):
        for i in range(6):
            cosines = [torch.dot(k[b, :, i], k[b, :, j]) for j in range(6)]
            weights = cosines if power == 1 else [cos.clamp(min=0) ** power for cos in cosines]
            expected = sum(weight * p[b, :, j] for j, weight in enumerate(weights))
            torch.testing.assert_close(out[b, :, i], expected)


def test_key_smoothing_chooses_positions_by_confidence():
    features, keys = torch.randn(1, 16, 3, 3), torch.randn(1, 24, 3, 3)
    plain = head()
    pred = plain((features,)).softmax(1)
    limit = pred.amax(1).flatten().sort().values[4].item() + 1e-6

    def smoothed(**settings):
        model = head(**settings)
        model.load_state_dict(plain.state_dict())
        return model((features, keys))

    every, some = smoothed(ks_thresh=1.0), smoothed(ks_thresh=limit)
    unsure = (pred.amax(1, keepdim=True) <= limit).expand_as(pred)
    assert 0 < unsure.sum() < unsure.numel()
    torch.testing.assert_close(some, torch.where(unsure, every, pred))
    torch.testing.assert_close(every, smooth_by_keys(pred, F.normalize(keys)))


def test_released_key_smoothing_normalises_over_positions_and_keeps_saturated_ones():
    logits, keys = torch.tensor([[[[200.0, 0.3]], [[0.0, 0.1]]]]), torch.randn(1, 5, 1, 2)
    ours, released = (
        head(NAMES[:2], ks_thresh=1.0, released_refinement=flag) for flag in (False, True)
    )
    pred = logits.softmax(1)
    out = released.smooth(logits, keys)
    torch.testing.assert_close(out[..., 0], pred[..., 0])
    axis = smooth_by_keys(pred, F.normalize(keys.flatten(2), dim=2).unflatten(2, (1, 2)))
    torch.testing.assert_close(out[..., 1], axis[..., 1])
    torch.testing.assert_close(ours.smooth(logits, keys), smooth_by_keys(pred, F.normalize(keys)))


def test_prompt_denoising_drops_what_no_position_is_confident_of_in_each_image_alone():
    logits = torch.zeros(3, 3, 1, 2)
    logits[0, :, 0, 0] = torch.tensor([3.0, 1.0, 0.0])  # class 0 is sure, 1 and 2 never
    logits[1, :, 0, 0] = torch.tensor([3.0, 1.0, 0.0])
    logits[1, :, 0, 1] = torch.tensor([0.0, 3.0, 0.0])  # here class 1 is sure as well
    out = drop_absent(logits, 0.5)
    dropped = (out == DROPPED).all(-1)[..., 0]
    assert dropped.tolist() == [
        [False, True, True],
        [False, False, True],
        [False, False, False],
    ]  # the last keeps all
    torch.testing.assert_close(out[out != DROPPED], logits[out != DROPPED])
    assert (drop_absent(logits, 0.5, keep_some=False)[2] == DROPPED).all()


def test_denoised_classes_get_no_confidence_and_a_batch_equals_its_images():
    model = head(pd_thresh=0.9, ks_thresh=1.0, scale=5.0)
    inputs = torch.randn(3, 16, 4, 4), torch.randn(3, 24, 4, 4)
    every = model(inputs)
    for i in range(3):
        torch.testing.assert_close(every[i : i + 1], model([part[i : i + 1] for part in inputs]))


def test_scores_after_key_smoothing_are_log_confidences_with_the_same_argmax():
    model = head(ks_thresh=1.0)
    sums = torch.randn(2, 4, 3, 3) * 30  # also positions at which every sum is negative
    sums[0, :, 0, 0] = torch.tensor([-4.0, -3.0, -2.0, -1.0])
    scores = model.predict_by_feat(sums, [dict(img_shape=(3, 3))])
    assert torch.equal(scores.argmax(1), sums.argmax(1))
    torch.testing.assert_close(scores.softmax(1).sum(1), torch.ones(2, 3, 3))
    positive = sums.abs()
    torch.testing.assert_close(
        model.predict_by_feat(positive, [dict(img_shape=(3, 3))]).softmax(1),
        positive / positive.sum(1, keepdim=True),
        rtol=1e-3,
        atol=1e-5,
    )


@pytest.mark.parametrize('place', [0, 1, 2])
def test_background_is_the_best_of_its_names(place):
    classes = ['Batman', 'Joker']
    classes.insert(place, 'background')
    words = ['building', 'ground, floor', 'sky']
    model = head(classes, background=words)
    plain = head([*classes[:place], *words, *classes[place + 1 :]])
    plain.load_state_dict(model.state_dict())
    features = torch.randn(2, 16, 2, 2)
    rows, folded = plain((features,)), model((features,))
    assert model.num_classes == model.out_channels == folded.shape[1] == 3
    torch.testing.assert_close(folded[:, place], rows[:, place : place + 3].amax(1))
    others = [i for i in range(5) if not place <= i < place + 3]
    torch.testing.assert_close(folded[:, [i for i in range(3) if i != place]], rows[:, others])


def segmentor(backbone=None, **settings):
    init_default_scope('mmseg')
    model = MODELS.build(
        dict(
            type='mmseg_zsclip.OneStageSegmentor',
            data_preprocessor=dict(type='SegDataPreProcessor'),
            backbone=backbone or dict(type='mmseg_zsclip.MaskCLIPViT', arch=ARCH),
            decode_head=dict(
                type='mmseg_zsclip.MaskCLIPHead',
                classes=NAMES,
                unseen=['tree'],
                text=dict(arch=ARCH),
                **settings,
            ),
            test_cfg=ConfigDict(mode='slide', crop_size=(32, 32), stride=(16, 16)),
        )
    )
    model.init_weights()
    return model.eval()


def metas(img):
    return [dict(img_shape=img.shape[2:], ori_shape=img.shape[2:])] * len(img)


@pytest.mark.parametrize('settings', [{}, dict(ks_thresh=1.0, pd_thresh=0.3)])
def test_whole_and_slide_give_a_score_a_pixel_and_one_window_equals_the_whole(settings):
    model = segmentor(**settings)
    img = torch.randn(2, 3, 40, 56)
    assert model.slide_inference(img, metas(img)).shape == (2, 4, 40, 56)
    assert model.whole_inference(img, metas(img)).shape == (2, 4, 40, 56)
    one = img[..., :32, :32]
    torch.testing.assert_close(
        model.slide_inference(one, metas(one)), model.whole_inference(one, metas(one))
    )


def test_vocabulary_changes_at_run_time_and_background_with_it():
    model = segmentor()
    assert (model.seen, model.unseen) == ([0, 1, 3], [2])
    img = torch.randn(1, 3, 32, 32)
    model.set_classes(['background', 'Batman', 'Joker'], background=['sky', 'wall'])
    assert model.whole_inference(img, metas(img)).shape[1] == model.num_classes == 3
    model.set_classes(['background', 'red bus'])  # the background's names stay
    assert len(model.vocabulary()) == 3
    model.set_classes(NAMES)  # no class that they could stand for
    assert model.whole_inference(img, metas(img)).shape[1] == 4
    model.set_classes(['background', 'cat'])
    assert len(model.vocabulary()) == 3


def test_bfloat16_autocast_scores_in_float32():
    model = segmentor(ks_thresh=1.0)
    img = torch.randn(1, 3, 32, 32)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        low = model.whole_inference(img, metas(img))
    assert low.dtype == torch.float32
    assert torch.isfinite(low).all()


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(ks_thresh=1.5), r'ks_thresh is 1.5; legal values: a confidence from 0 \(off\) to 1'),
        (dict(pd_thresh=-1), 'pd_thresh is -1; legal values'),
        (dict(scale=0), 'scale is 0; it must be positive'),
        (dict(ks_power=-2), 'ks_power is -2; it must be positive'),
        (dict(classes=['cat']), "'cat' is the only class.*'background' with background="),
        (dict(background=['sky']), "no class is called 'background'. Add it to the 4 classes"),
        (
            dict(classes=['background', 'sky'], background=['sky, heaven', 'wall']),
            r"\['sky'\] are classes and background names at once",
        ),
        (
            dict(classes=['background', 'tree'], background='background26'),
            r"\['tree'\] are classes and background names at once",
        ),
        (dict(unseen=['lamp']), "unseen class 'lamp' is not one of the 4 classes"),
    ],
)
def test_head_arguments(settings, message):
    with pytest.raises(ValueError, match=message):
        head(**settings)


@pytest.mark.parametrize(
    ('tower', 'arch', 'settings', 'message'),
    [
        (MaskCLIPViT, RESNET, {}, "'RN-tiny' is a ResNet; use MaskCLIPResNet"),
        (MaskCLIPResNet, ARCH, {}, "'tiny' is a ViT; use MaskCLIPViT"),
        (MaskCLIPViT, ARCH, dict(attention='q'), "attention is 'q'; legal values: value, last"),
        (
            MaskCLIPResNet,
            RESNET,
            dict(attention='q'),
            "attention is 'q'; legal values: value, last",
        ),
    ],
)
def test_tower_arguments(tower, arch, settings, message):
    with pytest.raises(ValueError, match=message):
        tower(arch, **settings)


def test_features_of_another_clip_are_an_error():
    with pytest.raises(ValueError, match='features have 8 channels, text embeddings 16'):
        head()((torch.randn(1, 8, 2, 2),))


def test_key_smoothing_without_keys_is_an_error():
    with pytest.raises(ValueError, match='ks_thresh is 1.0, which needs keys'):
        head(ks_thresh=1.0)((torch.randn(1, 16, 2, 2),))


def test_training_it_is_an_error():
    model = segmentor()
    with pytest.raises(RuntimeError, match='MaskCLIP has nothing to train'):
        model(torch.randn(1, 3, 32, 32), [], mode='loss')


def test_released_names_that_are_not_maskclips_are_listed():
    from mmseg_zsclip.models.released import maskclip

    with pytest.raises(ValueError, match="1 keys of the checkpoint are not a MaskCLIP ViT's: neck"):
        maskclip({'backbone.ln0.weight': torch.ones(2), 'neck': torch.ones(2)}, torch.ones(2, 2))
