"""Who carries out what a command queues: processes beside it that share the cores, or a Dask cluster."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from zspag_core.errors import UsageError
from zspag_core.threads import chosen_threads, share_cores

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    import torch

    from zspag_core.jobs import JobStore
    from zspag_core.jobs.cluster import Cluster

STOP_SECONDS = 30.0


def add_cluster(parser: argparse.ArgumentParser, what: str) -> None:
    """Add --cluster and --gpu; `what` names what is carried out there, in the plural."""
    parser.add_argument(
        "--cluster",
        default="",
        metavar="ADDRESS",
        help=f"carry {what} out on a Dask cluster: the address of its scheduler, or local for --workers processes here",
    )
    parser.add_argument(
        "--gpu", default="0", metavar="SHARE", help=f"of a Dask worker's resource GPU, for each of the {what} (0)"
    )


def share_out(arguments: argparse.Namespace, workers: int) -> None:
    """Divide this machine's cores among the workers, where it is this machine that computes."""
    if _computes_here(arguments):
        share_cores(workers)


def own_device(arguments: argparse.Namespace) -> torch.device:
    """Return the device of this process; where a cluster elsewhere computes, --device speaks of its machines."""
    from zspag_core.devices import resolve_device

    return resolve_device(arguments.device if _computes_here(arguments) else "auto")


def _computes_here(arguments: argparse.Namespace) -> bool:
    """Tell whether it is this machine that computes."""
    from zspag_core.jobs.cluster import LOCAL

    return arguments.cluster in {"", LOCAL}


@contextmanager
def this_process(store: JobStore, lanes: Sequence[str], device: str) -> Iterator[None]:
    """Serve lanes in a thread of this process, while the block lasts."""
    from zspag_core.jobs.worker import Worker

    worker = Worker(store, lanes, device)
    thread = threading.Thread(target=worker.serve, name="worker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        worker.stopping.set()
        thread.join(STOP_SECONDS)


@contextmanager
def processes(lane: str, count: int, device: str) -> Iterator[None]:
    """Serve a lane in processes beside this one, while the block lasts."""
    from zspag_core.jobs.supervisor import start_worker

    started = [start_worker(lane, device) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(STOP_SECONDS)


@contextmanager
def on_cluster(
    store: JobStore, lanes: Sequence[str], workers: int, arguments: argparse.Namespace, *, give_up: bool = True
) -> Iterator[Cluster]:
    """Serve lanes on the cluster that was named with the options of :func:`add_cluster`, while the block lasts.

    Args:
        store: the queue.
        lanes: of it.
        workers: processes of a local cluster.
        arguments: with `cluster`, `gpu` and `device`.
        give_up: whether jobs that wait are cancelled where the cluster cannot carry out any.

    Yields:
        The cluster, whose `trouble` says in one sentence why it cannot carry out jobs.

    Raises:
        UsageError: there is no such cluster, or it is not to be trusted.
    """
    from zspag_core.jobs.cluster import LOCAL, Cluster, open_client

    def complain(sentence: str) -> None:
        sys.stderr.write(f"{sentence}\n")
        for lane in lanes if give_up else ():
            for waiting in store.waiting(lane):
                store.cancel(waiting)

    more = chosen_threads() if arguments.cluster == LOCAL else {}
    share = _gpu_share(arguments.gpu)
    with (
        open_client(arguments.cluster, workers) as client,
        Cluster(
            store,
            client,
            lanes=lanes,
            device=arguments.device,
            gpu=share,
            environment=more,
            complain=complain,
        ) as cluster,
    ):
        yield cluster


def _gpu_share(text: str) -> float:
    """Read how much of a GPU a job takes."""
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError(f"--gpu: expected a share from 0 to 1, got {text!r}")
    return share
