"""What of an entry of a config is of another kind than its constructor says that it takes."""

import inspect
import types
import typing
from collections.abc import Sequence
from numbers import Integral, Real
from types import TracebackType

KINDS = {
    int: (Integral, 'a whole number'),
    float: (Real, 'a number'),
    bool: (bool | Integral, 'True or False'),
    str: (str, 'text'),
    type(None): (type(None), 'None'),
}
LISTS = (list, tuple, Sequence)


def mistyped(step: TracebackType | None) -> str | None:
    """Names the first option, of the constructors that an error left, whose value is none of the
    plain kinds that its annotation allows: `"tau is 'x'; legal: a number"`. None where all are."""
    while step is not None:
        frame = step.tb_frame
        if frame.f_code.co_name == '__init__':
            known = frame.f_locals
            owner = known.get(frame.f_code.co_varnames[0])
            for name, (hint, default) in _options(type(owner), frame.f_code).items():
                legal = legal_kinds(hint)
                value = known.get(name, default)
                if legal and value is not default and not isinstance(value, tuple(legal)):
                    return f'{name} is {value!r}; legal: {" or ".join(legal.values())}'
        step = step.tb_next
    return None


def legal_kinds(hint: object) -> dict[type, str]:
    """The types that an annotation allows, each in words; empty where one of them is not plain."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        parts = [legal_kinds(one) for one in typing.get_args(hint)]
        return {key: says for part in parts for key, says in part.items()} if all(parts) else {}
    if hint in LISTS or typing.get_origin(hint) in LISTS:
        return {list: 'a list', tuple: 'a tuple'}
    if hint not in KINDS:
        return {}
    kind, says = KINDS[hint]
    return {kind: says}


def _options(owner: type, code: types.CodeType) -> dict[str, tuple[object, object]]:
    """Annotation and default of each parameter of the `__init__` that has this code."""
    for base in owner.__mro__:
        init = vars(base).get('__init__')
        if getattr(init, '__code__', None) is code:
            try:
                hints = typing.get_type_hints(init)
            except Exception:  # noqa: BLE001  whatever an annotation of others names
                return {}
            known = inspect.signature(init).parameters
            return {key: (hint, known[key].default) for key, hint in hints.items() if key in known}
    return {}
