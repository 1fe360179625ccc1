"""Tickets: one support line -> customer, order, issue and priority, as compact JSON."""

from __future__ import annotations

import json
import random

from pointsman.embedded.cases.draft import Draft
from pointsman.embedded.cases.words import surname

ISSUES = ("late", "damaged", "wrong_item", "refund", "login", "billing")
PRIORITIES = ("low", "normal", "high")

SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "customer": {"type": "string"},
        "order": {"type": "string", "pattern": "^[0-9]{5}$"},
        "issue": {"type": "string", "enum": list(ISSUES)},
        "priority": {"type": "string", "enum": list(PRIORITIES)},
    },
    "required": ["customer", "order", "issue", "priority"],
    "additionalProperties": False,
}

_PLAIN = {
    "late": ("parcel is late", "delivery is late"),
    "damaged": ("item arrived damaged", "parcel is damaged"),
    "wrong_item": ("got the wrong item", "wrong item in the box"),
    "refund": ("wants a refund", "asks for a refund"),
    "login": ("login does not work", "cannot login"),
    "billing": ("billing is not right", "question on billing"),
}
_ROUNDABOUT = {
    "late": ("still nothing at the door", "has been waiting for two weeks", "was due last Friday"),
    "damaged": ("the glass came in pieces", "box was crushed and wet", "screen has a crack"),
    "wrong_item": ("ordered blue, came red", "this is not what was ordered", "size is not mine"),
    "refund": ("wants the money back", "sent it back, no money yet", "please return the payment"),
    "login": ("password is not taken", "account is locked", "code for the account never comes"),
    "billing": ("was charged twice", "the invoice shows too much", "tax on the invoice is off"),
}
_URGENCY = {
    "low": ("no hurry", "whenever you can", "not urgent"),
    "normal": ("this week is fine", "in the usual time"),
    "high": ("needed today", "this is urgent", "cannot wait"),
}


def draft(rng: random.Random, hard: bool) -> Draft:
    """A line; hard ones paraphrase, misspell and mention people and numbers that do not count."""
    issue = rng.choice(ISSUES)
    priority = rng.choice(PRIORITIES)
    customer, order = surname(rng), _number(rng)
    if hard:
        body = _hard(rng, customer, order, issue, priority)
    else:
        body = _easy(rng, customer, order, issue, priority)
    fields = {"customer": customer, "order": order, "issue": issue, "priority": priority}
    loose = ", ".join(f"{key} is {value}" for key, value in fields.items())
    return Draft(body, json.dumps(fields, separators=(",", ":")), loose, hard)


def _easy(rng: random.Random, customer: str, order: str, issue: str, priority: str) -> str:
    said = rng.choice(_PLAIN[issue])
    return rng.choice((
        f"{customer}, order {order}: {said}. Priority {priority}.",
        f"Order {order} from {customer}, {said}, priority {priority}",
        f"Customer {customer}: {said}. Order {order}, {priority} priority.",
    ))  # fmt: skip


def _hard(rng: random.Random, customer: str, order: str, issue: str, priority: str) -> str:
    said = _misspelt(rng, rng.choice(_ROUNDABOUT[issue]))
    other, number = surname(rng), _number(rng)
    urgency = rng.choice(_URGENCY[priority]) if rng.random() < 0.5 else _worth(rng, priority)
    return rng.choice((
        f"{other} writes for {customer}: order {order}, not {number}, {said}, {urgency}",
        f"{said}, says {customer} about {order} ({other} took the call, ref {number}), {urgency}",
        f"{urgency}: {customer} got the parcel of {other}; own order {order}, {said}",
        f"invoice {number}, order {order}, {said}. {urgency}. {customer} (agent {other})",
        f"order {number} of {other} is fine, but {order} of {customer}: {said}; {urgency}",
    ))  # fmt: skip


def _worth(rng: random.Random, priority: str) -> str:
    """The house rule: under 50 EUR is low, over 500 EUR is high."""
    span = {"low": (5, 49), "normal": (51, 499), "high": (501, 999)}[priority]
    return f"worth {rng.randint(*span)} EUR"


def _misspelt(rng: random.Random, text: str) -> str:
    if rng.random() < 0.5:
        return text
    at = rng.randrange(1, len(text) - 1)
    if rng.random() < 0.5:
        return text[:at] + text[at + 1 :]
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def _number(rng: random.Random) -> str:
    return str(rng.randint(10000, 99999))
