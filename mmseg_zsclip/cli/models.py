"""`zsclip models [NAME]`."""

import argparse

from ..apis.model_list import MODELS, named_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('name', nargs='?', help='all that is known of this one')


def run(args: argparse.Namespace) -> int:
    if args.name is not None:
        print(described(args.name))
        return 0
    rows = [('model', 'method', 'tower', 'gives', 'costs', 'needs')]
    rows += [
        (name, one.method, one.tower, one.gives, one.costs, one.needs)
        for name, one in MODELS.items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print(
            '  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    print(
        '\nCosts: parameters, and multiply-accumulates of a photo (* of a window).'
        '\nzsclip models NAME tells more. In Python: ZeroShotSegmenter(NAME)(PHOTO, CLASSES).'
    )
    return 0


def described(name: str) -> str:
    """Every field of a model's row, a line each, and how it is called."""
    one = named_model(name)
    call = f'ZeroShotSegmenter({name!r}' + (", weights='FILE')" if one.checkpoint else ')')
    fields = dict(one._asdict(), python=call)
    return '\n'.join(f'{key:<10}  {value}' for key, value in fields.items() if value)
