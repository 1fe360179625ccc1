"""What a pattern costs while it is matched in a stream: how long a span may stay undecided."""

from pointsman.policy.patterns.automaton import BEFORE, INSIDE, OPENED, Automaton

Spot = tuple[int, int]  # a place, and INSIDE or 0 for after


def worst_hold(automaton: Automaton) -> int | None:
    """The most characters that may have to be held for one span before they are known to be in it.

    None where there is no bound: a part without end must be followed by something, as in `\\d+-`.
    A part without end at a pattern's own end, as in `x{9,}`, is known from its ninth on.
    """
    longest: dict[Spot, int] = {}
    roots = _entries(automaton)
    while roots:
        root = roots.pop()
        if root not in longest and not _measured(automaton, root, longest, roots):
            return None
    return max(longest.values(), default=0)


def _measured(
    automaton: Automaton, root: Spot, longest: dict[Spot, int], roots: list[Spot]
) -> bool:
    """Fill in `longest` from one spot on, in depth-first order; whether no way goes in a circle."""
    trail: set[Spot] = set()
    onward: dict[Spot, list[Spot]] = {}
    waiting = [(root, False)]
    while waiting:
        spot, done = waiting.pop()
        if done:
            trail.discard(spot)
            longest[spot] = 1 + max((longest[other] for other in onward[spot]), default=0)
        elif spot in longest:
            continue
        elif automaton.accepted(*spot) is not None:
            longest[spot] = 1  # known up to here; what follows is undecided from here on
            roots += _next(automaton, spot)
        else:
            trail.add(spot)
            following = onward[spot] = _next(automaton, spot)
            if any(other in trail for other in following):
                return False
            waiting.append((spot, True))
            waiting += [(other, False) for other in following]
    return True


def _entries(automaton: Automaton) -> list[Spot]:
    """Where threads are after the first character of a span."""
    entries: set[Spot] = set()
    seen, waiting = {automaton.start}, [automaton.start]
    while waiting:
        for step in automaton.possible(waiting.pop(), BEFORE).steps:
            if step.phase == OPENED:
                entries.add((step.place, INSIDE))
            elif step.place not in seen:
                seen.add(step.place)
                waiting.append(step.place)
    return sorted(entries)


def _next(automaton: Automaton, spot: Spot) -> list[Spot]:
    steps = automaton.possible(*spot).steps
    return sorted({(step.place, min(step.phase, 0)) for step in steps})
