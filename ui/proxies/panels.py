"""Panels of the Proxies page: one run's map, its numbers, and the drawer with what is selected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from ui.figures import proxies as figures
from ui.figures.points import PROXY, Cloud, describe_points, drift_of, same_real_images
from ui.proxies import cards
from ui.scatter import clear_picks, picks_of, scatter
from ui.shell.artifacts import load_arrays
from ui.shell.charts import chart
from ui.shell.embedding_map import Shown, map_name
from ui.shell.follow import failed_line, wait_line
from ui.shell.formatting import counted, percent
from ui.shell.ungraded import ESTIMATE, lacks_of
from ui.shell.words import help_for
from zspag_core.quota import proxies_per_class

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ui.figures.points import Span
    from zspag_core.jobs import Job

SECONDS = {"pca": 2.0, "umap": 15.0}
TITLES = {"pca": "PCA", "umap": "UMAP"}
TRIPTYCHS = 6
PORTRAITS = 12
STILL = 1e-3  # a zero line of less than this share of the map cannot be seen


def wait_for_map(job: Job, question: Job, letter: str, drawn: str) -> None:
    """Say how long the map that was asked for still takes and which one is drawn meanwhile, or why it failed."""
    kind = str(question.config.get("kind", "umap"))
    if question.active:
        meanwhile = f", {TITLES[drawn]} until then" if drawn else ""
        wait_line(question, f"Drawing the {TITLES[kind]} of run {job.number}{meanwhile}", SECONDS[kind])
    else:
        failed_line(question, f"The {TITLES[kind]} of run {job.number}", f"again-{letter}")


def map_panel(
    shown: Shown,
    letter: str,
    *,
    when: str,
    colour_by: str,
    span: Span,
    highlight: int | None,
    height: int,
    marked: Sequence[int] = (),
) -> list[int]:
    """Draw a run's map and the sentence on how far its points moved; return the points that are picked.

    `marked` points stand out although they are not picked here; the rest is as in ui.figures.proxies.map_spec.
    """
    spec = figures.map_spec(
        shown.cloud,
        shown.names,
        shown.forgotten,
        when=when,
        colour_by=colour_by,
        span=span,
        pictures=shown.pictures,
        highlight=highlight,
        height=height,
    )
    picked = scatter(spec, _map_key(shown), marked)
    st.caption(drift_text(shown, letter))
    return picked


def _map_key(shown: Shown) -> str:
    """Return the name of a run's map among the widgets; the same for PCA and UMAP, so that points glide over."""
    return map_name(shown.job)


def drift_text(shown: Shown, letter: str = "") -> str:
    """Say how far real images moved through unlearning, and how far through the computation alone."""
    drift = drift_of(shown.cloud)

    def units(value: float | None) -> str:
        return "–" if value is None else f"{value:.2g}"

    begin = f"Run {letter}: from" if letter else "From"
    still = drift.zero < STILL * drift.width
    zero = (
        "This map's own computation moves nothing: the same features, placed twice, fall on the same spot."
        if still
        else "Points move a little through the map's own computation alone: the zero line, the same features placed "
        f"twice, is {units(drift.zero)}."
    )
    if drift.remaining is None and "retain_test" in lacks_of(shown.job.answer or {}):
        moved = f"the images to forget move {units(drift.forgotten)} units on average"
    else:
        moved = (
            f"real images of remaining classes move {units(drift.remaining)} units on average, of forgotten classes "
            f"{units(drift.forgotten)}"
        )
    return f"{begin} before to after, {moved}; the map is {drift.width:.0f} wide. {zero}"


def numbers_panel(shown: Shown) -> None:
    """Draw what the proxies are worth: success, neighbours, coverage, energy."""
    result: Mapping[str, Any] = shown.job.answer
    about = result.get("proxies")
    if about is None:
        st.info("This method makes no proxies: the map shows real images alone.", icon=":material/info:")
        return
    with st.container(key=f"worth-{shown.job.id}"):
        left, right = st.columns([2, 3], gap="small")
    tried = f"{about['attempted']:,} samples attacked".replace(",", "\N{NARROW NO-BREAK SPACE}")
    left.metric("ASR", percent(about["asr"]), help=f"{help_for('ASR')} {tried}.")
    neighbours = f"{help_for('kNN agreement')} For grading only."
    right.metric("kNN agreement", percent(about.get("knn_agreement")), help=neighbours)
    if "retain_test" in lacks_of(result):
        st.caption("kNN agreement needs test images of the remaining classes, and the data has none.")
    config, remaining = result["config"], len(about["per_class"])
    limit = proxies_per_class(int(config.get("n_adv", 0)), int(config.get("full_classes", remaining)), remaining)
    st.markdown("**Coverage**", help=help_for("Coverage"))
    words = figures.describe_coverage(about["per_class"], limit, shown.names)
    figure = figures.coverage_figure(about["per_class"], limit, shown.names)
    chart(figure, key=f"coverage-{shown.job.id}", alt=words)
    st.caption(words)
    _energy(shown, (result.get("subspace") or {}).get("layers") or [])


def _energy(shown: Shown, layers: Sequence[Mapping[str, Any]]) -> None:
    """Draw the captured energy, where it was measured."""
    badge = ":gray-badge[for grading only]"
    if not any(layer.get("captured") is not None for layer in layers):
        layers = [{**layer, "captured": layer.get("captured_proxy")} for layer in layers]
        badge = f"{ESTIMATE} of the proxies' own"
    if not any(layer["captured"] is not None for layer in layers):
        return
    st.markdown("**Captured energy**", help=help_for("Captured energy"))
    st.markdown(badge)
    if not any(layer["rank"] for layer in layers):
        st.caption("No direction was protected in this run, so none captures anything.")
        return
    figure = figures.energy_figure(layers)
    chart(figure, key=f"energy-{shown.job.id}", alt=figures.describe_energy(layers))


def share_images(maps: Mapping[str, Shown]) -> bool:
    """Tell whether there are two maps, of the same real images."""
    clouds = [shown.cloud for shown in maps.values()]
    return len(clouds) > 1 and same_real_images(*clouds)


def picked_beside(maps: Mapping[str, Shown]) -> dict[str, list[int]]:
    """Return, for each of some maps of the same real images, those that are picked on the others."""
    real = {letter: _picked_images(shown) for letter, shown in maps.items()}
    return {letter: sorted(set().union(*(real[other] for other in real if other != letter))) for letter in maps}


def _picked_images(shown: Shown) -> set[int]:
    """Return the real images that are picked on a map."""
    return {point for point in picks_of(_map_key(shown), len(shown.cloud)) if point < len(shown.cloud.zero)}


def drawer_panel(
    shown: Shown, picked: Sequence[int], examples: int = TRIPTYCHS, maps: Sequence[Shown] | None = None
) -> None:
    """Draw what is picked: triptychs of proxies, portraits of real images; some examples while nothing is picked.

    Args:
        shown: the run.
        picked: its points.
        examples: how many proxies are shown while nothing is picked.
        maps: where "Clear" clears; None for this run's map alone.
    """
    kinds = shown.cloud.kinds
    proxies = [i for i in picked if kinds[i] == PROXY]
    real = [i for i in picked if kinds[i] != PROXY]
    if picked:
        line, way = st.columns([4, 1], vertical_alignment="center")
        selected = f"{counted(len(proxies), 'proxy', 'proxies')}, {counted(len(real), 'real image')}"
        line.markdown(f"##### Selected: {selected}")
        keys = [_map_key(one) for one in maps or [shown]]
        way.button("Clear", key=f"clear-{shown.job.id}", on_click=clear_picks, args=keys, width="stretch")
    else:
        proxies = one_of_each(shown.cloud)[:examples]
        some = f"; until then, {counted(len(proxies), 'example')}" if proxies else ""
        st.markdown(f"##### Click a point, or draw round several, to see them here{some}")
    _triptychs(shown, proxies)
    _portraits(shown, real)


def one_of_each(cloud: Cloud) -> list[int]:
    """Return the first proxy of each class, in the order of the classes."""
    proxies = np.flatnonzero(cloud.kinds == PROXY)
    _, first = np.unique(cloud.labels[proxies], return_index=True)
    return proxies[first].tolist()


def _triptychs(shown: Shown, points: Sequence[int]) -> None:
    """Draw the triptychs of some proxies."""
    arrays = load_arrays(shown.job.folder, "proxies")
    if not points or arrays is None:
        return
    some = list(points[:TRIPTYCHS])
    first = len(shown.cloud.zero)
    rows = [int(shown.cloud.proxy_rows[i - first]) for i in some]
    sources = [int(shown.cloud.sources[i]) for i in some]
    st.html(cards.cards(cards.triptychs(arrays, rows, sources, shown.names, shown.forgotten)))
    if len(points) > len(some):
        st.caption(f"The first {len(some)} of {len(points)} selected proxies; draw round fewer to see others.")


def _portraits(shown: Shown, points: Sequence[int]) -> None:
    """Draw some real images with what is read in them."""
    if not points:
        return
    some = list(points[:PORTRAITS])
    cloud = shown.cloud
    captions = describe_points(cloud, shown.names)
    contents = [cards.portrait(cloud.images[i], *captions[i].split("\n")) for i in some]
    st.html(cards.cards(contents, "small"))
    if len(points) > len(some):
        st.caption(f"The first {len(some)} of {len(points)} selected real images.")
