"""`zsclip export`, and the example that runs what it wrote."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmseg_zsclip.apis import ZeroShotSegmenter
from mmseg_zsclip.apis.onnx_files import check_packages
from mmseg_zsclip.cli import main

WORDS = 'tree; sky; road'
EXAMPLE = Path(__file__).parents[2] / 'demo' / 'onnx_example.py'


@pytest.fixture
def packages():
    try:
        check_packages()
    except ImportError as error:
        pytest.skip(str(error))


def test_the_example_gives_the_segmenters_labels_without_torch(packages, tmp_path, capsys):
    model = tmp_path / 'new' / 'toy.onnx'
    main(['export', 'toy', '--out', str(model), '--classes', WORDS])
    said = capsys.readouterr().out
    assert f'{model}: 10 MB; scores of ONNX Runtime and of the model differ by' in said
    assert np.load(model.with_suffix('.npz'))['classes'].tolist() == ['tree', 'sky', 'road']
    pixels = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'photo.png')
    code = (
        'import runpy\n'
        'runpy.run_path(sys.argv[0])\n'
        'assert not {"torch", "mmengine", "mmseg", "mmseg_zsclip"} & set(sys.modules)\n'
    )
    words = [EXAMPLE, model, tmp_path / 'photo.png', tmp_path / 'out.png']
    code = f'import sys; sys.argv = {list(map(str, words))}\n{code}'
    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert [line.split()[1] for line in run.stdout.splitlines()] == ['tree:', 'sky:', 'road:']
    labels = np.asarray(Image.open(tmp_path / 'out.png'))
    assert (labels == ZeroShotSegmenter('toy', device='cpu')(pixels, WORDS).labels).mean() > 0.999


def test_other_words_alone_are_an_npz(tmp_path, capsys):
    out = tmp_path / 'words.npz'
    main(['export', 'toy', '--out', str(out), '--classes', 'tree; sky'])
    assert list(tmp_path.iterdir()) == [out]
    words = np.load(out)
    assert words['text'].shape == (2, 1, 192)
    np.testing.assert_allclose(np.linalg.norm(words['text'], axis=-1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['toy', '--out', 'a.pt'], r"--out is 'a.pt'; it must end in .onnx or .npz"),
        (['toy', '--out', 'there.onnx'], r'there.npz exists. .*--force'),
        (['toyy', '--out', 'a.npz'], "there is no model 'toyy'.*Nearest: toy"),
        (['toy-zegclip', '--out', 'a.npz'], 'toy-zegclip needs a checkpoint.*toy_inductive'),
        (['toy-masqclip', '--out', 'a.npz'], 'a MasQCLIP with a MasQCLIPViT cannot be exported'),
        (['toy_mta_clip', '--out', 'a.npz'], 'a MTACLIPHead cannot be exported; legal: MaskCLIP'),
        (['toy_maskclip_pamr', '--out', 'a.npz'], r'model\.test_cfg\.pamr=None'),
        (['toy_maskclip_sc', '--out', 'a.npz'], "attention 'sc' cannot be exported"),
    ],
)
def test_wrong_usage_is_one_line(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('there.npz').touch()
    with pytest.raises(SystemExit, match=message) as stop:
        main(['export', *words])
    assert '\n' not in str(stop.value)
    assert [path.name for path in tmp_path.iterdir()] == ['there.npz']
