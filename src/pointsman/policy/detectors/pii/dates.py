# ruff: noqa: E501 - a row of a table is one line
"""Full dates, which say when somebody was born, treated or paid. A bare year is none."""

from pointsman.policy.detectors.pii.shapes import Shape

_MONTH = (
    r"(?:jan(?:uary|uar|vier)?|feb(?:ruary|ruar)?|f[\xe9e]vr(?:ier)?|mar(?:ch|s|zo)?|m[\xe4a]rz|apr(?:il)?"
    r"|avr(?:il)?|may|mai|jun[ei]?|juin|jul[iy]?|juillet|aug(?:ust)?|ao[\xfbu]t|sep(?:t(?:ember|embre)?)?"
    r"|o[ck]t(?:ober|obre)?|nov(?:ember|embre)?|de[cz](?:ember)?|d[\xe9e]c(?:embre)?|enero|febrero|abril|mayo"
    r"|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|gennaio|febbraio|aprile|maggio|giugno|luglio"
    r"|settembre|ottobre|novembre|dicembre|janeiro|fevereiro|mar[\xe7c]o|maio|junho|julho|setembro|outubro"
    r"|dezembro)"
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?:1[89]\d{2}|20\d{2})"
_TIME = r"(?:[T ,]{1,2}\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?: ?[AaPp]\.?[Mm]\b\.?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_BORN = r"born|birth|\bdob\b|geb|naissance|nacim|nascim|nascita|né |née |nato|geboren|生日|出生|생년|рожд|ميلاد"

DATES = (
    Shape(kind="date", rule="iso-date", alone=0.7, joiners="-/.", words=_BORN,
          pattern=rf"\b({_YEAR}[-/.](?:0?[1-9]|1[0-2])[-/.]{_DAY}{_TIME})"),
    Shape(kind="date", rule="numeric-date", alone=0.65, joiners="-/.", words=_BORN,
          pattern=rf"\b({_DAY}([-/.]){_DAY}[-/.](?:{_YEAR}|\d{{2}}){_TIME})",
          proves=lambda v: "." not in v[:8] or v.count(".") >= 2),
    Shape(kind="date", rule="written-date", alone=0.65, words=_BORN,
          pattern=rf"(?i)\b((?:{_MONTH}\.? {_DAY}(?:st|nd|rd|th)?,? (?:of )?{_YEAR}"
                  rf"|{_DAY}(?:st|nd|rd|th|\.|\xba)?[ -](?:de |of )?{_MONTH}\.?,?[ -](?:de |del )?{_YEAR}){_TIME})"),
    Shape(kind="date", rule="east-asian-date", alone=0.65, words=_BORN,
          pattern=rf"({_YEAR}\? ?(?:0?[1-9]|1[0-2])\? ?{_DAY}\?)",
          proves=lambda v: any(c in v for c in "年년")),
)  # fmt: skip
