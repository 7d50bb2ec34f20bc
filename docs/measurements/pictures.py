"""Pictures of the paper's figures 2 to 5 for docs/results/figures.

    python -m zspag_core reproduce fig3 --scale small --only digits-resnet --out runs/reproduce/small
    python -m zspag_core reproduce fig4 --scale small --out runs/reproduce/small
    python docs/measurements/pictures.py runs/reproduce/small docs/results/figures

Figures 2 and 5 show rows of comparisons and are drawn from those in assets/comparisons; figures 3 and 4 are looked up
as pages in the folder. Every page is opened in a headless browser and photographed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import sync_playwright  # noqa: E402

from tests.e2e.serving import FLAGS, find_chromium  # noqa: E402
from zspag_core.reproduce.comparison import Comparison  # noqa: E402
from zspag_core.reproduce.figures import draw_curves, draw_membership, write_page  # noqa: E402

SHIPPED = ROOT / "assets" / "comparisons"
MEMBERSHIP = ("table1-cifar10-vit", "table1-fashion_mnist-vgg", "table1-digits-resnet")
CURVES = ("fig5-cifar10-vit", "fig5-digits-resnet")
PAGES = ("fig3-digits-resnet", "fig4-cifar10-vit", "fig4-fashion_mnist-vgg")
SCALE = 1.5  # pixels of the picture for one of the page


def main() -> int:
    """Photograph every figure that is at hand; say which are not."""
    if len(sys.argv) != 3:
        print(__doc__)
        return 2
    made, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        drawn = Path(name)
        write_page(draw_membership([_shipped(one) for one in MEMBERSHIP]), drawn / "fig2.html")
        for one in CURVES:
            write_page(draw_curves(_shipped(one)), drawn / f"{one}.html")
        _photograph([*sorted(drawn.glob("*.html")), *(made / f"{one}.html" for one in PAGES)], out)
    return 0


def _shipped(name: str) -> Comparison:
    return Comparison.read(SHIPPED / f"{name}.json")


def _photograph(pages: list[Path], out: Path) -> None:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        tab = browser.new_context(device_scale_factor=SCALE, viewport={"width": 1100, "height": 800}).new_page()
        for page in pages:
            if not page.is_file():
                print(f"{page.name}: not found in {page.parent}, left out")
                continue
            tab.goto(page.resolve().as_uri())
            figure = tab.locator(".js-plotly-plot")
            figure.locator(".main-svg").first.wait_for()
            figure.screenshot(path=out / f"{page.stem}.png")
            print(f"written to {out / page.stem}.png")
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
