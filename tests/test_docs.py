"""Every page is listed, every link leads somewhere, and the Python on the pages runs."""

import re
from pathlib import Path

import pytest
import yaml

import mmseg_zsclip  # noqa: F401
from mmseg_zsclip.apis import find_config

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / 'docs'
METHODS = sorted(ROOT.glob('configs/*/README.md'))
README = ROOT / 'README.md'
PAGES = [README, ROOT / 'CONTRIBUTING.md', *sorted(DOCS.glob('*.md')), *METHODS]
ROOMS = [
    'configs',
    'docs',
    'mmseg_zsclip',
    'requirements',
    'tests',
    'tools',
    *(path.name for path in (ROOT / 'mmseg_zsclip').iterdir() if path.is_dir()),
]
# Not those with a star, a brace or a <blank> behind them, nor what lies in a reader's own folder.
FILES = re.compile(rf'(?<![\w/<.@:-])((?:{"|".join(ROOMS)})/[\w./-]*\w)(?![\w*{{<$])')
LARGEST_PICTURE = 150_000  # bytes; more does not belong in git


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def links(page: Path) -> list[str]:
    return re.findall(r'\]\(([^)\s]+)\)', page.read_text())


def anchors(page: Path) -> set[str]:
    """As mkdocs and GitHub name the headings of a page."""
    return {
        re.sub(r'[\s-]+', '-', re.sub(r'[^\w\s-]', '', heading).strip().lower())
        for heading in re.findall(r'^#+ (.+)$', page.read_text(), re.MULTILINE)
    }


def snippets(page: Path) -> list[str]:
    return re.findall(r'^```python\n(.*?)^```$', page.read_text(), re.MULTILINE | re.DOTALL)


def test_the_index_and_the_navigation_list_every_page():
    pages = {path.name for path in DOCS.glob('*.md')}
    nav = [
        page
        for entry in yaml.safe_load((ROOT / 'mkdocs.yml').read_text())['nav']
        for page in entry.values()
    ]
    assert sorted(nav) == sorted(pages)
    assert sorted(['index.md', *links(DOCS / 'index.md')]) == sorted(pages)


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_every_link_leads_to_a_file_and_a_heading(page):
    for link in links(page):
        if link.startswith('http'):
            continue
        path, _, anchor = link.partition('#')
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_every_file_and_config_that_a_page_names_is_there(page):
    text = page.read_text()
    for path in FILES.findall(text):
        assert any((root / path).exists() for root in (ROOT, ROOT / 'mmseg_zsclip')), path
    for config in re.findall(r'zsclip (?:train|test|check|config) ([a-z][\w-]+)', text):
        assert find_config(config)


def test_the_first_page_counts_the_claims_that_hold_as_the_results_do():
    told = re.findall(r'^\| \[(\S+)\]\(.* (\d+) of (\d+) claims', README.read_text(), re.MULTILINE)
    measured = [
        row
        for page in DOCS.glob('results_toy*.md')
        for row in re.findall(
            r'^\| (\S+) \(.+?\) \| (\d+) \| (\d+) ', page.read_text(), re.MULTILINE
        )
    ]
    assert len(told) >= 4
    for name, held, claims in told:
        assert (name, claims, held) in measured


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_make_has_every_target_that_a_page_names(page):
    text = (ROOT / 'Makefile').read_text()
    targets = re.search(r'^\.PHONY: (.+)$', text, re.MULTILINE).group(1).split()
    assert {'install', 'report', 'demo', 'test'} <= {*targets}
    named = re.findall(r'^    make ([a-z-]+)|`make ([a-z-]+)', page.read_text(), re.MULTILINE)
    assert {first or second for first, second in named} <= {*targets}


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_no_page_has_the_marks_of_a_merge(page):
    assert not re.search(r'^(<{7}|={7}|>{7})( |$)', page.read_text(), re.MULTILINE)


def test_methods_were_found():
    assert len(METHODS) >= 3


@pytest.mark.parametrize('page', METHODS, ids=name)
def test_a_method_has_a_picture_python_and_a_citation(page):
    pictures = [page.parent / link for link in links(page) if link.endswith('.png')]
    assert pictures
    assert all(path.stat().st_size < LARGEST_PICTURE for path in pictures)
    assert snippets(page)
    assert re.search(r'^```bibtex\n@\w+\{\w+,$', page.read_text(), re.MULTILINE)


@pytest.mark.parametrize('page', METHODS, ids=name)
def test_a_method_links_each_of_its_configs(page):
    linked = set(links(page))
    for path in page.parent.rglob('*.py'):
        inside = path.relative_to(page.parent)
        assert {str(inside), *map(str, inside.parents[:-1])} & linked, inside


@pytest.mark.parametrize('page', [page for page in PAGES if snippets(page)], ids=name)
def test_the_python_on_a_page_runs(page, tmp_path, monkeypatch, untrained):
    """What the page's `zsclip train` would have written is stood in for by an untrained model."""
    monkeypatch.chdir(tmp_path)
    code = '\n'.join(snippets(page))
    for checkpoint, config in re.findall(r"'(work_dirs/(\w+)/\w+\.pth)'", code):
        Path(checkpoint).parent.mkdir(parents=True)
        untrained(config, checkpoint)
    exec(compile(code, name(page), 'exec'), {})  # noqa: S102
