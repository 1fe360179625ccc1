"""Numbers of an answer's JSON in expressions."""

from pointsman.domain.messages import Reply
from pointsman.domain.task import VerifierSpec
from pointsman.verifiers import compile_verifier, run_verifiers


def status(expression: str, answer: str) -> str:
    verifier = compile_verifier(VerifierSpec(name="x", kind="expression", spec=expression))
    return run_verifiers([verifier], Reply(content=answer))[0].status


def test_whole_and_broken_numbers_add_up():
    total = "json.total == json.net + json.vat"
    assert status(total, '{"net": 10, "vat": 1.5, "total": 11.5}') == "clear"
    assert status(total, '{"net": 10, "vat": 1.5, "total": 12}') == "found"
    assert status("json.count == 3 && json.ok", '{"count": 3, "ok": true}') == "clear"
