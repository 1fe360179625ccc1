# ruff: noqa: E501 - a pattern is one line
"""Calls in code that run, delete, load or send what they should not. Patterns, no data flow."""

from pointsman.policy.detectors.made import judged
from pointsman.policy.detectors.view import Triage, View, compile_octets
from pointsman.policy.finding import Channel, Finding, Judgement

# rule -> (pattern, score, what it is). Group 1 is the place.
_RULES: dict[str, tuple[str, float]] = {
    "runs-a-shell": (r"\b((?:os\.(?:system|popen|exec[lv]p?e?)|subprocess\.(?:call|run|Popen|check_output|getoutput)\([^)\n]{0,200}shell\s*=\s*True|commands\.getoutput|Runtime\.getRuntime\(\)\.exec|child_process\.exec(?:Sync)?|shell_exec|passthru|proc_open)\s*\(?)", 0.7),
    "evaluates-text": (r"(?:^|[^.\w])((?:eval|exec|Function|execfile|compile)\s*\(\s*(?:input|request|req\.|params|user|data|body|argv|sys\.argv|base64|atob|\$_)[^)\n]{0,120}\))", 0.8),
    "unpickles": (r"\b((?:c?[Pp]ickle|dill|shelve|joblib|marshal)\.loads?\s*\(|yaml\.load\s*\((?:[^)\n]*Loader\s*=\s*(?:yaml\.)?(?:Unsafe|Full)?Loader)?|ObjectInputStream\s*\(|unserialize\s*\(\s*\$_)", 0.6),
    "deletes-everything": (r"(\brm\s+-[a-zA-Z]*[rf][a-zA-Z]*\s+(?:-[a-zA-Z]+\s+)*(?:/|~|\$HOME|\*|\.\s|--no-preserve-root)[^\s;|&]*|\bshutil\.rmtree\s*\(\s*[\"']/|\bdel\s+/[sS]\s+/[qQ]|\bformat\s+[cC]:|\bmkfs\.\w+\s+/dev|\bdd\s+if=\S+\s+of=/dev/)", 0.9),
    "pipes-the-web-to-a-shell": (r"(\b(?:curl|wget|iwr|Invoke-WebRequest)\b[^\n|;]{0,300}\|\s*(?:sudo\s+)?(?:ba|z|da|k)?sh\b|\bIEX\s*\(?\s*(?:New-Object|\(?iwr|Invoke-WebRequest))", 0.8),
    "opens-a-reverse-shell": (r"(/dev/tcp/[\d.]+/\d+|\bnc(?:at)?\s+(?:-[a-z]+\s+)*-e\s+\S+|\bbash\s+-i\s*>&|socket\.socket[^\n]{0,200}(?:dup2|pty\.spawn))", 0.95),
    "builds-sql-from-text": (r"(?i)((?:execute|query|raw|cursor\.execute)\s*\(\s*(?:f(?:\"[^\"\n]*|'[^'\n]*)\b(?:select|insert|update|delete)\b(?:[^\"\n]*|[^'\n]*)\{|[\"'][^\"'\n]*\b(?:select|insert|update|delete)\b[^\"'\n]*[\"']\s*(?:\+|%\s*[\w(])))", 0.7),
    "drops-a-table": (r"(?i)\b(drop\s+(?:table|database|schema)\s+(?:if\s+exists\s+)?[\w.\"`]+|truncate\s+table\s+\w+|delete\s+from\s+\w+\s*;)", 0.6),
    "trusts-any-certificate": (r"(verify\s*=\s*False|rejectUnauthorized\s*:\s*false|InsecureSkipVerify\s*:\s*true|CURLOPT_SSL_VERIFYPEER\s*,\s*(?:0|false)|_create_unverified_context)", 0.6),
    "sends-the-environment": (r"(requests\.(?:post|put|get)\s*\([^)\n]{0,200}(?:os\.environ|/etc/passwd|/etc/shadow|\.ssh/|id_rsa|\.aws/credentials)[^)\n]{0,100})", 0.9),
    "opens-rights": (r"(\bchmod\s+(?:-R\s+)?0?777\b|\bsudo\s+chown\s+-R\s+\w+\s+/\s|setenforce\s+0|ALL\s*=\s*\(ALL(?::ALL)?\)\s*NOPASSWD)", 0.6),
    "writes-script-into-a-page": (r"(\.innerHTML\s*=\s*(?:[^\"'`\n;]*(?:location|params|request|user|input|data))|document\.write\s*\(\s*(?:location|document\.|window\.)|dangerouslySetInnerHTML)", 0.6),
    "weak-cipher": (r"\b((?:hashlib\.)?(?:md5|sha1)\s*\([^)\n]{0,60}(?:passw|pwd)|DES\.new\s*\(|AES\.MODE_ECB|ARC4\.new)", 0.55),
    "miner": (r"(?i)(stratum\+tcp://|\bxmrig\b|coinhive)", 0.9),
}  # fmt: skip


class UnsafeCode:
    """Judges answers and tool arguments for code that should not be run unread."""

    name = "unsafe_code"
    version = "unsafe-code-1"

    def __init__(self, *, threshold: float = 0.5) -> None:
        self._threshold = threshold
        self._rules = [(name, compile_octets(p), s) for name, (p, s) in _RULES.items()]
        self._triage = Triage([pattern for pattern, _ in _RULES.values()])

    def judge(self, text: str, *, channel: Channel) -> Judgement:
        """Each place a pattern stands at; a finding says that somebody should look, not that it is harm."""
        view = View(text)
        findings = []
        for place in self._triage.which(view.octets):
            name, pattern, score = self._rules[place]
            if score < self._threshold:
                continue
            for match in pattern.finditer(view.octets):
                start, end = match.span(1)
                findings.append(Finding(detector=self.name, rule=name, kind="unsafe_code", start=start,
                                        end=end, score=score))  # fmt: skip
        return judged(self.name, self.version, findings)
