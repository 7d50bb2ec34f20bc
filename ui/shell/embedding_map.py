"""A run's map: which one can be drawn, the task that makes it, its points and their pictures."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.figures.pictures import sheet
from ui.figures.points import Cloud, make_cloud
from ui.scatter import load_ahead
from ui.shell.artifacts import class_names, load_arrays
from ui.shell.jobs import ask

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zspag_core.jobs import Job


@dataclass(frozen=True)
class Shown:
    """A run on its map.

    Attributes:
        job: the run.
        kind: the map, "pca" or "umap".
        cloud: its points.
        pictures: the points' images on one sheet, as a data URL.
        names: one name per class.
    """

    job: Job
    kind: str
    cloud: Cloud
    pictures: str
    names: Sequence[str]

    @property
    def forgotten(self) -> list[int]:
        """Return the forgotten classes."""
        return [int(k) for k in self.job.config["forget"]]


def find_map(job: Job, wanted: str) -> tuple[str, Job | None]:
    """Return the map of a run that can be drawn at once ("" where there is none), and the task that makes the wanted.

    Args:
        job: the run.
        wanted: "pca" or "umap"; PCA takes the place of a UMAP that is not ready.
    """
    if _stamp(job.folder, wanted):
        return wanted, None
    first = None if _stamp(job.folder, "pca") else ask("map", {"run": job.id, "kind": "pca"})
    if wanted == "pca":
        return "", first
    question = ask("map", {"run": job.id, "kind": wanted})
    return ("pca", question) if first is None else ("", first if first.active else question)


def read_map(job: Job, kind: str) -> Shown:
    """Read a run's map and what belongs to it."""
    cloud, pictures = _points(job, kind)
    return Shown(job, kind, cloud, pictures, class_names(job.folder))


def prepare_map(job: Job) -> None:
    """Make a run's quick map ready, if there is one; call it where a page ends that people go on from to the map."""
    if _stamp(job.folder, "pca"):
        _points(job, "pca")
        load_ahead(map_name(job))


def _points(job: Job, kind: str) -> tuple[Cloud, str]:
    """Return a run's points and the sheet of their images, from memory while the map's file is the same."""
    return _read(job.folder, kind, _stamp(job.folder, kind), tuple(int(k) for k in job.config["forget"]))


def _stamp(folder: Path, kind: str) -> int:
    """Return a number that changes with the file of a map; 0 while there is none."""
    try:
        return (folder / f"map_{kind}.safetensors").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


@st.cache_resource(show_spinner=False, max_entries=8)
def _read(folder: Path, kind: str, stamp: int, forgotten: tuple[int, ...]) -> tuple[Cloud, str]:
    """Join a map with the proxies on it and find the sheet of all images; once for all visitors."""
    del stamp  # part of the cache's key
    known = load_arrays(folder, f"map_{kind}") or {}
    taught = load_arrays(folder, "labels") or {}
    cloud = make_cloud(known, load_arrays(folder, "proxies"), forgotten, taught.get("truth"))
    return cloud, _sheet(cloud.images, zlib.crc32(cloud.images.tobytes()))


@st.cache_resource(show_spinner=False, max_entries=8)
def _sheet(_images: Any, content: int) -> str:  # noqa: ANN401 - cache_resource erases the type
    """Put images on one sheet; once for both maps of a run, which show the same."""
    del content  # the cache's key, for the images are too many to be one
    return sheet(_images)


def map_name(job: Job) -> str:
    """Return what a run's map is called among the widgets."""
    return f"map-{job.id}"
