"""The nouns of the command line for programs: a running gateway, and the journal beside it."""

from pointsman.client.drift import Drift
from pointsman.client.gateway import DEFAULT_URL, Client
from pointsman.client.reports import Sums
from pointsman.client.traces import Traces
from pointsman.client.upkeep import Upkeep

__all__ = ["DEFAULT_URL", "Client", "Workspace"]


class Workspace(Traces, Sums, Drift, Upkeep):
    """The journal of one configuration: traces, reports, outcomes, its seals. No server needed."""
