"""The README's picture can be drawn anew from the program as it is."""

import re
from xml.etree import ElementTree

import pytest

from tests import picture

pytestmark = [pytest.mark.screens, pytest.mark.long]


def test_it_shows_the_menu_and_an_analysis() -> None:
    found = list(picture.lines(picture.screens()))
    text = "".join(ElementTree.fromstring(picture.drawn(found)).itertext())
    for wanted in ("MAIN MENU", "ALBUM TRANSFER ANALYSIS", "Assets to transfer: 25", "Grandma Rose", "DRY RUN"):
        assert wanted in text
    assert "\x1b" not in text and "\r" not in text
    assert re.search(r"127\.0\.0\.1|immich_test|/tmp", text) is None


def test_the_stored_one_is_in_the_readme_and_well_formed() -> None:
    readme = picture.PICTURE.parents[1].joinpath("README.md").read_text()
    assert "](tests/screens.svg)" in readme
    assert "MAIN MENU" in "".join(ElementTree.parse(picture.PICTURE).getroot().itertext())
