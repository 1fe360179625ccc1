"""Laws of the ledger: whatever holders lose, repeat or die of, spend never exceeds the budget."""

from dataclasses import dataclass, field

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pointsman.limits.ledger import Account, Asking, exchange, settle

COSTS = st.integers(1, 200)


@dataclass
class Holder:
    """A gateway process: what it holds of the budget, and the ends in its journal."""

    name: str
    granted: int = 0
    spent: int = 0
    open: list[int] = field(default_factory=list)  # reservations that have not ended
    ends: list[int] = field(default_factory=list)  # its journal

    @property
    def free(self) -> int:
        return self.granted - self.spent - sum(self.open)


class Budget(RuleBasedStateMachine):
    """Several processes, one budget; messages may be lost on their way back, processes may die."""

    @initialize(limit=st.integers(1, 3000))
    def begin(self, limit):
        self.limit = limit
        self.account = Account()
        self.born = 0
        self.live: list[Holder] = []
        self.dead: list[Holder] = []
        self.ended = 0

    @rule()
    def start(self):
        if len(self.live) < 4:
            self.born += 1
            self.live.append(Holder(f"w{self.born}"))

    @precondition(lambda self: self.live)
    @rule(data=st.data(), least=COSTS, more=st.integers(0, 300), lost=st.booleans())
    def ask(self, data, least, more, lost):
        one = data.draw(st.sampled_from(self.live))
        kept = one.granted - one.spent
        asking = Asking(one.name, "home", one.spent, kept, least, least + more)
        self.account, grant = exchange(self.account, asking, limit=self.limit, expires_us=1)
        assert grant.granted == 0 or grant.granted >= least
        if not lost:  # else the holder does not know, and its next word puts the ledger right
            one.granted += grant.granted

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def let_go(self, data):
        one = data.draw(st.sampled_from(self.live))
        one.granted -= one.free
        asking = Asking(one.name, "home", one.spent, one.granted - one.spent)
        self.account, _ = exchange(self.account, asking, limit=self.limit, expires_us=1)

    @precondition(lambda self: self.live)
    @rule(data=st.data(), most=COSTS)
    def reserve(self, data, most):
        one = data.draw(st.sampled_from(self.live))
        if one.free >= most:
            one.open.append(most)

    @precondition(lambda self: any(one.open for one in self.live))
    @rule(data=st.data())
    def end(self, data):
        one = data.draw(st.sampled_from([each for each in self.live if each.open]))
        most = one.open.pop()
        cost = data.draw(st.integers(0, most))
        one.ends.append(cost)  # the journal first
        one.spent += cost
        self.ended += cost

    @precondition(lambda self: any(one.open for one in self.live))
    @rule(data=st.data())
    def die_between_journal_and_ledger(self, data):
        one = data.draw(st.sampled_from([each for each in self.live if each.open]))
        cost = data.draw(st.integers(0, one.open[-1]))
        one.ends.append(cost)
        self.ended += cost
        self.live.remove(one)
        self.dead.append(one)

    @precondition(lambda self: self.dead)
    @rule(data=st.data(), times=st.integers(1, 2))
    def settle_a_dead_one(self, data, times):
        one = data.draw(st.sampled_from(self.dead))
        for _ in range(times):  # two processes may notice
            self.account = settle(self.account, one.name, sum(one.ends))
        self.dead.remove(one)

    @invariant()
    def spend_never_exceeds_the_budget(self):
        assert self.ended <= self.limit

    @invariant()
    def the_ledger_never_gives_more_than_there_is(self):
        assert self.account.total_spent + self.account.held <= self.limit
        local = sum(one.granted for one in (*self.live, *self.dead))
        others = self.account.spent
        assert others + local <= self.limit

    def teardown(self):
        """Once everyone is settled, the ledger says what the journals say, and all else is free."""
        if not hasattr(self, "account"):
            return
        for one in (*self.live, *self.dead):
            if any(lease.holder == one.name for lease in self.account.leases):
                self.account = settle(self.account, one.name, sum(one.ends))
            else:
                assert not sum(one.ends)
        assert self.account == Account(self.ended)


TestBudget = Budget.TestCase
TestBudget.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@given(st.integers(1, 10**15), st.lists(st.integers(1, 10**13), min_size=1, max_size=20))
def test_one_holder_that_asks_for_what_is_left_gets_all_of_it(limit, needs):
    account, spent, held = Account(), 0, 0
    for least in needs:
        asking = Asking("w", "h", spent, held, least, least)
        account, grant = exchange(account, asking, limit=limit, expires_us=1)
        held += grant.granted
        if held >= least:
            held, spent = held - least, spent + least
        else:
            assert limit - spent - held < least
    assert account.total_spent <= limit


def test_near_the_end_little_idles_with_one_holder():
    account, grant = exchange(
        Account(spent=900), Asking("a", "h", 0, 0, 10, 10), limit=1000, expires_us=1
    )
    assert grant.granted == 10 + 90 // 8
    _, other = exchange(account, Asking("b", "h", 0, 0, 70, 70), limit=1000, expires_us=1)
    assert other.granted >= 70


def test_a_lowered_limit_gives_nothing_more_and_takes_nothing_back():
    account, first = exchange(Account(), Asking("a", "h", 0, 0, 50, 50), limit=100, expires_us=1)
    account, grant = exchange(
        account, Asking("a", "h", 20, first.granted - 20, 10, 10), limit=30, expires_us=1
    )
    assert grant.granted == 0
    assert account.held == first.granted - 20


def test_a_store_that_forgot_everything_is_told_again():
    account, grant = exchange(Account(), Asking("a", "h", 70, 10, 25, 25), limit=100, expires_us=1)
    assert grant.granted == 0
    assert (account.total_spent, account.held) == (70, 10)


def test_an_account_survives_its_encoding():
    account, _ = exchange(Account(spent=5), Asking("a", "h", 1, 2, 3, 4), limit=99, expires_us=7)
    assert msgspec.json.decode(msgspec.json.encode(account), type=Account) == account
