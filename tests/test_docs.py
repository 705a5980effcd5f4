"""README and pages: short enough to be read, and what they point at is there."""

import re
from pathlib import Path

import pytest

import transfer

pytestmark = pytest.mark.screens  # that is: once, they ask nothing of the database

ROOT = Path(transfer.__file__).parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / ".github").glob("**/*.md"))]


def anchors(page: Path) -> set[str]:
    """What a link may name in a page: its headings, as a code host writes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        if target.startswith(("https://", "../../actions/")):
            continue
        found = page.parent / path if path else page
        assert found.is_file(), target
        assert not anchor or anchor in anchors(found), target


def test_the_readme_has_at_most_1500_words_and_names_every_page() -> None:
    text = README.read_text()
    assert len(text.split()) <= 1500
    index = ROOT / ".github/docs/README.md"
    for page in index.parent.glob("*.md"):
        assert f"](.github/docs/{page.name}" in text
        assert page == index or f"]({page.name})" in index.read_text()


def test_what_the_program_says_of_the_readme_is_in_it() -> None:
    named = re.findall(r"README, '([^']+)'", Path(transfer.__file__).read_text())
    assert named
    for title in named:
        assert re.search(rf"^#+ {title}$|\[{title}\]", README.read_text(), re.M), title


def test_version_and_changes_agree() -> None:
    changes = (ROOT / ".github/CHANGELOG.md").read_text()
    assert re.findall(r"^## (\S+)", changes, re.M) == [transfer.__version__]
