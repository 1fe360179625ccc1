"""Routes that learn: what they aim at, what is believed of each arm, and what a decision read."""

import msgspec


class Objective(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What answers must be, or are worth: exactly one of the first three.

    A floor (`acceptance`, `quality`) is kept on a certificate, unless `certified` is off: then on
    the estimates alone, request by request.
    """

    acceptance: float | None = None  # the least share that is to be accepted
    quality: float | None = None  # the least, as a share of what the strong arm would get
    value_usd: float | None = None  # what one accepted answer is worth
    latency_usd_per_s: float = 0.0  # what a second until the answer costs
    certified: bool = True

    @property
    def has_floor(self) -> bool:
        """Whether it bounds how often answers may be rejected."""
        return self.value_usd is None


class Exploring(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The budget for asking arms that would not be chosen, so as to learn of them."""

    share: float = 0.0  # of requests, in [0, 1)
    usd_per_day: float | None = None  # expected to be spent beyond the chosen plan; None: no bound


class Staying(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When a conversation may change its arm."""

    enabled: bool = True
    switch_usd: float = 0.0  # a change of style, beside the prefix cache that is lost
    keep_s: float = 3600.0  # without a request, after which a conversation is forgotten


class Learning(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a route chooses among its steps; the last of them is the strong arm."""

    router: str | None = None  # path of an artefact of `route fit`; None: outcomes alone teach
    digest: str | None = None  # the first 12 hex digits of its own; None: there is no such file
    certificates: str | None = None  # digest of the file of them beside it
    names: dict[str, str] = {}  # of arms in the artefact, where they differ
    objective: Objective | None = None  # of tasks that have none of their own
    explore: Exploring = Exploring()
    session: Staying = Staying()
    least_outcomes: int = 30  # of an arm and task, below which it is only explored
    memory_outcomes: int = 500  # about so many of the latest count


class Belief(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is expected of one arm for one request."""

    arm: str
    accepted: float  # the chance that its answer is accepted, in [0, 1]
    low: float = 0.0  # 95 % bounds of that chance
    high: float = 1.0
    n: float = 0.0  # outcomes behind it; old ones count less
    cost_usd_picos: int = 0  # of one call
    passes_right: float = 1.0  # the share of its good answers that a gate lets through
    passes_wrong: float = 1.0  # the share of its bad ones
    base: float | None = None  # a router's own estimate, before outcomes moved it
    base_cost_usd_picos: int | None = None
    worth: float | None = None  # what a certified rule counts in place of `accepted`


class Stay(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a conversation is, and what leaving the deployment would lose."""

    plan: tuple[str, ...]  # names of its steps
    prefix_usd_picos: int = 0  # what its engine's cache saves on the conversation so far


class Learned(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that a learned decision reads beside features, state and draw; a record of it
    is enough to take the decision again."""

    beliefs: tuple[Belief, ...] = ()  # in the order of the route's steps
    router: str | None = None  # digest of the artefact
    value_usd_picos: float | None = None  # an accepted answer's, at the certified operating point
    certified: bool = False  # a certificate holds: its rule is followed to the letter
    ground: str = ""  # what it says, or why there is none
    share: float = 0.0  # of requests that may explore now
    spent: bool = False  # the day's money for exploring is spent
    stay: Stay | None = None
    shifted: tuple[str, ...] = ()  # arms whose acceptance changed of late
