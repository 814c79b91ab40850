"""Random calls of the toy models and of `zsclip segment`: each gives an answer that holds together,
or an error of ours that says what is wrong.

    python tools/fuzz.py --calls 10000 --seed 1

Photos, words and options are legal, wrong, or anything that a type allows: what is legal must be
answered, what is wrong must be refused. Trained models have random weights here. The first call
that breaks this is made as small as it goes and printed; the same seed finds it again.
"""

import contextlib
import io
import linecache
import logging
import os
import shutil
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from fuzz_inputs import CallOf, Line, calls, lines, pixels_of
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from mmseg_zsclip.annotations.writers import Photo, Writer
from mmseg_zsclip.apis.building import untrained
from mmseg_zsclip.apis.launch import load_config
from mmseg_zsclip.apis.model_list import CLOSED
from mmseg_zsclip.apis.model_list import MODELS as NAMED
from mmseg_zsclip.apis.photo_arguments import named_photos
from mmseg_zsclip.apis.segment_photos import Job
from mmseg_zsclip.apis.segmentation import Segmentation
from mmseg_zsclip.apis.segmenter import ZeroShotSegmenter
from mmseg_zsclip.cli import segment
from mmseg_zsclip.cli.errors import origin, raised_here, run_tool
from mmseg_zsclip.cli.parsing import Parser
from mmseg_zsclip.vocabulary.labels import OFFSET


def toy_names() -> list[str]:
    return [name for name in NAMED if name.startswith('toy')]


def toy_segmenters(folder: Path) -> dict[str, ZeroShotSegmenter]:
    """Those of the toy world by name, every method; what is trained is random."""
    out = {}
    for name in toy_names():
        row = NAMED[name]
        weights = random_weights(row.config, folder / f'{name}.pth') if row.checkpoint else None
        out[name] = ZeroShotSegmenter(name, weights, device='cpu')
    return out


def is_closed(name: str) -> bool:
    """Whether a model has classes of its own alone."""
    return NAMED[name].gives == CLOSED['gives']


def random_weights(config: str, path: Path) -> Path:
    torch.manual_seed(0)
    model = untrained(load_config(config))
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


def check_call(call: CallOf, models: dict[str, ZeroShotSegmenter], folder: Path) -> str:
    """What became of a call: 'answer', or the kind of its error.

    Raises:
        AssertionError: an answer that does not hold together, or one to a wrong call.
        Exception: an error that is not ours, or of a legal call.
    """
    seg = models[call.model]
    photos, sizes = call.made(folder)
    legal = call.legal(seg.tasks, closed=is_closed(call.model))
    try:
        found = seg(photos, **call.options())
    except Exception as error:  # noqa: BLE001  which is the question
        return refused(error, legal)
    assert legal is not False, 'a wrong call was answered'
    found = found if isinstance(photos, list | tuple) else [found]
    assert len(found) == len(sizes)
    for one, size in zip(found, sizes, strict=True):
        check_answer(one, size, call.threshold.value, seg)
    return 'answer'


def refused(error: Exception, legal: bool | None) -> str:
    """The kind of an error that this package raised, on purpose, of a call that is not legal.

    Raises: any other error, as it is.
    """
    error = origin(error)
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    line = linecache.getline(frame.tb_frame.f_code.co_filename, frame.tb_lineno).strip()
    ours = raised_here(error) and line.startswith('raise') and ' ' in str(error)
    if legal or not (ours and isinstance(error, ValueError | TypeError | FileNotFoundError)):
        raise error
    return type(error).__name__


def check_answer(
    one: Segmentation, size: tuple[int, int] | None, threshold: float, seg: ZeroShotSegmenter
) -> None:
    """That an answer to a photo of `size`, where that is known, holds together."""
    labels, count = one.labels, len(one.classes)
    assert size in (None, labels.shape), f'{labels.shape} labels of a photo of {size}'
    assert np.issubdtype(labels.dtype, np.integer)
    ignored = labels == one.ignored
    assert one.ignored >= count
    assert ((labels >= 0) & (labels < count) | ignored).all(), 'labels out of range'
    assert len(one.palette) == len(set(one.classes)) == count
    scores = one.scores
    assert scores.shape == (count, *labels.shape)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all(), 'scores are not finite'
    blank = not scores.any()  # a model of two stages may propose nothing at all
    if not threshold and not (blank and seg.tasks != ('semantic',)):
        assert not ignored.any(), 'pixels without a class, and no threshold'
        rows = np.take_along_axis(scores, labels[None], axis=0)[0]
        np.testing.assert_allclose(rows, scores.max(axis=0), rtol=1e-4, atol=1e-5)
    y, x = (side // 2 for side in labels.shape)
    assert sorted(one.scores_at(x, y)) == sorted(one.classes)
    assert 0 <= one.confidence <= 1.0001
    for region in one.regions:
        assert 0 <= region.confidence <= 1.0001
        assert region.name == one.classes[region.label]
    assert one.overlay().size[0] >= 1
    check_segments(one)


def check_segments(one: Segmentation) -> None:
    """Instances and panoptic segments, where they were asked for."""
    for thing in one.instances or ():
        assert thing.name == one.classes[thing.label]
        assert 0 <= thing.score <= 1.0001
        assert thing.mask.shape == one.labels.shape
        assert thing.mask.dtype == bool
    if one.panoptic is not None:
        assert one.panoptic.shape == one.labels.shape
        assert set(np.unique(one.panoptic % OFFSET)) <= {*range(len(one.classes) + 1)}


def check_line(line: Line, models: dict[str, ZeroShotSegmenter], folder: Path) -> str:
    """What becomes of the words behind `zsclip segment`; what it would write goes to `folder`."""
    parser, said = Parser(prog='zsclip segment'), io.StringIO()
    segment.add_arguments(parser)
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            args = parser.parse_args(line.words)
    except SystemExit:
        assert not line.legal, f'a legal line was refused: {said.getvalue()}'
        return 'usage'
    try:
        photos = named_photos(args.photos, args.out)
        job = segment.asked_of(models.get(args.model, models['toy']), args)
        writers = job.writers(folder / 'written')
    except Exception as error:  # noqa: BLE001  which is the question
        return refused(error, line.legal)
    assert line.legal is not False, 'a wrong line was taken'
    assert photos
    assert all(Path(photo).is_absolute() for photo in photos)
    check_files(job, writers, photos[0])
    return 'answer'


def check_files(job: Job, writers: list[Writer], path: str) -> None:
    """That the formats of a photo, here of noise, can be written, and what was found be read."""
    photo, out = Photo(path, 'photo', 1), writers[-1].out
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    found = job.found_in(job.segment([pixels_of((48, 40), 'noise')])[0])
    for writer in writers:
        writer.write(photo, found)
        writer.finish([photo], lambda photo: found)
        assert not writer.missing(photo)
    again = writers[-1].read(photo)
    assert again.size == found.size == (48, 40)
    assert again.objects == found.objects
    assert len(again.objects) <= len(again.shapes)
    names = ('panoptic.json' if job.task == 'panoptic' else 'coco.json', 'yolo/data.yaml')
    for name, of in zip(names, ('coco', 'yolo'), strict=True):
        assert (out / name).exists() == (of in job.formats)


def fuzz(count: int, number: int, folder: Path) -> Counter:
    """How many calls, and lines of the command, became what.

    Raises: see `check_call`; the call is in the error's notes.
    """
    models, became = toy_segmenters(folder), Counter()
    of_models = calls({name: is_closed(name) for name in sorted(models)})
    (folder / 'photos').mkdir()
    for name in ('a.png', 'b.jpg', 'note.txt'):
        (folder / 'photos' / name).touch()

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(call=st.one_of(of_models, of_models, lines()))
    def one(call: CallOf | Line) -> None:
        if isinstance(call, Line):
            became['line: ' + check_line(call, models, folder)] += 1
        else:
            became[f'{call.model}: {check_call(call, models, folder)}'] += 1

    before = Path.cwd()
    os.chdir(folder)
    try:
        one()
    finally:
        os.chdir(before)
    return became


def main() -> None:
    parser = Parser(description=__doc__.partition('\n\n')[0])
    parser.add_argument('--calls', type=int, default=10000)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    if args.calls < 1:
        raise ValueError(f'calls is {args.calls}; legal values: a whole number from 1 on.')
    logging.disable()
    warnings.simplefilter('ignore')  # random words mean nothing to the toy towers
    with tempfile.TemporaryDirectory() as folder:
        try:
            became = fuzz(args.calls, args.seed, Path(folder))
        except Exception as found:  # noqa: BLE001  one error, or a group of different ones
            for error in getattr(found, 'exceptions', [found]):
                traceback.print_exception(error, limit=-6, chain=False)
            sys.exit(f'fuzz: seed {args.seed} found what is printed above')
    print(f'{sum(became.values())} calls, seed {args.seed}')
    for what, times in sorted(became.items()):
        print(f'{times:6d}  {what}')


if __name__ == '__main__':
    run_tool(main)
