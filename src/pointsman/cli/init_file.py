"""The text of the file that `init` writes: a proposal in YAML, with comments for who reads it."""

from collections.abc import Iterator
from typing import Any

from pointsman.config.emitting import Verbatim, emit
from pointsman.discovery.proposing import Proposal, Proposed

START_LOGPROB = -0.4  # a start for the mean over an answer; `pointsman report` says what it costs

_HEAD = """\
# Written by `pointsman init`; it is yours from here on.
#   pointsman check                 does it hold, does everything answer
#   pointsman serve                 http://127.0.0.1:4100/v1
#   pointsman config show --origins what is in force, and which line says so
"""
_PRICE = "# price: {input_usd_per_mtok: 0.05, output_usd_per_mtok: 0.15}  # none: counts as free"
_TASK = """\
# A task is a named kind of work: a client asks for `task:NAME`. Its checks look at every answer,
# and what your product then says of an answer makes it accepted or not.
# prompts:
#   ticket: {system: "Answer only with JSON: customer, order, priority."}
# tasks:
#   ticket:
#     prompt: ticket
#     verify:
#       - fields: {required: [customer, order, priority]}
#     acceptance: {accepted: "outcome.kind == 'sent'", rejected: "outcome.kind == 'rewritten'"}
"""


def file_text(proposal: Proposal) -> str:
    """The whole file."""
    return "\n".join(
        part.rstrip("\n") + "\n" for part in (_HEAD, *_sections(proposal), _TASK) if part
    )


def _sections(proposal: Proposal) -> Iterator[str]:
    yield "".join(("deployments:\n", *map(_deployment, proposal.deployments)))
    if proposal.left_out:
        names = ", ".join(proposal.left_out[:8]) + (" …" if len(proposal.left_out) > 8 else "")
        yield f"# Left out, since they are not for chat, or too many: {names}\n"
    yield _route(proposal) if proposal.steps else _no_route(proposal)


def _deployment(each: Proposed) -> str:
    data: dict[str, Any] = {"model": each.model, "base_url": each.base_url}
    if "@" in each.model:
        data["served_name"] = each.model
    if each.engine != "openai":
        data["engine"] = each.engine
    if each.variable:
        data["api_key"] = Verbatim(f"${{{each.variable}}}")
    if not each.logprobs:
        data["logprobs"] = False
    body = emit({"deployments": {each.name: data}}).partition("\n")[2]
    return f"  # {each.remark}\n{body}    {_PRICE}\n"


def _route(proposal: Proposal) -> str:
    """The cascade, and what its gate goes by."""
    small, large = proposal.steps
    route: dict[str, Any] = {"steps": list(proposal.steps)}
    lines = [f"# {small} answers first; {large} is asked where the gate does not accept."]
    if proposal.by_logprobs:
        route["gate"] = {"mean_logprob": START_LOGPROB}
        lines.append("# The gate reads the mean token logprob: nearer to 0 escalates more.")
    else:
        lines.append("# This engine gives no logprobs: the gate can only say no where a task has")
        lines.append("# checks, so give a task `verify:`.")
    route["fallbacks"] = [large]
    if proposal.private:
        lines.append("# Hosted deployments are in no route: nothing leaves this machine unless a")
        lines.append("# request names one. Add one to `steps` to escalate to it.")
    return (
        "\n".join(lines)
        + "\n"
        + emit({"routes": {proposal.route: route}, "default": proposal.route})
    )


def _no_route(proposal: Proposal) -> str:
    first = proposal.deployments[0].name
    names = [each.name for each in proposal.deployments]
    head = "# `auto` is this deployment.\n"
    if len(names) > 1:
        head = (
            "# `auto` is this deployment. A route asks the cheaper one first; the names here tell\n"
            f"# no order of size, so it is for you: routes: {{thrifty: {{steps: [{names[0]}, "
            f"{names[1]}]}}}}\n"
        )
    return head + emit({"default": first})
