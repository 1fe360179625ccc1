# ruff: noqa: E501 - a row of a table is one line
"""Numbers that states give to persons: form, checksum, and the words that speak for them."""

from pointsman.policy.detectors.pii import checksums as sums
from pointsman.policy.detectors.pii.shapes import Shape


def _id(rule: str, pattern: str, words: str, **rest: object) -> Shape:
    return Shape(kind="national_id", rule=rule, pattern=pattern, words=words, **rest)  # type: ignore[arg-type]


_ANY_ID = (
    r"identi|national|citizen|\bid\b|\bids\b|\bid[-_. ]?(?:card|no|num)|ausweis|document|documento"
    r"|pièce|identité|身份|証|신분|удостовер|паспорт|هوية|पहचान"
)
_TAX = r"\btax|\btin\b|fiscal|steuer|impuesto|imposto|impôt|finanzamt|tributari|税|ИНН|инн|podatk"

NATIONAL = (
    Shape(
        kind="us_ssn", rule="us-ssn", pattern=r"\b(\d{3}-\d{2}-\d{4})\b", proves=sums.us_ssn,
        words=r"\bssns?\b|social sec|soc\. ?sec|\bitin\b", alone=0.75, unproven=0.6,
    ),
    Shape(
        kind="us_ssn", rule="us-ssn-told", pattern=r"\b(\d{3}[ .]?\d{2}[ .]?\d{4})\b",
        proves=sums.us_ssn, words=r"\bssns?\b|social sec|soc\. ?sec|\bitin\b", told=0.9,
    ),
    _id("uk-nhs", r"\b(\d{3}[ -]?\d{3}[ -]?\d{4})\b", r"\bnhs\b|health (?:service|number)|patient",
        proves=sums.nhs),
    Shape(
        kind="national_id", rule="uk-nino",
        pattern=r"(?i)\b([A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D])\b",
        words=r"\bnino?\b|national ins|insurance", alone=0.8,
    ),
    _id("de-steuer-id", r"\b(\d{2} ?\d{3} ?\d{3} ?\d{3})\b", r"steuer|\bidnr|" + _TAX,
        proves=sums.steuer_id),
    _id("de-ausweis", r"(?i)\b([CFGHJKLMNPRTVWXYZ][0-9CFGHJKLMNPRTVWXYZ]{8}\d?)\b",
        r"ausweis|personalausw|identity card|\bperso\b", told=0.85,
        proves=lambda v: sum(c.isdigit() for c in v) >= 2),
    _id("de-rvnr", r"\b(\d{2} ?\d{6} ?[A-Z] ?\d{3})\b",
        r"sozialvers|rentenvers|versicherungsnummer|\brvnr|\bsvnr", alone=0.0),
    _id("fr-nir", r"\b([12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2})\b",
        r"sécu|securite soc|\bnir\b|\binsee|social", proves=sums.nir, alone=0.8),
    _id("es-dni", r"(?i)\b((?:\d{8}|[XYZ]\d{7})[- ]?[A-Z])\b", r"\bdni\b|\bnie\b|\bnif\b|" + _ANY_ID,
        proves=sums.dni, alone=0.8, unproven=0.0),
    _id("it-fiscale",
        r"(?i)\b([A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPR-T][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z])\b",
        r"fiscale|\bcf\b|" + _TAX, proves=sums.codice_fiscale, alone=0.9, unproven=0.7),
    _id("nl-bsn", r"\b(\d{9}|\d{4}[. ]\d{2}[. ]\d{3})\b", r"\bbsn\b|burgerservice|sofi", proves=sums.bsn),
    _id("be-national", r"\b(\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2})\b", "", proves=sums.belgian, alone=0.9),
    _id("be-national-bare", r"\b(\d{11})\b", r"rijksregister|registre national|\binsz\b|\bniss\b",
        proves=sums.belgian),
    _id("pl-pesel", r"\b(\d{11})\b", r"pesel", proves=sums.pesel, unproven=0.6),
    _id("pt-nif", r"\b([12356789]\d{2} ?\d{3} ?\d{3})\b", r"\bnif\b|contribuinte", proves=sums.nif_pt),
    _id("se-personnummer", r"\b((?:19|20)?\d{6}[-+]\d{4})\b", r"person(?:nummer|nr)|\bpnr\b|" + _ANY_ID,
        proves=lambda v: sums.luhn(v.replace("-", "").replace("+", "")[-10:]), alone=0.6),
    _id("fi-hetu", r"\b(\d{6}[-+A-FU-Y]\d{3}[0-9A-Y])\b", r"hetu|henkil", proves=sums.hetu, alone=0.8),
    _id("dk-cpr", r"\b((?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d{2}-?\d{4})\b", r"\bcpr\b|personnummer",
        told=0.9),
    _id("no-fodselsnummer", r"\b(\d{6} ?\d{5})\b", r"fødsels|fodsels|personnummer|\bfnr\b",
        proves=sums.norwegian),
    _id("ch-ahv", r"\b(756\.?\d{4}\.?\d{4}\.?\d{2})\b", r"\bahv\b|\bavs\b", proves=sums.ean13, alone=0.9),
    _id("at-svnr", r"\b(\d{4} ?\d{6})\b", r"\bsvnr|sozialvers|versicherungsnummer", told=0.85),
    _id("ie-pps", r"(?i)\b(\d{7}[A-W][A-IW]?)\b", r"\bpps", told=0.9),
    _id("ro-cnp", r"\b([1-8]\d{2}(?:0[1-9]|1[0-2])\d{8})\b", r"\bcnp\b|numeric personal", told=0.9),
    _id("cz-rodne", r"\b(\d{6}/\d{3,4})\b", r"rodn[éeá]", told=0.9, alone=0.55, joiners="."),
    _id("ru-snils", r"\b(\d{3}-\d{3}-\d{3}[ -]\d{2})\b", r"снилс|snils", alone=0.8),
    _id("ru-inn", r"\b(\d{10}|\d{12})\b", r"инн\b|\binn\b"),
    _id("tr-kimlik", r"\b([1-9]\d{10})\b", r"kimlik|\btckn|\btc\b", proves=sums.turkish),
    _id("br-cpf", r"\b(\d{3}\.\d{3}\.\d{3}-\d{2})\b", r"\bcpf\b", proves=sums.cpf, alone=0.9, unproven=0.7),
    _id("br-cpf-bare", r"\b(\d{11})\b", r"\bcpf\b", proves=sums.cpf),
    _id("br-cnpj", r"\b(\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2})\b", r"cnpj", proves=sums.cnpj, alone=0.9),
    _id("ar-cuit", r"\b((?:20|2[3-7]|30|33|34)-?\d{8}-?\d)\b", r"\bcui[lt]\b", proves=sums.cuit),
    _id("cl-rut", r"\b(\d{1,2}\.\d{3}\.\d{3}-[\dkK])\b", r"\bru[tn]\b", proves=sums.rut, alone=0.85),
    _id("mx-curp", r"(?i)\b([A-Z][AEIOUX][A-Z]{2}\d{6}[HM][A-Z]{5}[A-Z0-9]\d)\b", r"curp", alone=0.9),
    _id("mx-rfc", r"(?i)\b([A-ZÑ&]{3,4}\d{6}[A-Z0-9]{3})\b", r"\brfc\b"),
    _id("co-cedula", r"\b(\d{1,3}(?:\.\d{3}){2,3}|\d{7,10})\b", r"c[ée]dula|\bc\.?c\.? ?n", told=0.85),
    _id("in-aadhaar", r"\b([2-9]\d{3}[ -]?\d{4}[ -]?\d{4})\b", r"aadhaa?r|\buidai|आधार",
        proves=sums.verhoeff, unproven=0.75),
    _id("in-pan", r"(?i)\b([A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z])\b", r"\bpan\b|permanent account|" + _TAX,
        alone=0.7),
    _id("cn-id", r"\b([1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx])\b",
        r"身份|居民|证件|\bid\b|identity", proves=sums.chinese_id, alone=0.9, unproven=0.75),
    _id("hk-id", r"(?i)\b([A-Z]{1,2}\d{6} ?\([\dA]\))", r"\bhkid|香港", alone=0.75),
    _id("sg-nric", r"(?i)\b([STFGM]\d{7}[A-Z])\b", r"\bnric\b|\bfin\b|" + _ANY_ID, proves=sums.nric,
        alone=0.75),
    _id("kr-rrn", r"\b(\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])-[1-8]\d{6})\b", r"주민|\brrn\b|resident",
        alone=0.85),
    _id("jp-my-number", r"\b(\d{4}[ -]?\d{4}[ -]?\d{4})\b", r"マイナンバー|個人番号|my number", told=0.9),
    _id("tw-id", r"\b([A-Z][1289]\d{8})\b", r"身分證|身份證|taiwan|\bid\b", told=0.85),
    _id("th-id", r"\b(\d[- ]?\d{4}[- ]?\d{5}[- ]?\d{2}[- ]?\d)\b", r"บัตร|thai", proves=sums.thai, alone=0.0),
    _id("au-tfn", r"\b(\d{3} ?\d{3} ?\d{3})\b", r"\btfn\b|tax file", proves=sums.tfn, unproven=0.6),
    _id("au-medicare", r"\b([2-6]\d{3} ?\d{5} ?\d)\b", r"medicare", told=0.9),
    _id("nz-ird", r"\b(\d{2,3}-\d{3}-\d{3})\b", r"\bird\b", told=0.9),
    _id("ca-sin", r"\b(\d{3}[- ]\d{3}[- ]\d{3}|\d{9})\b", r"\bsin\b|social ins", proves=sums.luhn,
        unproven=0.6),
    _id("za-id", r"\b(\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{4}[01]\d{2})\b", _ANY_ID,
        proves=sums.luhn, alone=0.6),
    _id("il-id", r"\b(\d{9})\b", r"teudat|תעודת|ת\.ז", proves=sums.luhn),
    _id("tax-id", r"\b(\d{2}-\d{7})\b", r"\bein\b|employer id|" + _TAX, told=0.85),
)  # fmt: skip
