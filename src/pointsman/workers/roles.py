"""Who may do what at the admin's door. Pure.

`application` is what clients' keys are: it opens the door of clients, and nothing here.
"""

from collections.abc import Collection, Mapping

from pointsman.domain.errors import Forbidden
from pointsman.domain.task import Role

_READS: frozenset[Role] = frozenset({"owner", "operator", "analyst", "auditor"})
# Path (those that end in `/` take whatever follows) -> method -> who may; the owner always may.
PERMISSIONS: Mapping[str, Mapping[str, frozenset[Role]]] = {
    "/admin/workers": {"GET": frozenset({"operator"})},
    "/admin/report": {"GET": _READS},
    "/admin/queries/": {"GET": _READS},
    "/admin/keys": {"GET": frozenset({"operator", "auditor"}), "POST": frozenset({"operator"})},
    "/admin/keys/rotate": {"POST": frozenset({"operator"})},
    "/admin/keys/revoke": {"POST": frozenset({"operator"})},
    "/admin/budgets": {"GET": frozenset({"operator", "analyst", "auditor"})},
    "/admin/held": {"GET": frozenset({"reviewer", "approver"})},
    "/admin/held/": {
        "GET": frozenset({"reviewer", "approver"}),
        "POST": frozenset({"reviewer", "approver"}),
    },
    "/admin/policies": {"GET": frozenset({"policy-author", "approver", "auditor", "operator"})},
    "/admin/audit": {"GET": frozenset({"auditor"})},
    "/admin/receipts/": {"GET": frozenset({"auditor"})},
}


def allow(roles: Collection[Role], method: str, route: str) -> None:
    """Raises: Forbidden where none of these roles may do that; nobody may what is not listed."""
    if "owner" in roles:
        return
    may = PERMISSIONS.get(route, {}).get(method, frozenset())
    if not may & frozenset(roles):
        raise Forbidden(
            f"{method} {route} is not for {', '.join(sorted(roles)) or 'somebody without a role'}",
            why=f"it takes {' or '.join(sorted(may)) or 'the owner'}",
            next="ask who runs this gateway for the role",
            code="role_missing",
        )
