"""The README's pictures can be drawn again from the program as it is."""

import re
from xml.etree import ElementTree

import pytest

from tests import picture

pytestmark = [pytest.mark.screens, pytest.mark.long]


def test_they_show_an_analysis_its_end_and_its_page() -> None:
    screen, page = picture.screens()
    drawn, framed = picture.drawn(list(picture.lines(screen))), picture.framed(page)
    text = "".join(ElementTree.fromstring(drawn).itertext())
    for wanted in ("ALBUM TRANSFER ANALYSIS", "Assets to transfer: 25", "Grandma Rose", "✓ 79 files moved"):
        assert wanted in text
    assert "\x1b" not in text and "\r" not in text
    text = "".join(ElementTree.fromstring(framed).itertext())
    assert (
        "25 photos go from Alice" in text and framed.count("<figure>") == framed.count("<img ") == picture.PAGE_FIGURES
    )
    assert re.search(r"127\.0\.0\.1|immich_test|/tmp", drawn + framed) is None


def test_the_stored_ones_are_in_the_readme_and_well_formed() -> None:
    readme = picture.PICTURE.parents[1].joinpath("README.md").read_text()
    for stored, wanted in ((picture.PICTURE, "ALBUM TRANSFER ANALYSIS"), (picture.PAGE, "Grandma Rose")):
        assert f"](tests/{stored.name})" in readme
        assert wanted in "".join(ElementTree.parse(stored).getroot().itertext())
