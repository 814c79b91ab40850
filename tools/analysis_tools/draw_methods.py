"""Draws photos, their truth, and what models make of them, side by side.

A model is a title, a name of `zsclip models` or a config, and its checkpoint where it is trained.
Photos are of the test data of the first one. The picture of the README:

    python tools/analysis_tools/draw_methods.py --photos 9 --out methods.png \\
        --model MaskCLIP toy_maskclip \\
        --model ZegCLIP toy_inductive work_dirs/toy_inductive/iter_2000.pth
"""

from pathlib import Path

from mmengine.registry import DATASETS, DefaultScope
from PIL import Image

from mmseg_zsclip.apis import ZeroShotSegmenter
from mmseg_zsclip.apis.launch import load_config
from mmseg_zsclip.apis.model_list import named_model
from mmseg_zsclip.cli.errors import run_tool
from mmseg_zsclip.cli.parsing import Parser
from mmseg_zsclip.files import made_folder
from mmseg_zsclip.visualization.class_maps import COLUMNS, SIDE, grid, tile
from mmseg_zsclip.visualization.overlays import read_photo
from mmseg_zsclip.visualization.paint import paint
from mmseg_zsclip.vocabulary.class_names import canonical

COLOURS = 96  # enough for a scene and its classes, and a third of the bytes


def test_data(model: str):
    """The data set that a model is tested on."""
    cfg = load_config(named_model(model).config)
    with DefaultScope.overwrite_default_scope('mmseg'):
        return DATASETS.build(cfg.test_dataloader.dataset)


def row(models: dict[str, ZeroShotSegmenter], dataset, index: int) -> list:
    """Tiles of one photo: itself, its truth, and the labels of each model by title.

    Raises:
        ValueError: a model has other classes than the data.
    """
    names = tuple(map(canonical, dataset.metainfo['classes']))
    unseen = set(map(canonical, dataset.metainfo.get('unseen') or ()))
    sample = dataset[index]['data_samples']
    photo = read_photo(sample.img_path, dataset)
    maps = {'truth': sample.gt_sem_seg.data[0].numpy()}
    for title, model in models.items():
        found = model(sample.img_path)
        if found.classes != names:
            raise ValueError(
                f'{title} was made for other classes than the first model: '
                f'{", ".join(found.classes)}; the photos have {", ".join(names)}. Give models of '
                'one data set.'
            )
        maps[title] = found.labels
    scale = -(-SIDE // max(photo.shape[:2]))
    large = photo.repeat(scale, 0).repeat(scale, 1)
    palette = dataset.metainfo['palette']
    return [
        tile(large, 'photo'),
        *(
            tile(paint(labels, names, palette, unseen, scale=scale, photo=large), title)
            for title, labels in maps.items()
        ),
    ]


def main(argv: list[str] | None = None) -> None:
    parser = Parser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--model',
        nargs='+',
        action='append',
        required=True,
        metavar=('TITLE', 'MODEL'),
        help='title, name or config, and the checkpoint of a trained one; may be repeated',
    )
    parser.add_argument('--photos', type=int, nargs='+', default=[0], help='of the test data')
    parser.add_argument('--columns', type=int, default=COLUMNS, help='tiles a row')
    parser.add_argument('--colours', type=int, default=COLOURS, help='of the file, 2 to 256')
    parser.add_argument('--out', default='methods.png')
    args = parser.parse_args(argv)
    if not 2 <= args.colours <= 256:
        parser.error(f'--colours is {args.colours}; legal: 2 to 256')
    for words in args.model:
        if len(words) not in (2, 3):
            parser.error(
                f'--model {" ".join(words)} has {len(words)} words; give a title, a model, and '
                'its checkpoint if it is trained.'
            )
    dataset = test_data(args.model[0][1])
    models = {title: ZeroShotSegmenter(*which) for title, *which in args.model}
    tiles = [one for index in args.photos for one in row(models, dataset, index)]
    path = Path(args.out)
    made_folder(path.parent)
    # the median cut that Pillow takes by default loses the colours of small things
    palette = dict(method=Image.Quantize.MAXCOVERAGE, kmeans=5, dither=Image.Dither.NONE)
    grid(tiles, args.columns).quantize(args.colours, **palette).save(path, optimize=True)
    print(f'written to {path}')


if __name__ == '__main__':
    run_tool(main)
