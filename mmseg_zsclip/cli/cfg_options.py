"""`KEY=VALUE` of --cfg-options. Values are read as mmengine reads them, but blanks stay where they
are: mmengine makes `/my photos` a folder `/myphotos`, and `[traffic light,car]` classes that nobody
knows."""

import argparse
import re
import sys

A_DICT = re.compile(r'[\[(]*(\{(?!\})|dict\()')


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """`parse_options` reads them."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='override config entries: model.head.x=1 "list=[a,b]"',
    )


def parse_options(pairs: list[str]) -> dict:
    """`['a.b=1', 'c=[x y,z]']` -> `{'a.b': 1, 'c': ['x y', 'z']}`. What cannot be read ends the
    program."""
    out = {}
    for pair in pairs:
        key, equals, text = pair.partition('=')
        if not equals or not key.strip('+ '):
            sys.exit(f"zsclip: --cfg-options takes KEY=VALUE, got '{pair}'")
        key = key.strip()
        if A_DICT.match(text.strip().strip('\'"')):
            sys.exit(
                f"zsclip: --cfg-options '{pair}': the command line takes words, numbers and lists "
                f'of them, no dicts. Give an option for each entry, as {key}.NAME=VALUE, or write '
                'a config.'
            )
        try:
            out[key] = option_value(text)
        except ValueError as error:
            sys.exit(f"zsclip: --cfg-options '{pair}': {error}")
    return out


def option_value(text: str) -> str | int | float | bool | None | list | tuple:
    """`1`, `1.5`, `true`, `None`, words; `[a,b]` and `a,b` are lists, `(a,b)` is a tuple.

    Raises:
        ValueError: brackets without their other half.
    """
    text = text.strip().strip('\'"').strip()
    parts, kind = split_outside_brackets(text), list
    if len(parts) == 1:
        kind = {'[]': list, '()': tuple}.get(text[:1] + text[-1:])
        if kind is None:
            from mmengine.config import DictAction

            return DictAction._parse_int_float_bool(text)
        parts = split_outside_brackets(text[1:-1])
    if not parts[-1]:
        parts.pop()  # `a,` has one part, `[]` none
    return kind(option_value(part) for part in parts)


def split_outside_brackets(text: str) -> list[str]:
    """At the commas that no bracket holds."""
    closing, parts, start = [], [], 0
    for i, char in enumerate(text):
        if char in '[(':
            closing.append(']' if char == '[' else ')')
        elif char in '])' and (not closing or closing.pop() != char):
            raise ValueError(f"there is a '{char}' too many. Correct the brackets.")
        elif char == ',' and not closing:
            parts.append(text[start:i].strip())
            start = i + 1
    if closing:
        raise ValueError(f"a '{closing[-1]}' is missing. Correct the brackets.")
    return [*parts, text[start:].strip()]
