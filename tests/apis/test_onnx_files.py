"""ONNX files of tiny models, run by ONNX Runtime; skipped where torch is too old or it is not
installed."""

import numpy as np
import pytest
import torch

from mmseg_zsclip.apis import onnx_files
from mmseg_zsclip.apis.onnx_files import (
    check_packages,
    example,
    run,
    traced,
    write_graph,
    write_vocabulary,
)
from mmseg_zsclip.models.graphs import graph_of

SIZES = ((64, 96), (97, 64), (75, 140))
VOCABULARIES = (['sky', 'road'], ['a', 'b', 'car', 'd', 'e'], [f'class {i}' for i in range(9)])


@pytest.fixture(scope='module')
def packages():
    try:
        check_packages()
    except ImportError as error:
        pytest.skip(str(error))


@pytest.fixture(scope='module', params=['maskclip', 'refined', 'resnet', 'zegclip', 'ip_clip'])
def exported(request, packages, tiny_exportable, tmp_path_factory):
    """A graph, its file, and what torch made of it, which takes seconds."""
    model = tiny_exportable(request.param)
    graph = graph_of(model.with_classes(VOCABULARIES[0], embeddings=torch.randn(2, 16)))
    program = traced(graph, graph.words(graph.model.vocabulary))
    path = tmp_path_factory.mktemp('onnx') / 'model.onnx'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_files, 'traced', lambda *_: program)
        assert write_graph(path, graph, dict(model=request.param)) < 1e-4
    assert [one.name for one in path.parent.iterdir()] == ['model.onnx']
    return graph, path, program


@torch.no_grad()
def test_a_file_gives_the_models_scores_for_any_batch_size_and_words(exported):
    graph, path, _ = exported
    model, differences, same = graph.model, [], []
    for batch in (1, 2):
        for height, width in SIZES:
            for names in VOCABULARIES:
                view = model.with_classes(
                    names,
                    unseen=['car'] if 'car' in names else None,
                    embeddings=torch.randn(len(names), 16),
                )
                sizes = dict(batch=batch, height=height, width=width, masks=2 * batch - 1)
                inputs = example(graph, graph.words(view.vocabulary), sizes)
                scores, expected = run(path, inputs), graph(**inputs)
                dim = 2 if 'masks' in inputs else 1
                same.append((scores.argmax(dim) == expected.argmax(dim)).float().mean())
                differences.append(
                    (graph.comparable(scores) - graph.comparable(expected)).abs().max()
                )
    assert max(differences) <= (1e-3 if hasattr(graph, 'head') and graph.head.finish else 1e-4)
    assert np.mean(same) >= 0.9999


@torch.no_grad()
def test_the_best_of_any_number_of_texts_counts(exported):
    graph, path, _ = exported
    if graph.axes['text'].get(1) is None:
        pytest.skip('ZegCLIP knows one text a class')
    words = dict(text=torch.randn(4, 3, 16))
    inputs = example(graph, words, dict(batch=1, height=64, width=96, masks=150))
    torch.testing.assert_close(
        *map(graph.comparable, (run(path, inputs), graph(**inputs))), rtol=1e-4, atol=1e-4
    )


def test_the_vocabulary_is_a_file_of_numpy(tiny_exportable, tmp_path):
    graph = graph_of(tiny_exportable('zegclip'))
    write_vocabulary(tmp_path / 'words.npz', graph)
    words = np.load(tmp_path / 'words.npz')
    assert words['classes'].tolist() == ['sky', 'road', 'tree', 'car']
    assert words['text'].shape == (4, 16)
    np.testing.assert_allclose(words['offset'], [0.1, 0.1, 0.1, 0])


def test_wrong_scores_and_weights_past_one_files_size_leave_no_file(
    exported, tmp_path, monkeypatch
):
    graph, _, program = exported
    monkeypatch.setattr(onnx_files, 'traced', lambda *_: program)
    monkeypatch.setattr(onnx_files, 'run', lambda *_: torch.full((1, 1, 1, 1), torch.nan))
    with pytest.raises(ValueError, match="differ from the model's by nan.*Nothing was written"):
        write_graph(tmp_path / 'model.onnx', graph, {})
    monkeypatch.setattr(onnx_files, 'MOST', 1000)
    with pytest.raises(ValueError, match='the weights are .* GB, and one ONNX file holds at most'):
        write_graph(tmp_path / 'model.onnx', graph, {})
    assert not list(tmp_path.iterdir())


def test_an_old_torch_and_missing_packages_say_what_to_install(monkeypatch):
    monkeypatch.setattr(torch, '__version__', '2.1.2+cpu')
    with pytest.raises(ImportError, match=r'torch is 2\.1\.2.*needs torch 2\.\d+ or later'):
        check_packages()
    monkeypatch.setattr(torch, '__version__', '2.14.1')
    monkeypatch.setattr(onnx_files, 'PACKAGES', ('numpy', 'onnx_nowhere'))
    with pytest.raises(ImportError, match='needs onnx_nowhere, which is not.*pip install'):
        check_packages()
