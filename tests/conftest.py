"""What several tests need: small photos with label maps, the development data, tools as modules."""

import gc
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmseg_zsclip.clip.archs import CLIPArch

TOOLS = Path(__file__).parents[1] / 'tools'


def pytest_collection_finish():
    """What the imports made stays to the end: every data set that is built collects garbage, and
    would look through all of it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope='session', autouse=True)
def each_config_is_laid_out_once():
    """A runner writes its config's text some six times, and yapf takes seconds for a long one."""
    from mmengine.config import config

    whole, seen = config.FormatCode, {}

    def once(text, **style):
        key = text, repr(style)
        if key not in seen:
            seen[key] = whole(text, **style)
        return seen[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, 'FormatCode', once)
        yield


@pytest.fixture(scope='session')
def load_tool():
    """A script below `tools`, by its path there, as a fresh module;
    it can import those beside it."""

    def load(name):
        path = TOOLS / name
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(path.parent)
            spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope='session')
def untrained():
    """Writes the checkpoint of a model of the toy world, by its config, that is not trained."""
    from mmseg_zsclip.apis.building import untrained as begun
    from mmseg_zsclip.apis.launch import load_config
    from mmseg_zsclip.vocabulary.lists import load_classes

    def write(config, path):
        torch.manual_seed(0)
        model = begun(load_config(config))
        model.init_weights()
        for name, parameter in model.named_parameters():  # or one class is everywhere
            if any(part in name for part in ('mask_attn', 'query_proj', 'mask_embed')):
                torch.nn.init.normal_(parameter)
        meta = dict(dataset_meta=dict(classes=load_classes('toy')))
        torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
        return str(path)

    return write


@pytest.fixture(scope='session')
def whole_graphs():
    """Skips where torch.compile is too old to trace a method whole."""
    if not hasattr(torch.compiler, 'set_stance'):  # came with 2.6
        pytest.skip(f'needs torch 2.6 to trace a method whole; this is {torch.__version__}')


@pytest.fixture(scope='session')
def shared():
    """The folder of the development data: ZSCLIP_SHARED, or `shared` beside the repository."""
    default = Path(__file__).parents[2] / 'shared'
    folder = Path(os.environ.get('ZSCLIP_SHARED', default))
    if not (folder / 'data').is_dir():
        pytest.skip(f'no data folder in {folder}: set ZSCLIP_SHARED')
    return folder


@pytest.fixture(scope='session')
def photo_folder(tmp_path_factory):
    """4 photos `img/{0..3}.png`, 64 x 96, and label maps `ann/*.png`: 0-3, and 255 ignored."""
    root = tmp_path_factory.mktemp('photos')
    rng = np.random.default_rng(0)
    for part in ('img', 'ann'):
        (root / part).mkdir()
    for i in range(4):
        labels = np.kron(rng.integers(0, 4, (4, 6)), np.ones((16, 16))).astype(np.uint8)
        photo = labels[..., None] * np.array([60, 40, 20]) + rng.integers(0, 60, (64, 96, 3))
        labels[:4] = 255
        Image.fromarray(photo.astype(np.uint8)).save(root / 'img' / f'{i}.png')
        Image.fromarray(labels).save(root / 'ann' / f'{i}.png')
    return root


@pytest.fixture
def same():
    """Whether two tensors are equal: bit for bit on a CPU; on a GPU, whose sums have no fixed
    order, to three digits."""
    if torch.cuda.is_available():
        return lambda one, other: torch.allclose(one.double(), other.double(), 1e-3, 1e-4)
    return torch.equal


VIT = CLIPArch('tiny', 16, 32, 2, 24, 8, 4, 16, 2, 1)
RESNET = CLIPArch('RN-tiny', 16, 64, (1, 1, 1, 1), 2, None, 4, 16, 2, 1)
WORDS = ['sky', 'road', 'tree, bush', 'car']
OURS = 'mmseg_zsclip.'
MASKCLIP = dict(type=f'{OURS}MaskCLIPHead', scale=20.0)
PROMPTED = dict(type=f'{OURS}DeepPromptedViT', arch=VIT, num_prompts=2)
ZEGCLIP = dict(type=f'{OURS}ZegCLIPHead', unseen=['car'], num_layers=2)
GIVEN = dict(type=f'{OURS}TrueProposals')
EXPORTABLE = dict(
    maskclip=({}, MASKCLIP),
    background=(
        {},
        dict(MASKCLIP, classes=['background', *WORDS], background=['wall', 'floor, ground']),
    ),
    synonyms=({}, dict(MASKCLIP, text=dict(arch=VIT, synonyms='max'))),
    refined=(dict(attention='kk'), dict(MASKCLIP, ks_thresh=1.0, pd_thresh=0.3)),
    resnet=(
        dict(type=f'{OURS}MaskCLIPResNet', arch=RESNET),
        dict(MASKCLIP, text=dict(arch=RESNET)),
    ),
    calibrated=(dict(attention='sc'), MASKCLIP),
    zegclip=(PROMPTED, ZEGCLIP),
    plain=(dict(type=f'{OURS}CLIPVisionTransformer'), dict(ZEGCLIP, query='t', in_channels=24)),
    text=({}, dict(type=f'{OURS}TextHead', head=dict(type='FCNHead', in_channels=16, channels=8))),
)
CLASSIFIERS = dict(
    ip_clip=(dict(type=f'{OURS}IPCLIPViT', arch=VIT, clip_size=(48, 40)), VIT),
    ip_clip_resnet=(dict(type=f'{OURS}IPCLIPResNet', arch=RESNET, clip_size=None), RESNET),
    pooling=(
        dict(type=f'{OURS}MaskPooling', backbone=dict(type=f'{OURS}MaskCLIPViT', arch=VIT)),
        VIT,
    ),
)


def exportable_config(name):
    common = dict(data_preprocessor=dict(type=f'{OURS}CLIPDataPreProcessor'))
    if name in CLASSIFIERS:
        classifier, arch = CLASSIFIERS[name]
        parts = dict(generator=GIVEN, classifier=classifier, classes=WORDS, text=dict(arch=arch))
        return dict(type=f'{OURS}TwoStageSegmentor', **common, **parts)
    backbone, head = EXPORTABLE[name]
    backbone = dict(type=f'{OURS}MaskCLIPViT', arch=VIT) | backbone
    head = dict(classes=WORDS, text=dict(arch=VIT)) | head
    return dict(type=f'{OURS}OneStageSegmentor', **common, backbone=backbone, decode_head=head)


@pytest.fixture(scope='session')
def tiny_exportable():
    """Makes a tiny model, random with random text embeddings, by a key of `EXPORTABLE` or of
    `CLASSIFIERS`; one of `EXPORTABLE` with keys of its config."""
    from mmengine.registry import init_default_scope

    from mmseg_zsclip.models.vocabulary import Vocabulary
    from mmseg_zsclip.registry import MODELS

    def make(name, **changes):
        init_default_scope('mmseg')
        torch.manual_seed(0)
        model = MODELS.build(exportable_config(name) | changes)
        for part in model.modules():
            if isinstance(part, Vocabulary):  # the text tower takes seconds to build
                part.handed_in = True
        model.init_weights()
        for key, parameter in model.named_parameters():
            if 'mask_attn' in key or 'query_proj' in key:  # or every pixel is of one class
                torch.nn.init.normal_(parameter)
        return model.eval()

    return make


HOLD = """
import sys
from mmseg_zsclip.engine.folder_lock import in_use
with in_use(sys.argv[1]):
    print('held', flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def hold():
    """Starts a process that holds a folder as a run does, to the end of the test."""
    others = []

    def start(folder):
        command = [sys.executable, '-c', HOLD, str(folder)]
        env = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        others.append(subprocess.Popen(command, env=env, text=True, **pipes))
        assert others[-1].stdout.readline() == 'held\n'
        return others[-1]

    yield start
    for other in others:
        other.kill()
        other.communicate()
