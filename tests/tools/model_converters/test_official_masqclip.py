"""tools/model_converters/official.py masqclip: a file with the names and shapes of the release."""

import pytest
import torch
from mmengine.registry import init_default_scope

from mmseg_zsclip.apis.launch import load_config
from mmseg_zsclip.models import released
from mmseg_zsclip.registry import MODELS

from .test_official_maft import above, below, head_names, renamed, resnet_names, write

REAL = 'coco_panoptic_masq_released'


def as_released(ours, heads, depths):
    """A state dict of `MasQCLIP` under the names that detectron2 saved."""
    queries = {
        f'transformer.resblocks.{key.replace(".", ".attn.new_q_proj.")}': value
        for key, value in below(ours, 'classifier.own.q.').items()
    }
    generator = below(ours, 'generator.')
    return {
        **above('backbone.', renamed(below(generator, 'backbone.'), resnet_names(depths, False))),
        **above('sem_seg_head.', renamed(below(generator, 'head.'), head_names(*heads))),
        **above('masqclip.visual.', below(ours, 'classifier.visual.') | queries),
        'masqclip.mask_embeddings': ours['classifier.position'],
        'criterion.empty_weight': torch.ones(ours['class_embeddings.embeddings'].shape[0] + 1),
    }


def built(cfg):
    init_default_scope('mmseg')
    torch.manual_seed(0)
    return MODELS.build(cfg.model)


def test_every_tensor_of_the_released_size_has_a_place():
    """ViT-L/14 at 336, Mask2Former of 6 and 9 layers on a ResNet-50, 133 classes."""
    cfg = load_config(REAL)
    with torch.device('meta'):
        ours = built(cfg).state_dict()
    theirs = as_released(ours, (6, 9), (3, 4, 6, 3))
    assert len([key for key in theirs if 'new_q_proj' in key]) == 48
    assert len([key for key in theirs if key.startswith('sem_seg_head.')]) == 292
    assert theirs['sem_seg_head.predictor.class_embed.weight'].shape == (2, 256)
    assert theirs['masqclip.mask_embeddings'].shape == (1024,)
    back = released.masqclip(theirs)
    text = {key for key in ours if key.endswith('embeddings.embeddings') or 'background' in key}
    assert len(text) == 2
    assert {key: one.shape for key, one in back.items()} == {
        key: one.shape for key, one in ours.items() if key not in text
    }


@pytest.fixture(scope='module')
def small(tmp_path_factory):
    """A small MasQCLIP as released, its config's path and its state under the released names."""
    cfg = load_config('toy_masqclip')
    generator = cfg.model.generator
    generator.checkpoint = None
    generator.backbone = dict(type='mmseg.ResNet', depth=50, base_channels=4, stem_channels=4)
    generator.head.in_channels = [16, 32, 64, 128]
    cfg.model.classifier.update(q_init='random', train_position=True)
    path = tmp_path_factory.mktemp('masqclip') / 'small_masqclip.py'
    cfg.dump(path)
    model = built(cfg)
    model.init_weights()
    with torch.no_grad():
        for name, value in model.state_dict().items():  # norms too: each place has its own numbers
            if not name.endswith('.embeddings') and value.is_floating_point():
                value.add_(0.02 * torch.rand_like(value))
    return model.eval(), str(path), as_released(model.state_dict(), (1, 2), (3, 4, 6, 3))


@pytest.fixture(scope='module')
def tool(load_tool):
    return load_tool('model_converters/official.py')


def convert(tool, state, tmp_path, *options):
    target = tmp_path / 'out.pth'
    tool.main(['masqclip', write(tmp_path / 'in.pth', state), str(target), *options])
    return torch.load(target, weights_only=True)['state_dict']


@torch.no_grad()
def test_a_converted_file_is_the_model_that_it_was_made_of(small, tool, tmp_path, capsys):
    """Its text is the config's CLIP's, also that of the background."""
    model, config, state = small
    ours = convert(tool, state, tmp_path, '--config', config)
    assert f'zsclip test {config}' in capsys.readouterr().out
    wanted = model.state_dict()
    assert ours.keys() == wanted.keys()
    for key in (key for key in ours if not key.endswith('num_batches_tracked')):
        torch.testing.assert_close(ours[key], wanted[key], rtol=0, atol=1e-6, msg=key)
    fresh = MODELS.build(load_config(config).model)
    fresh.load_state_dict(ours)
    img = torch.randn(1, 3, 128, 128)
    torch.testing.assert_close(fresh.eval()(img), model(img), rtol=1e-4, atol=1e-6)


WRONG = dict(
    unknown=(
        lambda state: state | {'masqclip.text_proj': torch.zeros(1)},
        r"1 keys of the checkpoint are not MasQCLIP's: masqclip\.text_proj\.",
    ),
    missing=(
        lambda state: {key: one for key, one in state.items() if 'new_q_proj' not in key},
        r'(?s)does not fit .*Missing key.*classifier\.own\.q\.0\.weight',
    ),
    shape=(
        lambda state: state | {'masqclip.mask_embeddings': torch.zeros(5)},
        r'(?s)does not fit .*classifier\.position: .*\[5\]',
    ),
    another_model=(
        lambda state: {'masqclip.visual.proj': torch.zeros(1)},
        'this is no MasQCLIP checkpoint',
    ),
    other_classes=(
        lambda state: state | {'criterion.empty_weight': torch.zeros(134)},
        r'was trained on 133 classes, .*small_masqclip\.py has 15 or 20\. Name its config',
    ),
)


@pytest.mark.parametrize('case', WRONG)
def test_what_is_not_accounted_for_is_listed_and_nothing_is_written(case, small, tool, tmp_path):
    change, message = WRONG[case]
    _, config, state = small
    with pytest.raises(SystemExit, match=message):
        convert(tool, change(state), tmp_path, '--config', config)
    assert [path.name for path in tmp_path.iterdir()] == ['in.pth']


def test_its_config_is_found_by_the_number_of_classes(small, tool, tmp_path):
    for count, name in tool.MASQCLIP.items():
        cfg = load_config(name)
        with torch.device('meta'):
            model = built(cfg)
        assert len(model.seen) == count
    with pytest.raises(SystemExit, match='trained on 15 classes, the release on 133 or 48. Name'):
        convert(tool, small[2] | {'criterion.empty_weight': torch.ones(16)}, tmp_path)
