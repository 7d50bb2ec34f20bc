from __future__ import annotations

from urllib.parse import unquote
from xml.etree import ElementTree

from ui.overview import four_pictures


def test_drawings_are_well_formed_and_have_names():
    tree = ElementTree.fromstring(f"<div>{four_pictures().replace('&nbsp;', ' ')}</div>")
    images = tree.findall(".//img")
    assert len(images) == 4
    for image in images:
        assert image.get("alt")
        assert len(ElementTree.fromstring(unquote(image.get("src").partition(",")[2]))) > 2
