"""Whose turn it is: a queue that is fair over tenants, and over the keys of each; no I/O."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T", bound=Hashable)


class Who(NamedTuple):
    """For whom a request waits."""

    tenant: str
    principal: str


class FairQueue(Generic[T]):
    """At most `bound` items. Tenants take turns, one item each; so do the keys of a tenant.

    Within a key it is first come, first served. All requests cost one turn, so this is deficit
    round robin with equal packets: of two tenants that both have items waiting all the while,
    neither is served more than once more than the other, however many either has.

    When it is full the newest item of the tenant with the most makes room for one of a tenant
    that would still have fewer; else the newcomer is turned away. So who floods sheds its own.
    """

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self._tenants: OrderedDict[str, OrderedDict[str, OrderedDict[T, None]]] = OrderedDict()
        self._counts: dict[str, int] = {}
        self._who: dict[T, Who] = {}

    def __len__(self) -> int:
        return len(self._who)

    def push(self, who: Who, item: T) -> T | None:
        """Take the item in; what had to make room for it, which may be the item itself."""
        assert item not in self._who, "an item waits once"
        out = None
        if len(self._who) >= self.bound:
            out = self._newest_of_the_most(who)
            if out is None:
                return item
            self.remove(out)
        keys = self._tenants.get(who.tenant)
        if keys is None:
            keys = self._tenants[who.tenant] = OrderedDict()
        items = keys.get(who.principal)
        if items is None:
            items = keys[who.principal] = OrderedDict()
        items[item] = None
        self._counts[who.tenant] = self._counts.get(who.tenant, 0) + 1
        self._who[item] = who
        return out

    def pop(self) -> T | None:
        """The item whose turn it is; None: nothing waits."""
        if not self._who:
            return None
        tenant, keys = next(iter(self._tenants.items()))
        principal, items = next(iter(keys.items()))
        item = next(iter(items))
        self.remove(item)
        if tenant in self._tenants:  # whose turn it was goes to the end of the line
            self._tenants.move_to_end(tenant)
            if principal in keys:
                keys.move_to_end(principal)
        return item

    def remove(self, item: T) -> bool:
        """Take an item out of the line; False where it is not in it."""
        who = self._who.pop(item, None)
        if who is None:
            return False
        keys = self._tenants[who.tenant]
        items = keys[who.principal]
        del items[item]
        if not items:
            del keys[who.principal]
        if not keys:
            del self._tenants[who.tenant]
        self._counts[who.tenant] -= 1
        if not self._counts[who.tenant]:
            del self._counts[who.tenant]
        return True

    def _newest_of_the_most(self, who: Who) -> T | None:
        """Of the tenant with the most, if it has two more than the newcomer's; else of the key
        with the most of the newcomer's own tenant, if it has two more than the newcomer's.

        Looked for only when the queue is full; it has at most `bound` tenants then.
        """
        if not self._counts:
            return None
        most = max(self._counts, key=lambda each: self._counts[each])
        if self._counts[most] <= self._counts.get(who.tenant, 0) + 1:
            most = who.tenant
        keys = self._tenants.get(most)
        if keys is None:
            return None
        largest = max(keys, key=lambda each: len(keys[each]))
        if most == who.tenant and len(keys[largest]) <= len(keys.get(who.principal, ())) + 1:
            return None
        return next(reversed(keys[largest]))
