from __future__ import annotations

from urllib.parse import unquote
from xml.etree import ElementTree

from ui.overview.drawings import digits, four_pictures


def test_drawings_are_well_formed_and_have_names():
    tree = ElementTree.fromstring(f"<div>{four_pictures().replace('&nbsp;', ' ')}</div>")
    images = tree.findall(".//img")
    assert len(images) == 4
    for image in images:
        assert image.get("alt")
        assert len(ElementTree.fromstring(unquote(image.get("src").partition(",")[2]))) > 2


def test_what_is_drawn_was_measured():
    found = digits()
    assert 3 not in found["read_as"], "a proxy is read as another digit"
    assert found["label"][3] == 0
    assert abs(sum(found["label"]) - 1) < 0.01
    assert all(url.startswith("data:image/png;base64,") for part in ("forgotten", "proxies") for url in found[part])
