# ruff: noqa: E501 - a row of a table is one line
"""Numbers of accounts, cards, devices and documents."""

from pointsman.policy.detectors.pii import checksums as sums
from pointsman.policy.detectors.pii.shapes import Shape

_CARD = (
    r"\bcards?\b|credit|debit|\bcc\b|\bccn\b|visa\b|master ?card|amex|american express|discover"
    r"|maestro|diners|\bpan\b|karte|tarjeta|carte|cartão|carta|kaart|карт|信用卡|银行卡|カード|카드|بطاقة|कार्ड"
)
_ISSUED = ("4", "5", "34", "37", "6", "2", "30", "36", "38", "39", "35", "18", "13")


def _card(value: str) -> bool:
    digits = "".join(c for c in value if c.isdigit())
    return digits.startswith(_ISSUED) and sums.luhn(digits)


def _digits_and_letters(value: str) -> bool:
    return sum(c.isdigit() for c in value) >= 3


# The value after a label: `Policy number: X12-33`, `passport no. is 123456789`.
_SAID = r"(?:\s*(?:number|numbers|no|nr|num|id|code|#|is|was|ist|es|est|:|=|-|\.|\(|\"|'|\*|\|)\s*){1,5}"


def _told(
    kind: str, rule: str, labels: str, value: str = r"[A-Za-z]{0,4}[- ]?\d[A-Za-z0-9-]{3,18}"
) -> Shape:
    return Shape(
        kind=kind, rule=rule, pattern=rf"(?i)\b(?:{labels}){_SAID}({value})\b", alone=0.85,
        proves=_digits_and_letters, joiners="",
    )  # fmt: skip


NUMBERS = (
    Shape(
        kind="iban", rule="iban", proves=sums.iban, alone=0.98, told=0.99,
        pattern=r"(?i)\b([A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?)\b",
    ),
    Shape(
        kind="iban", rule="iban-told", proves=sums.iban_country, told=0.8, words=r"iban",
        pattern=r"(?i)\b([A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?)\b",
    ),
    Shape(
        kind="credit_card", rule="card", proves=_card, words=_CARD, alone=0.75, unproven=0.6,
        pattern=r"\b(\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}(?:[ -]?\d{1,3})?|3\d{3}[ -]?\d{6}[ -]?\d{4,5})\b",
    ),
    Shape(
        kind="credit_card", rule="card-told", proves=sums.luhn, words=_CARD, told=0.85, unproven=0.55,
        pattern=r"\b(\d{12,19})\b",
    ),
    Shape(
        kind="card_code", rule="card-code", alone=0.85,
        pattern=r"(?i)\b(?:cvv2?|cvc2?|cvn|security code|card verification)\b[^0-9\n]{0,16}(\d{3,4})\b",
    ),
    Shape(
        kind="bank_account", rule="us-routing", proves=sums.aba_routing, words=r"routing|\baba\b|\brtn\b",
        pattern=r"\b(\d{9})\b", unproven=0.6,
    ),
    Shape(
        kind="bank_account", rule="uk-sort-code", words=r"sort ?code", pattern=r"\b(\d{2}-\d{2}-\d{2})\b",
    ),
    Shape(
        kind="bank_account", rule="bic", words=r"\bswift|\bbic\b",
        pattern=r"\b([A-Z]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?)\b", before=32,
    ),
    _told("bank_account", "account",
          r"(?:bank |checking |savings? |my |your |the )?(?:account|acct|a/c|konto|kontonummer|cuenta|compte"
          r"|conta|rekening)", r"[A-Z]{0,4}\d[\d -]{4,24}\d"),
    _told("passport", "passport",
          r"passports?|reisepass|passeport|pasaporte|passaporto|passaporte|paspoort|pas?zport", r"[A-Za-z]{0,3} ?\d{2}[A-Za-z0-9]{0,2} ?\d{4,7}"),
    Shape(kind="passport", rule="passport-other-scripts", words=r"паспорт|护照|護照|パスポート|旅券|여권|جواز|पासपोर्ट",
          told=0.85, pattern=r"\b([A-Za-z]{0,2}\d{2} ?\d{4,7})\b", before=16),
    Shape(kind="bank_account", rule="account-other-scripts",
          words=r"账号|帐号|账户|口座|계좌|счет|счёт|حساب|खाता", told=0.85, before=16,
          pattern=r"\b(\d[\d -]{5,24}\d)\b"),
    _told("driver_license", "driver-license",
          r"(?:driver'?s?|driving)[ -]?(?:licen[sc]e|permit)|\bdln?\b|licen[sc]e|führerschein\w*"
          r"|permis(?: de conduire)?|licencia(?: de conducir)?|patente|carteira de motorista|\bcnh",
          r"[A-Za-z]{0,3}[- ]?\d[A-Za-z0-9]*(?:[- ][A-Za-z0-9]{2,8}){0,4}"),
    _told("medical_id", "medical-record",
          r"medical record|\bmrn|patient(?: id)?|health (?:plan|insurance|card)|insurance(?: policy| id| member)?"
          r"|beneficiary|member(?:ship)?|versichertennummer|krankenversicherung\w*"),
    _told("person_id", "person-number",
          r"employee|staff|student|customer|client|membership|national id(?:entity|entification)?|identity card"
          r"|id card|tax(?:payer)?(?: id(?:entification)?)?|\btin|voter(?: id)?|kundennummer|matrikelnummer"
          r"|personalnummer|número de cliente|numéro client|policy"),
    Shape(
        kind="vehicle", rule="vin", proves=sums.vin, words=r"\bvin\b|vehicle|chassis", alone=0.7, unproven=0.6,
        pattern=r"\b([A-HJ-NPR-Z0-9]{11}[A-HJ-NPR-Z0-9]{2}\d{4})\b",
    ),
    Shape(kind="device", rule="imei", proves=sums.luhn, words=r"imei", pattern=r"\b(\d{2}-?\d{6}-?\d{6}-?\d)\b",
          unproven=0.6),
    Shape(kind="device", rule="mac", alone=0.9, joiners=":-",
          pattern=r"(?i)\b((?:[0-9A-F]{2}:){5}[0-9A-F]{2}|(?:[0-9A-F]{2}-){5}[0-9A-F]{2})\b"),
    Shape(kind="crypto_wallet", rule="ethereum", alone=0.85, pattern=r"\b(0x[0-9a-fA-F]{40})\b"),
    Shape(
        kind="crypto_wallet", rule="bitcoin", alone=0.75, words=r"\bbtc\b|bitcoin|wallet|address",
        pattern=r"\b([13][1-9A-HJ-NP-Za-km-z]{26,34}|bc1[02-9ac-hj-np-z]{25,59})\b",
        proves=lambda v: any(c.isdigit() for c in v[1:]) and (v.startswith("bc1") or not v.isdigit()),
    ),
)  # fmt: skip
