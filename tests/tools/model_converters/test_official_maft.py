"""tools/model_converters/official.py maft: detectron2's names, spelled here once more by hand."""

import pickle

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS as ROOT
from mmengine.registry import init_default_scope

from mmseg_zsclip.apis.launch import load_config
from mmseg_zsclip.clip.checkpoint import load_text, read_weights
from mmseg_zsclip.models import released
from mmseg_zsclip.registry import MODELS


def head_names(encoders, decoders):
    """Modules of mmdet's Mask2Former head -> detectron2's."""
    names = {
        'pixel_decoder.level_encoding.weight': 'pixel_decoder.transformer.level_embed',
        'pixel_decoder.lateral_convs.0.conv': 'pixel_decoder.adapter_1',
        'pixel_decoder.lateral_convs.0.gn': 'pixel_decoder.adapter_1.norm',
        'pixel_decoder.output_convs.0.conv': 'pixel_decoder.layer_1',
        'pixel_decoder.output_convs.0.gn': 'pixel_decoder.layer_1.norm',
        'pixel_decoder.mask_feature': 'pixel_decoder.mask_features',
        'transformer_decoder.post_norm': 'predictor.decoder_norm',
        'cls_embed': 'predictor.class_embed',
        'mask_embed.0': 'predictor.mask_embed.layers.0',
        'mask_embed.2': 'predictor.mask_embed.layers.1',
        'mask_embed.4': 'predictor.mask_embed.layers.2',
        'query_feat': 'predictor.query_feat',
        'query_embed': 'predictor.query_embed',
        'level_embed': 'predictor.level_embed',
    }
    for i in range(3):
        names[f'pixel_decoder.input_convs.{i}.conv'] = f'pixel_decoder.input_proj.{i}.0'
        names[f'pixel_decoder.input_convs.{i}.gn'] = f'pixel_decoder.input_proj.{i}.1'
    for i in range(encoders):
        ours, theirs = (
            f'pixel_decoder.encoder.layers.{i}',
            f'pixel_decoder.transformer.encoder.layers.{i}',
        )
        for part in ('sampling_offsets', 'attention_weights', 'value_proj', 'output_proj'):
            names[f'{ours}.self_attn.{part}'] = f'{theirs}.self_attn.{part}'
        names[f'{ours}.norms.0'] = f'{theirs}.norm1'
        names[f'{ours}.norms.1'] = f'{theirs}.norm2'
        names[f'{ours}.ffn.layers.0.0'] = f'{theirs}.linear1'
        names[f'{ours}.ffn.layers.1'] = f'{theirs}.linear2'
    for i in range(decoders):
        ours = f'transformer_decoder.layers.{i}'
        cross = f'predictor.transformer_cross_attention_layers.{i}'
        self, ffn = (
            f'predictor.transformer_self_attention_layers.{i}',
            f'predictor.transformer_ffn_layers.{i}',
        )
        for leaf in ('', '.out_proj'):
            names[f'{ours}.cross_attn.attn{leaf}'] = f'{cross}.multihead_attn{leaf}'
            names[f'{ours}.self_attn.attn{leaf}'] = f'{self}.self_attn{leaf}'
        names[f'{ours}.norms.0'] = f'{cross}.norm'
        names[f'{ours}.norms.1'] = f'{self}.norm'
        names[f'{ours}.ffn.layers.0.0'] = f'{ffn}.linear1'
        names[f'{ours}.ffn.layers.1'] = f'{ffn}.linear2'
        names[f'{ours}.norms.2'] = f'{ffn}.norm'
    return names


def resnet_names(depths, deep=True):
    """Modules of mmseg's ResNet, or ResNetV1c -> detectron2's."""
    names = {'conv1': 'stem.conv1', 'bn1': 'stem.conv1.norm'}
    if deep:
        names = {
            'stem.0': 'stem.conv1',
            'stem.1': 'stem.conv1.norm',
            'stem.3': 'stem.conv2',
            'stem.4': 'stem.conv2.norm',
            'stem.6': 'stem.conv3',
            'stem.7': 'stem.conv3.norm',
        }
    for stage, depth in enumerate(depths, 1):
        for block in range(depth):
            ours, theirs = f'layer{stage}.{block}', f'res{stage + 1}.{block}'
            for i in (1, 2, 3):
                names[f'{ours}.conv{i}'] = f'{theirs}.conv{i}'
                names[f'{ours}.bn{i}'] = f'{theirs}.conv{i}.norm'
            names[f'{ours}.downsample.0'] = f'{theirs}.shortcut'
            names[f'{ours}.downsample.1'] = f'{theirs}.shortcut.norm'
    return names


def renamed(state, names):
    """Tensors under detectron2's names, which count no batches."""
    out = {}
    for key, value in state.items():
        module, _, leaf = key.rpartition('.')
        if leaf != 'num_batches_tracked':
            out[names[key] if key in names else f'{names[module]}.{leaf}'] = value
    assert len(out) == sum('num_batches' not in key for key in state)
    return out


def below(state, prefix):
    return {
        key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)
    }


def above(prefix, state):
    return {f'{prefix}{key}': value for key, value in state.items()}


def real_head():
    """The head that MAFT and MasQCLIP release."""
    from mmseg_zsclip.models import whole_mask_head  # noqa: F401, imports mmdet

    init_default_scope('mmdet')
    head = ConfigDict(load_config('coco_stuff_maft_released').model.generator.head)
    with torch.device('meta'):
        return ROOT.build(head).state_dict()


def test_mask2former_of_the_released_size_has_292_tensors_and_each_is_renamed():
    ours = real_head()
    theirs = renamed(ours, head_names(6, 9))
    assert len(ours) == len(theirs) == 292
    theirs = {key: torch.full((1,), float(i)) for i, key in enumerate(theirs)}
    back = released.mask2former(theirs)
    assert {key: value.item() for key, value in back.items()} == {
        key: float(i) for i, key in enumerate(ours)
    }


@pytest.mark.parametrize(('kind', 'deep'), [('ResNetV1c', True), ('ResNet', False)])
def test_resnet_101_of_detectron2_is_renamed(kind, deep):
    with torch.device('meta'):
        ours = ROOT.build(dict(type=f'mmseg.{kind}', depth=101, _scope_='mmseg')).state_dict()
    back = released.resnet(renamed(ours, resnet_names((3, 4, 23, 3), deep)))
    assert {key: value.shape for key, value in back.items()} == {
        key: value.shape for key, value in ours.items()
    }


@pytest.fixture(scope='module')
def small(tmp_path_factory):
    """A small MAFT as released, its config's path and its state under the released names."""
    cfg = load_config('toy_maft')
    init_default_scope('mmseg')
    generator = cfg.model.generator
    generator.checkpoint = None
    generator.backbone = dict(type='mmseg.ResNetV1c', depth=50, base_channels=4, stem_channels=8)
    generator.head.in_channels = [16, 32, 64, 128]
    clip = read_weights(cfg.model.text.arch, cfg.model.text.weights).arch
    sizes = dict(dim=64, text_dim=clip.embed_dim)
    generator.text = dict(sizes, hidden=(24,))
    generator.interaction = dict(sizes, inner=16, heads=2)
    cfg.model.text.synonyms = 'joined'
    path = tmp_path_factory.mktemp('maft') / 'small_maft.py'
    cfg.dump(path)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    with torch.no_grad():
        for name, value in model.state_dict().items():  # norms too: each place has its own numbers
            if not name.startswith('class_embeddings') and value.is_floating_point():
                value.add_(0.02 * torch.rand_like(value))
    return model.eval(), str(path), as_released(model)


def as_released(model):
    ours = model.state_dict()
    head = below(ours, 'generator.head.')
    meeting = below(head, 'pixel_decoder.interaction.')
    classifier = below(head, 'cls_embed.')
    no_object = classifier.pop('no_object')
    plain = {
        key.replace('pixel_decoder.decoder.', 'pixel_decoder.'): value
        for key, value in head.items()
        if not key.startswith(('pixel_decoder.interaction.', 'cls_embed.'))
    }
    tower, text = below(ours, 'classifier.visual.'), load_text('ViT-T-8', 'toy-dense').state_dict()
    return {
        **above('IPCLIP.', tower),
        **above('T.', tower),
        **above('clip_adapter.clip_model.visual.', model.teacher.visual.state_dict()),
        **above('clip_adapter.clip_model.', text),
        'clip_adapter.clip_model.logit_scale': torch.tensor(4.6),
        'clip_adapter.non_object_embedding': no_object,
        'clip_adapter.pixel_mean': torch.zeros(1, 3, 1, 1),
        'clip_adapter.pixel_std': torch.ones(1, 3, 1, 1),
        'criterion.empty_weight': torch.ones(len(model.seen) + 1),
        **above(
            'backbone.', renamed(below(ours, 'generator.backbone.'), resnet_names((3, 4, 6, 3)))
        ),
        **above('sem_seg_head.', renamed(plain, head_names(1, 2))),
        **above('sem_seg_head.predictor.class_embed.', classifier),
        **above('sem_seg_head.interaction.', meeting),
    }


@pytest.fixture(scope='module')
def tool(load_tool):
    return load_tool('model_converters/official.py')


def write(path, state):
    """A training checkpoint as detectron2 writes it."""
    rest = dict(optimizer=dict(state={}, param_groups=[dict(lr=1e-5)]), iteration=999)
    torch.save(dict(model=state, **rest), path)
    return str(path)


def convert(tool, state, config, tmp_path):
    target = tmp_path / 'out.pth'
    tool.main(['maft', write(tmp_path / 'in.pth', state), str(target), '--config', config])
    return torch.load(target, weights_only=True)['state_dict']


def fresh(config, state):
    model = MODELS.build(load_config(config).model)
    model.load_state_dict(state)
    return model.eval()


@torch.no_grad()
def test_a_converted_file_is_the_model_that_it_was_made_of(small, tool, tmp_path, capsys):
    model, config, state = small
    ours = convert(tool, state, config, tmp_path)
    assert f'zsclip test {config}' in capsys.readouterr().out
    counts = {key for key in ours if key.endswith('num_batches_tracked')}
    assert ours.keys() == model.state_dict().keys()
    for key in ours.keys() - counts - {'class_embeddings.embeddings'}:
        assert torch.equal(ours[key], model.state_dict()[key]), key
    img = torch.randn(1, 3, 128, 128)
    torch.testing.assert_close(fresh(config, ours)(img), model(img), rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_stage_1_alone_has_clip_s_own_tower_and_is_the_checkpoint_of_a_generator(
    small, tool, tmp_path
):
    model, config, state = small
    alone = {key: value for key, value in state.items() if not key.startswith(('IPCLIP.', 'T.'))}
    ours = convert(tool, alone, config, tmp_path)
    for key, value in model.teacher.visual.state_dict().items():
        assert torch.equal(ours[f'classifier.visual.{key}'], value)
    cfg = load_config(config).model
    cfg.generator.checkpoint = str(tmp_path / 'out.pth')
    second = MODELS.build(cfg)
    second.init_weights()
    for key, value in model.generator.named_parameters():
        assert torch.equal(second.generator.get_parameter(key), value)


def without(*parts):
    return lambda state: {
        key: value for key, value in state.items() if not any(part in key for part in parts)
    }


WRONG = dict(
    unknown=(
        lambda state: state | {'prompt_learner.prefix': torch.zeros(1)},
        r"1 keys of the checkpoint are not MAFT's: prompt_learner\.prefix\.",
    ),
    unknown_of_the_head=(
        lambda state: state | {'sem_seg_head.predictor.extra': torch.zeros(1)},
        r"not those of a Mask2Former below 'sem_seg_head\.': predictor\.extra\.",
    ),
    unknown_of_the_backbone=(
        lambda state: state | {'backbone.res6.0.conv1.weight': torch.zeros(1)},
        r"not those of a ResNet below 'backbone\.': res6\.0\.conv1\.weight\.",
    ),
    missing=(
        without('mask_features.bias', 'ln_final.weight'),
        r'(?s)does not fit .*Missing key.*mask_feature\.bias.*ln_final\.weight"',
    ),
    no_interaction=(
        without('interaction.'),
        r'(?s)does not fit .*Missing key.*pixel_decoder\.decoder\.',
    ),
    shape=(
        lambda state: state | {'IPCLIP.positional_embedding': torch.zeros(5, 24)},
        r'(?s)does not fit .*classifier\.visual\.positional_embedding: .*\[5, 24\]',
    ),
    another_model=(
        lambda state: {'IPCLIP.conv1.weight': torch.zeros(1)},
        r"no 'backbone\.\*' or no 'sem_seg_head\.\*' key: this is no MAFT or FreeSeg checkpoint",
    ),
    other_classes=(
        lambda state: state | {'criterion.empty_weight': torch.zeros(172)},
        r'was trained on 171 classes, .*small_maft\.py has \d+ or \d+\. Name its config',
    ),
)


@pytest.mark.parametrize('case', WRONG)
def test_what_is_not_accounted_for_is_listed_and_nothing_is_written(case, small, tool, tmp_path):
    change, message = WRONG[case]
    _, config, state = small
    with pytest.raises(SystemExit, match=message):
        convert(tool, change(state), config, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['in.pth']


def test_a_maft_checkpoint_wants_its_config_s_name(small, tool):
    with pytest.raises(ValueError, match='does not say which classes it knows. Name its config'):
        tool.maft(small[2])


def test_arrays_of_numpy_are_refused_with_what_to_do(tool, tmp_path):
    path = tmp_path / 'in.pkl'
    path.write_bytes(pickle.dumps(dict(model=dict(a=torch.zeros(1).numpy()))))
    with pytest.raises(SystemExit, match='make tensors of its arrays and torch.save'):
        tool.main(['maft', str(path), str(tmp_path / 'out.pth'), '--config', 'toy_maft'])
