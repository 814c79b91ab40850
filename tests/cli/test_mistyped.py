"""Options of another kind than a constructor takes are named, with the legal ones."""

from collections.abc import Callable, Sequence

import pytest
from mmengine.registry import Registry

from mmseg_zsclip.cli.errors import guarded
from mmseg_zsclip.cli.mistyped import legal_kinds, mistyped

PARTS = Registry('part')


class Inner:
    def __init__(self, width: int) -> None:
        self.sizes = [0] * width


@PARTS.register_module()
class Part:
    def __init__(
        self,
        tau: float = 1.0,
        count: int | None = None,
        names: Sequence[str] = (),
        make: Callable | str = 'x',
        depth: int = None,  # noqa: RUF013  as others have it
        width=3,
    ) -> None:
        if tau > 5 or (count is not None and count < 1):
            raise ValueError(f'tau is {tau}, count {count}; legal: small and large ones')
        if depth == 0:
            raise KeyError(f'invalid depth {depth} for a part')
        self.text = make + ''.join(names)
        Inner(width)


@PARTS.register_module()
class Reader:
    def __init__(self, path: str, text: str) -> None:
        self.content = open(path).read()  # noqa: SIM115


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(tau='x'), "tau is 'x'; legal: a number"),
        (dict(count='3'), "count is '3'; legal: a whole number or None"),
        (dict(names=3), 'names is 3; legal: a list or a tuple'),
        (dict(width='wide'), "width is 'wide'; legal: a whole number"),
    ],
)
def test_an_option_of_another_kind_is_named_with_the_legal_ones(options, message):
    with pytest.raises(SystemExit) as stop:
        guarded(lambda: PARTS.build(dict(type='Part', **options)))
    entry = "zsclip: the entry of the config with type 'Part' cannot be built: "
    assert str(stop.value) == entry + message


def test_what_a_constructor_says_itself_stands():
    with pytest.raises(SystemExit, match='cannot be built: tau is 7, count -1; legal: small'):
        guarded(lambda: PARTS.build(dict(type='Part', tau=7, count=-1, names=3)))
    with pytest.raises(SystemExit, match='cannot be built: invalid depth 0 for a part$'):
        guarded(lambda: PARTS.build(dict(type='Part', depth=0)))  # as ResNets refuse a depth


def test_an_error_of_a_file_stands_whatever_else_is_wrong(tmp_path):
    with pytest.raises(SystemExit, match='^zsclip: .*No such file or directory: .*gone'):
        guarded(lambda: PARTS.build(dict(type='Reader', path=tmp_path / 'gone', text=3)))


def test_an_error_with_options_of_the_right_kinds_is_ours(tmp_path, monkeypatch):
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    with pytest.raises(SystemExit, match='unexpected TypeError'):
        guarded(lambda: PARTS.build(dict(type='Part', make=len)))  # of `make` nothing plain is said
    assert mistyped(None) is None


@pytest.mark.parametrize(
    ('hint', 'says'),
    [
        (int, ['a whole number']),
        (float | None, ['a number', 'None']),
        (tuple[int, int] | bool, ['a list', 'a tuple', 'True or False']),
        (int | Callable, []),
        (dict, []),
    ],
)
def test_kinds_that_an_annotation_allows(hint, says):
    assert list(legal_kinds(hint).values()) == says
