from __future__ import annotations

from urllib.parse import unquote
from xml.etree import ElementTree

from ui.overview.pictures import four_pictures


def test_drawings_are_well_formed_and_have_names():
    tree = ElementTree.fromstring(f"<div>{four_pictures().replace('&nbsp;', ' ')}</div>")
    images = tree.findall(".//img")
    assert len(images) == 4
    for image in images:
        assert image.get("alt")
        drawing = ElementTree.fromstring(unquote(image.get("src").partition(",")[2]))
        pictures = drawing.findall(".//{http://www.w3.org/2000/svg}image")
        assert pictures
        assert all(picture.get("href").startswith("data:image/png;base64,") for picture in pictures)
