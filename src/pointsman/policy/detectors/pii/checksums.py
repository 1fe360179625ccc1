# ruff: noqa: E501 - a row of a table is one line
"""Checksums of numbers that name a person, an account or a card. Each takes the bare value."""

_VERHOEFF_D = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6), (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8), (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2), (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4), (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)  # fmt: skip
_VERHOEFF_P = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 5, 7, 6, 2, 8, 3, 0, 9, 4),
    (5, 8, 0, 3, 7, 9, 6, 1, 4, 2), (8, 9, 1, 6, 0, 4, 3, 5, 2, 7),
    (9, 4, 5, 3, 1, 2, 6, 8, 7, 0), (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5), (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)  # fmt: skip
# Lengths by country: the SWIFT IBAN registry.
_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22,
    "BI": 27, "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27,
    "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27,
    "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28,
    "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28,
    "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22,
    "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23,
    "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24,
    "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28,
    "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_FISCAL_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22,
               25, 24, 23)  # fmt: skip


def luhn(value: str) -> bool:
    """ISO/IEC 7812-1, annex B: cards, IMEI, and several national numbers."""
    digits = _digits(value)
    if len(digits) < 2 or len(set(digits)) == 1:
        return False
    doubled = sum((2 * d - 9 if d > 4 else 2 * d) for d in digits[-2::-2])
    return (sum(digits[::-2]) + doubled) % 10 == 0


def iban(value: str) -> bool:
    """ISO 13616: the country's length, and 97 leaves 1."""
    bare = _bare(value).upper()
    if _IBAN_LENGTHS.get(bare[:2]) != len(bare) or not bare[2:4].isdigit():
        return False
    moved = bare[4:] + bare[:4]
    return int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


def iban_country(value: str) -> bool:
    """The country exists and its length is right, whatever the checksum says."""
    bare = _bare(value).upper()
    return _IBAN_LENGTHS.get(bare[:2]) == len(bare) and bare[2:4].isdigit()


def verhoeff(value: str) -> bool:
    """Verhoeff (1969); Aadhaar, which never begins with 0 or 1."""
    check = 0
    for i, digit in enumerate(reversed(_digits(value))):
        check = _VERHOEFF_D[check][_VERHOEFF_P[i % 8][digit]]
    return check == 0


def weighted(value: str, weights: tuple[int, ...], modulus: int) -> int:
    """The weighted sum of the leading digits, modulo."""
    return sum(w * d for w, d in zip(weights, _digits(value), strict=False)) % modulus


def us_ssn(value: str) -> bool:
    """What the administration never gave is none; 9xx is an ITIN, which counts."""
    digits = _bare(value)
    return (
        len(digits) == 9
        and digits[:3] not in ("000", "666")
        and digits[3:5] != "00"
        and digits[5:] != "0000"
        and len(set(digits)) > 1
    )


def aba_routing(value: str) -> bool:
    return weighted(value, (3, 7, 1, 3, 7, 1, 3, 7, 1), 10) == 0 and value.strip("0") != ""


def nhs(value: str) -> bool:
    """UK NHS number: modulus 11."""
    digits = _digits(value)
    check = 11 - weighted(value, tuple(range(10, 1, -1)), 11)
    return len(set(digits)) > 1 and check % 11 == digits[9] and check != 10


def dni(value: str) -> bool:
    """Spanish DNI and NIE: the letter is the number modulo 23."""
    bare = _bare(value).upper()
    number = bare[:-1]
    if number[:1] in "XYZ":
        number = str("XYZ".index(number[0])) + number[1:]
    return number.isdigit() and bare[-1] == _DNI_LETTERS[int(number) % 23]


def codice_fiscale(value: str) -> bool:
    """Italian tax code: the sixteenth letter."""
    bare = _bare(value).upper()
    total = 0
    for i, c in enumerate(bare[:15]):
        rank = int(c) if c.isdigit() else ord(c) - 65
        total += rank if i % 2 else _FISCAL_ODD[rank]
    return chr(65 + total % 26) == bare[15:]


def nir(value: str) -> bool:
    """French social security number: 97 less the number modulo 97."""
    bare = _bare(value).upper().replace("2A", "19").replace("2B", "18")
    return bare.isdigit() and 97 - int(bare[:13]) % 97 == int(bare[13:])


def steuer_id(value: str) -> bool:
    """German tax id: ISO 7064 modulo 11,10; one digit stands twice or thrice."""
    digits = _digits(value)
    if not digits[0] or len(set(digits[:10])) not in (8, 9):
        return False
    product = 10
    for digit in digits[:10]:
        total = (digit + product) % 10 or 10
        product = 2 * total % 11
    return (11 - product) % 10 == digits[10]


def bsn(value: str) -> bool:
    """Dutch citizen number: the elf-proef."""
    return _bare(value).strip("0") != "" and weighted(value, (9, 8, 7, 6, 5, 4, 3, 2, -1), 11) == 0


def cpf(value: str) -> bool:
    """Brazilian CPF: two digits modulo 11."""
    digits = _digits(value)
    if len(set(digits)) == 1:
        return False
    first = weighted(value_of(digits[:9]), tuple(range(10, 1, -1)), 11)
    second = weighted(value_of(digits[:10]), tuple(range(11, 1, -1)), 11)
    return digits[9] == _eleven(first) and digits[10] == _eleven(second)


def cnpj(value: str) -> bool:
    """Brazilian CNPJ: two digits modulo 11."""
    digits = _digits(value)
    weights = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    first = weighted(value_of(digits[:12]), weights[1:], 11)
    second = weighted(value_of(digits[:13]), weights, 11)
    return digits[12] == _eleven(first) and digits[13] == _eleven(second)


def chinese_id(value: str) -> bool:
    """GB 11643: ISO 7064 modulo 11-2."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[weighted(value, weights, 11)] == value[17].upper()


def pesel(value: str) -> bool:
    """Polish PESEL."""
    return (10 - weighted(value, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3), 10)) % 10 == int(value[10])


def belgian(value: str) -> bool:
    """Belgian national number: 97 less the rest, with a 2 before it for births since 2000."""
    bare = _bare(value)
    want = int(bare[9:])
    return want in (97 - int(bare[:9]) % 97, 97 - int("2" + bare[:9]) % 97)


def norwegian(value: str) -> bool:
    """Norwegian birth number: two digits modulo 11."""
    return (
        weighted(value, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1), 11) == 0
        and weighted(value, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1), 11) == 0
    )


def hetu(value: str) -> bool:
    """Finnish personal code: the last sign is the rest by 31."""
    bare = value.upper()
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(bare[:6] + bare[7:10]) % 31] == bare[10]


def ean13(value: str) -> bool:
    """Swiss AHV numbers are EAN-13 numbers that begin with 756."""
    return weighted(_bare(value), (1, 3) * 6 + (1,), 10) == 0


def nif_pt(value: str) -> bool:
    """Portuguese tax number: modulus 11."""
    check = 11 - weighted(value, tuple(range(9, 1, -1)), 11)
    return (0 if check > 9 else check) == int(_bare(value)[8])


def rut(value: str) -> bool:
    """Chilean RUT: modulus 11, K for ten."""
    bare = _bare(value).upper()
    total = sum(int(d) * (2 + i % 6) for i, d in enumerate(reversed(bare[:-1])))
    return "0123456789K0"[11 - total % 11] == bare[-1]


def cuit(value: str) -> bool:
    """Argentine CUIT: modulus 11."""
    check = 11 - weighted(value, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2), 11)
    return {11: 0, 10: 9}.get(check, check) == int(_bare(value)[10])


def nric(value: str) -> bool:
    """Singapore NRIC and FIN."""
    bare = value.upper()
    total = sum(w * int(d) for w, d in zip((2, 7, 6, 5, 4, 3, 2), bare[1:8], strict=True))
    total += 4 if bare[0] in "TG" else 3 if bare[0] == "M" else 0
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "G": "XWUTRQPNMLK",
               "M": "XWUTRQPNJLK"}  # fmt: skip
    return letters[bare[0]][total % 11 if bare[0] != "M" else 10 - total % 11] == bare[8]


def turkish(value: str) -> bool:
    """Turkish identity number."""
    d = _digits(value)
    tenth = (7 * sum(d[0:9:2]) - sum(d[1:8:2])) % 10
    return d[0] != 0 and tenth == d[9] and sum(d[:10]) % 10 == d[10]


def korean(value: str) -> bool:
    """Korean resident number, as checked before October 2020; later ones have random digits."""
    bare = _bare(value)
    check = (11 - weighted(bare, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5), 11)) % 10
    return check == int(bare[12])


def tfn(value: str) -> bool:
    """Australian tax file number."""
    return weighted(value, (1, 4, 3, 7, 5, 8, 6, 9, 10), 11) == 0


def thai(value: str) -> bool:
    """Thai national number."""
    return (11 - weighted(value, tuple(range(13, 1, -1)), 11)) % 10 == int(_bare(value)[12])


def vin(value: str) -> bool:
    """Vehicle number: the ninth sign, of ISO 3779 as North America uses it."""
    rank = {**{str(i): i for i in range(10)},
            **dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9,
                                                   2, 3, 4, 5, 6, 7, 8, 9), strict=True))}  # fmt: skip
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    total = sum(w * rank[c] for w, c in zip(weights, value.upper(), strict=True))
    return "0123456789X"[total % 11] == value[8].upper()


def value_of(digits: list[int]) -> str:
    """Digits as the text the sums take."""
    return "".join(map(str, digits))


def _eleven(rest: int) -> int:
    return 0 if rest < 2 else 11 - rest


def _bare(value: str) -> str:
    return "".join(c for c in value if c.isalnum())


def _digits(value: str) -> list[int]:
    return [int(c) for c in value if c.isdigit()]
