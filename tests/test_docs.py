"""Every page is listed, every link leads somewhere, and the Python on the pages runs."""
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / 'docs'
METHODS = sorted(ROOT.glob('configs/*/README.md'))
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted(DOCS.glob('*.md')), *METHODS]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def links(page: Path) -> list[str]:
    return re.findall(r'\]\(([^)\s]+)\)', page.read_text())


def anchors(page: Path) -> set[str]:
    """As mkdocs and GitHub name the headings of a page."""
    return {re.sub(r'[\s-]+', '-', re.sub(r'[^\w\s-]', '', heading).strip().lower())
            for heading in re.findall(r'^#+ (.+)$', page.read_text(), re.MULTILINE)}


def snippets(page: Path) -> list[str]:
    return re.findall(r'^```python\n(.*?)^```$', page.read_text(), re.MULTILINE | re.DOTALL)


def test_the_index_and_the_navigation_list_every_page():
    pages = {path.name for path in DOCS.glob('*.md')}
    nav = [page for entry in yaml.safe_load((ROOT / 'mkdocs.yml').read_text())['nav']
           for page in entry.values()]
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


@pytest.mark.parametrize('page', [page for page in PAGES if snippets(page)], ids=name)
def test_the_python_on_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = '\n'.join(snippets(page))
    exec(compile(code, name(page), 'exec'), {})  # noqa: S102
