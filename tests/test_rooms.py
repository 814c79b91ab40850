"""Which room may know of which: read from every import, those inside functions included."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / 'mmseg_zsclip'
GROUND = {'files', 'interpolation', 'masks', 'registry', 'vocabulary'}
# a room: the rooms that it may import beside itself
ARROWS = {
    'vocabulary': set(),
    'files': set(),
    'interpolation': set(),
    'masks': {'vocabulary'},
    'registry': set(),
    'ops': set(),
    'clip': {'vocabulary', 'files'},
    'losses': GROUND,
    'datasets': GROUND,
    'evaluation': GROUND | {'datasets'},
    'annotations': GROUND | {'datasets'},
    'toy': GROUND | {'datasets'},
    'models': GROUND | {'clip', 'datasets', 'losses'},
    'engine': GROUND | {'datasets', 'checkpoints'},
    'web': GROUND | {'annotations', 'apis', 'datasets', 'toy'},
    'visualization': GROUND | {'datasets', 'engine'},
}


def imported(path: Path) -> set[str]:
    """Modules that a file of the package imports, anywhere in it, by their whole names. What a
    `from` takes may be a module too, so it counts as one."""
    package = ['mmseg_zsclip', *path.relative_to(PACKAGE).parent.parts]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = '.'.join([*above, *filter(None, [node.module])])
            found |= {base, *(f'{base}.{name.name}' for name in node.names)}
    return found


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix('.py')


def sources() -> list[Path]:
    return [path for path in PACKAGE.rglob('*.py') if '.mim' not in path.parts]


ROOMS = {room(path) for path in sources()}


def rooms_of(path: Path) -> set[str]:
    parts = (name.split('.') for name in imported(path))
    return {part[1] for part in parts if part[0] == 'mmseg_zsclip' and len(part) > 1} & ROOMS


@pytest.mark.parametrize('name', ARROWS)
def test_a_room_imports_those_below_it_only(name):
    files = [path for path in sources() if room(path) == name]
    assert files
    for path in files:
        assert rooms_of(path) <= ARROWS[name] | {name}, path.relative_to(PACKAGE)


def test_the_product_knows_nothing_of_experiments():
    seen = {room(path) for path in sources() if 'experiments' in rooms_of(path)}
    assert seen == {'experiments'}


def test_no_two_modules_share_a_name():
    """Suites are named after the methods that they measure."""
    names = [path.stem for path in sources() if path.parent.name != 'suites']
    assert {name for name in names if names.count(name) > 1} == {'__init__'}


def test_clip_needs_torch_alone_and_what_it_may_lack_inside_functions():
    for path in (PACKAGE / 'clip').glob('*.py'):
        outside = {name.split('.')[0] for name in top_level(path)} - set(sys.stdlib_module_names)
        assert outside <= {'torch', 'mmseg_zsclip'}, path.name


def top_level(path: Path) -> set[str]:
    """Modules that importing a file of the package imports by itself."""
    tree = ast.parse(path.read_text())
    return {
        name
        for node in tree.body
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else ['mmseg_zsclip' if node.level else node.module]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }


def test_importing_the_vocabulary_loads_nothing_heavy():
    """As when `zsclip` starts: elsewhere the package repairs mmcv first, which takes torch."""
    modules = [
        f'mmseg_zsclip.vocabulary.{path.stem}'
        for path in (PACKAGE / 'vocabulary').glob('*.py')
        if path.stem != '__init__'
    ]
    assert modules
    code = (
        f'import importlib, sys; sys.argv[0] = "zsclip"\n'
        f'for name in {modules}: importlib.import_module(name)\n'
        'print({"torch", "mmseg", "mmcv", "mmengine", "cv2", "numpy"} & set(sys.modules))'
    )
    run = subprocess.run(
        [sys.executable, '-c', code], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == 'set()'


def over_budget(path: Path) -> list[str]:
    """What of a file is too long: of the file, of a function, of a constructor's arguments."""
    text = path.read_text(encoding='utf-8')
    lines = text.count('\n')
    found = [f'{path}: {lines} lines, 400 at most'] if lines > 400 else []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        where, length = f'{path}:{node.lineno}: {node.name}', node.end_lineno - node.lineno + 1
        if length > 60:
            found.append(f'{where} has {length} lines, 60 at most')
        count = len(node.args.posonlyargs + node.args.args + node.args.kwonlyargs) - 1
        if node.name == '__init__' and count > 12:
            found.append(f'{where} has {count} arguments, 12 at most')
    return found


def test_files_functions_and_constructors_stay_within_the_budget():
    files = [*sources(), *(PACKAGE.parent / 'tools').rglob('*.py')]
    assert len(files) > 100
    assert [line for path in files for line in over_budget(path)] == []


def test_files_of_tests_stay_within_the_budget():
    """Their functions may be longer: a config written out is one."""
    files = [*Path(__file__).parent.rglob('*.py')]
    assert len(files) > 50
    found = [line for path in files for line in over_budget(path)]
    assert [line for line in found if line.endswith('lines, 400 at most')] == []


def test_the_budget_would_be_missed(tmp_path):
    arguments = ', '.join(f'a{i}' for i in range(13))
    (tmp_path / 'long.py').write_text(
        f'def __init__(self, {arguments}):\n' + '    pass\n' * 60 + '\n' * 400
    )
    assert len(over_budget(tmp_path / 'long.py')) == 3
