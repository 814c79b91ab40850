"""A model as one ONNX file, checked by ONNX Runtime, and its vocabulary as an .npz beside it."""

import importlib.metadata
import json
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .. import __version__
from ..engine.hooks import vocabulary_of
from ..files import whole_file
from ..models.graphs import Graph, graph_of
from ..models.vocabulary import OpenVocabulary
from .building import untrained
from .launch import load_config
from .model_list import named_model
from .segmenter import ZeroShotSegmenter
from .words import Classes

PACKAGES = ('onnx', 'onnxscript', 'onnxruntime')
OLDEST_TORCH = (2, 8)
MOST = 2**31 - 2**24  # bytes of weights in one file of protobuf, less what the graph takes
AGREES = 1e-3  # the largest difference of scores between the file and the model


def check_packages() -> None:
    """That models can be exported here.

    Raises:
        ImportError: torch is too old, or a package is missing; says what to install.
    """
    found = tuple(int(part) for part in torch.__version__.split('.')[:2])
    if found < OLDEST_TORCH:
        raise ImportError(
            f'torch is {torch.__version__}, whose exporter makes no graph for any size of image; '
            f'export needs torch {".".join(map(str, OLDEST_TORCH))} or later. Export in another '
            'environment: the file needs no torch to run.'
        )
    missing = [name for name in PACKAGES if not _installed(name)]
    if missing:
        raise ImportError(
            f'export needs {", ".join(missing)}, which {"is" if len(missing) == 1 else "are"} not '
            f'installed. Run: pip install {" ".join(missing)}'
        )


def _installed(name: str) -> bool:
    try:
        return bool(importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return False


def example(graph: Graph, given: dict[str, Tensor], sizes: dict[str, int]) -> dict[str, Tensor]:
    """Inputs of a graph: those given, and random ones of `sizes` for its free dimensions."""
    shapes = dict(
        image=(sizes['batch'], 3, sizes['height'], sizes['width']),
        masks=(sizes['batch'], sizes.get('masks'), sizes['height'], sizes['width']),
    )
    rng = torch.Generator().manual_seed(0)
    high = dict(image=255.0, masks=1.0)
    return {
        name: given[name] if name in given else high[name] * torch.rand(shapes[name], generator=rng)
        for name in graph.axes
    }


def several(words: dict[str, Tensor]) -> dict[str, Tensor]:
    """Two texts of each of three classes, in the place of a vocabulary that may have one, which an
    exporter takes for a constant."""
    return {
        name: torch.rand(3, *[2] * (value.dim() - 2), *value.shape[-1:] * (value.dim() > 1))
        for name, value in words.items()
    }


def check_exportable(model: str, options: dict | None = None) -> None:
    """That a model can be exported, before anybody trains it for that.

    Raises:
        ValueError: see `graph_of`.
    """
    cfg = load_config(named_model(model).config, options=options)
    cfg.model.train_cfg = None
    graph_of(untrained(cfg))


def with_words(segmenter: ZeroShotSegmenter, classes: Classes | None) -> OpenVocabulary:
    """The model with the text embeddings of `classes`, see `read_classes`; of its own if None."""
    if classes is None and vocabulary_of(segmenter.model).computed:
        return segmenter.model
    return segmenter.view(segmenter.prompts(classes, background=False))


def write_vocabulary(path: Path, graph: Graph) -> list[str]:
    """Writes what of the inputs the model's vocabulary gives, and `classes`, their names; these are
    returned."""
    words = graph.model.vocabulary
    arrays = {name: value.cpu().numpy() for name, value in graph.words(words).items()}
    with whole_file(path) as partial, partial.open('wb') as file:
        np.savez(file, classes=np.array(words.names), **arrays)
    return words.names


def about(segmenter: ZeroShotSegmenter, graph: Graph) -> dict[str, str]:
    """What the file says of itself."""
    resize = [step for step in segmenter.pipeline.transforms if hasattr(step, 'keep_ratio')]
    test = graph.model.test_cfg
    outside = dict(
        resize=dict(scale=resize[0].scale, keep_ratio=resize[0].keep_ratio) if resize else {},
        windows={key: test[key] for key in ('crop_size', 'stride') if test.get('mode') == 'slide'},
    )
    return dict(
        made_by=f'mmseg_zsclip {__version__}, torch {torch.__version__}',
        model=Path(segmenter.named.config).stem,
        about=' '.join(type(graph).__doc__.split()),
        image='(B, 3, H, W) RGB in 0 to 255, float32; normalised in the graph',
        outside_the_graph=json.dumps(outside),
    )


def traced(graph: Graph, words: dict[str, Tensor]) -> 'torch.onnx.ONNXProgram':
    inputs = example(graph, several(words), dict(batch=2, height=192, width=224, masks=4))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of names that two inputs share, and of torch's own parts
        return torch.onnx.export(
            graph,
            tuple(inputs.values()),
            dynamo=True,
            input_names=list(graph.axes),
            output_names=['scores'],
            dynamic_shapes=graph.axes,
            verbose=False,
        )


@torch.no_grad()
def write_graph(path: Path, graph: Graph, metadata: dict[str, str]) -> float:
    """Writes a graph to one file, if ONNX Runtime gives the model's scores for other sizes.

    Args:
        path: its folder must exist.
        metadata: texts that the file carries.

    Returns:
        the largest difference of scores.

    Raises:
        ImportError: see `check_packages`.
        ValueError: weights of more than one file can hold, or other scores. Nothing is written.
    """
    check_packages()
    words = graph.words(graph.model.vocabulary)
    program = traced(graph, words)
    size = sum(one.const_value.nbytes for one in program.model.graph.initializers.values())
    if size > MOST:
        raise ValueError(
            f'the weights are {size / 1e9:.1f} GB, and one ONNX file holds at most '
            f'{MOST / 1e9:.1f}. Export a smaller tower.'
        )
    program.model.metadata_props.update(metadata)
    with whole_file(path) as partial:
        program.save(partial, external_data=False)
        inputs = example(graph, words, dict(batch=1, height=257, width=160, masks=3))
        ours, theirs = map(graph.comparable, (graph(**inputs), run(partial, inputs)))
        difference = (ours - theirs).abs().max().item()
        if not difference <= AGREES:
            raise ValueError(
                f"the graph's scores differ from the model's by {difference:.2g}, at most "
                f'{AGREES:g} is right, with torch {torch.__version__} and onnxscript '
                f'{importlib.metadata.version("onnxscript")}. Nothing was written; use other '
                'versions of them.'
            )
    return difference


def run(path: Path, inputs: dict[str, Tensor]) -> Tensor:
    """What ONNX Runtime makes of inputs, on the CPU."""
    from onnxruntime import InferenceSession

    session = InferenceSession(path, providers=['CPUExecutionProvider'])
    (scores,) = session.run(None, {name: value.numpy() for name, value in inputs.items()})
    return torch.from_numpy(scores)
