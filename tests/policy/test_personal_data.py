"""Structured personal data: found by form, checksum and the words beside it."""

import itertools

import pytest

from pointsman.policy.detectors.pii import checksums
from pointsman.policy.detectors.pii.detector import PersonalData
from pointsman.policy.gating.standard import standard

DETECTOR = PersonalData()


def _kinds(text: str) -> list[tuple[str, str]]:
    found = DETECTOR.judge(text, channel="content").findings
    return [(f.kind, text[f.start : f.end]) for f in found]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("write to ann.lee+x@mail.example.org.", "email", "ann.lee+x@mail.example.org"),
        ("see https://example.org/a?b=1, then", "url", "https://example.org/a?b=1"),
        ("from 203.0.113.9 at noon", "ip", "203.0.113.9"),
        ("host 2001:db8:85a3::8a2e:370:7334 up", "ip", "2001:db8:85a3::8a2e:370:7334"),
        ("card 4111 1111 1111 1111 please", "credit_card", "4111 1111 1111 1111"),
        ("IBAN DE89 3704 0044 0532 0130 00 today", "iban", "DE89 3704 0044 0532 0130 00"),
        ("SSN: 536-90-4399", "us_ssn", "536-90-4399"),
        ("call +44 20 7946 0958 now", "phone", "+44 20 7946 0958"),
        ("(212) 555-0142 is the desk", "phone", "(212) 555-0142"),
        ("电话13812345678", "phone", "13812345678"),
        ("born 3 March 1984 in Ulm", "date", "3 March 1984"),
        ("generada el 2023-11-05", "date", "2023-11-05"),
        ("DNI 12345678Z", "national_id", "12345678Z"),
        ("RSSMRA85T10A562S", "national_id", "RSSMRA85T10A562S"),
        ("CPF 111.444.777-35", "national_id", "111.444.777-35"),
        ("Aadhaar 2341 2341 2346", "national_id", "2341 2341 2346"),
        ("身份证号11010519491231002X", "national_id", "11010519491231002X"),
        ("Passport number: 533380006", "passport", "533380006"),
    ],
)
def test_a_value_is_found_where_it_stands(text, kind, value):
    assert (kind, value) in _kinds(text)


@pytest.mark.parametrize(
    "text",
    [
        "version 10.4.2 of 2019",
        "order 4111111111111112",  # no card: the checksum says no, and no word speaks for it
        "the years 1990-1995 and 2001",
        "x = 3.14159, y = 2.71828",
        "logo@2x.png and user@host",
        "sha 9e107d9d372bb6826bd81d3542a419d6",
        "rooms 101, 102 and 103 cost $1,200",
    ],
)
def test_what_only_looks_like_it_is_left_alone(text):
    assert _kinds(text) == []


def test_offsets_hold_where_characters_are_more_than_one_byte():
    text = "😀 почта: ann@example.org — жду"
    (finding,) = DETECTOR.judge(text, channel="content").findings
    assert text[finding.start : finding.end] == "ann@example.org"


def test_full_width_digits_are_digits():
    assert ("credit_card", "４１１１１１１１１１１１１１１１") in _kinds(
        "card ４１１１１１１１１１１１１１１１ ok"
    )


def test_findings_never_overlap():
    text = "card 4111111111111111 call 4111111111111111 SSN 536-90-4399 tel 536-90-4399"
    findings = DETECTOR.judge(text, channel="content").findings
    assert all(a.end <= b.start for a, b in itertools.pairwise(findings))


@pytest.mark.parametrize(
    ("check", "good"),
    [
        (checksums.luhn, "378282246310005"),
        (checksums.iban, "GB82 WEST 1234 5698 7654 32"),
        (checksums.verhoeff, "234123412346"),
        (checksums.nhs, "9434765919"),
        (checksums.dni, "X1234567L"),
        (checksums.codice_fiscale, "RSSMRA85T10A562S"),
        (checksums.steuer_id, "86095742719"),
        (checksums.bsn, "111222333"),
        (checksums.cpf, "11144477735"),
        (checksums.cnpj, "11222333000181"),
        (checksums.chinese_id, "11010519491231002X"),
        (checksums.pesel, "44051401359"),
        (checksums.hetu, "131052-308T"),
        (checksums.ean13, "7569217076985"),
        (checksums.rut, "12345678-5"),
        (checksums.nric, "S1234567D"),
        (checksums.turkish, "10000000146"),
        (checksums.vin, "1M8GDM9AXKP042788"),
        (checksums.aba_routing, "021000021"),
        (checksums.nir, "255081416802538"),
    ],
)
def test_a_checksum_takes_the_number_and_not_its_neighbour(check, good):
    at = max(i for i, c in enumerate(good) if c.isdigit() and i < len(good) - 1)
    wrong = good[:at] + str((int(good[at]) + 1) % 10) + good[at + 1 :]
    assert check(good)
    assert not check(wrong)


@pytest.mark.parametrize("zero", [0x660, 0x6F0, 0x966, 0xE50, 0xFF10, 0x1D7CE, 0x11066])
def test_digits_of_other_scripts_are_digits(zero):
    card = "".join(chr(zero + int(c)) if c.isdigit() else c for c in "4111 1111 1111 1111")
    text = f"the card {card} is hers"
    assert _kinds(text) == [("credit_card", card)]
    spans = standard().scan(text)
    assert [(f.rule, f.start, f.end) for f in spans] == [("payment-card", 9, 9 + len(card))]
