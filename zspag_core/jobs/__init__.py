"""Jobs: work that runs in processes of its own, remembered in a database.

A page submits a job and polls it; a worker (`python -m zspag_core worker`) claims it and reports into the same
database.
The job table *is* the queue: claiming is one UPDATE, so a job can be neither lost between two stores nor run twice.
"""

from zspag_core.jobs.records import Command, Event, Job, Lane, State
from zspag_core.jobs.store import JobStore

__all__ = ["Command", "Event", "Job", "JobStore", "Lane", "State"]
