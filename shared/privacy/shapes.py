"""Secrets that their shape gives away: a rule is what must occur in the text, and the pattern of the whole secret.

Shapes come from the providers' documentation and from the rules of gitleaks, TruffleHog and GitHub's secret scanning;
ends are open (a bracket, a comma or a tag may follow), since a log line quotes them in every way. A pattern is compiled
when its opening is first seen: a process that never meets a secret pays for none.
"""

from shared.privacy.patterns import Pattern

Spans = list[tuple[int, int, str]]
MARK = "[secret]"

# Where a pattern has a group, only the group is the secret. ALONE: no letter or digit before.
ALONE = r"(?<![A-Za-z0-9])"
RULES: tuple[tuple[str, str], ...] = (
    ("sb_secret_", r"sb_secret_[\w-]+"),
    ("sbp_", ALONE + r"sbp_[0-9a-f]{40}"),
    ("EAA", ALONE + r"EAA[A-Za-z0-9]{58,}"),
    ("|", r"(?<![0-9])[0-9]{15,16}\|[\w-]{20,40}"),
    ("APP_USR-", r"APP_USR-[\w-]{20,}"),
    ("TEST-", ALONE + r"TEST-(?:[0-9]{10,}-[\w-]{20,}|[0-9a-f]{8}-[0-9a-f-]{27})"),
    ("pdl_", r"pdl_(?:live|sdbx)_(?:apikey_)?\w{20,}|pdl_ntfset_[\w+/=-]{20,}"),
    ("eyJ", ALONE + r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*){0,3}|eyJVc2VySUQi[\w+/=-]{20,}"),
    ("sig_", ALONE + r"sig_[A-Za-z0-9]{24,}"),
    (".sentry.io", r"://([0-9a-f]{32})(?::[0-9a-f]{32})?@[\w.-]*sentry\.io"),
    ("sntry", r"sntry[su]_[\w+/=-]{40,}"),
    ("AKIA", ALONE + r"AKIA[A-Z2-7]{16}(?![A-Z0-9])"),
    ("ASIA", ALONE + r"ASIA[A-Z2-7]{16}(?![A-Z0-9])"),
    ("ABIA", ALONE + r"ABIA[A-Z2-7]{16}(?![A-Z0-9])"),
    ("ACCA", ALONE + r"ACCA[A-Z2-7]{16}(?![A-Z0-9])"),
    ("IQoJb3JpZ2lu", r"IQoJb3JpZ2lu[A-Za-z0-9+/=_-]{40,}"),
    ("sk-", ALONE + r"sk-(?:proj|svcacct|admin|ant|local|or|live|test)-[\w-]{12,}|" + ALONE + r"sk-[A-Za-z0-9]{20,}"),
    ("k_live_", ALONE + r"[srw]k_live_\w{10,}"),
    ("k_test_", ALONE + r"[srw]k_test_\w{10,}"),
    ("k_prod_", ALONE + r"[srw]k_prod_\w{10,}"),
    ("whsec_", r"whsec_[\w+/=-]{16,}"),
    ("AIza", ALONE + r"AIza[\w-]{35}"),
    ("GOCSPX-", r"GOCSPX-[\w-]{20,}"),
    ("ya29.", ALONE + r"ya29\.[\w-]{20,}"),
    ("gh", ALONE + r"gh[pousr]_[A-Za-z0-9]{30,}"),
    ("github_pat_", r"github_pat_\w{30,}"),
    ("glpat-", r"glpat-[\w-]{18,}"),
    ("xox", ALONE + r"xox[abeoprs]-[\w.-]{10,}"),
    ("hooks.slack.com/", r"hooks\.slack\.com/(?:services|workflows|triggers)/([\w/+-]+)"),
    ("SK", ALONE + r"SK[0-9a-fA-F]{32}(?![0-9A-Za-z])"),
    ("SG.", ALONE + r"SG\.[\w-]{16,}\.[\w-]{16,}"),
    ("re_", ALONE + r"re_[A-Za-z0-9]{8}_[A-Za-z0-9]{20,}"),
    (":AA", r"(?<![0-9])[0-9]{8,10}:AA[\w-]{32,34}"),
    ("npm_", ALONE + r"npm_[A-Za-z0-9]{36}"),
    ("hf_", ALONE + r"hf_[A-Za-z]{30,}"),
    (
        "-----BEGIN",
        # To its end; or, where it was cut off, as far as its lines go.
        r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:(?:[A-Za-z0-9+/=\s\\:,.]|-(?!-))*+-----END [A-Z ]{0,20}PRIVATE KEY(?: BLOCK)?-----"
        r"|(?:[\s\\]{0,4}[A-Za-z0-9+/=]{30,})*+(?:\n[A-Za-z0-9+/=]{1,30}(?![A-Za-z]))?)",
    ),
    # The password of an address, and the name before it, which is often the secret itself.
    ("://", r"://[^\s/@:\"'<>?#]{0,256}+:([^\s@\"'<>]{1,256}+)@(?=[\w\[.-])"),
    (
        "earer",
        r"[Bb]earer[ +]+(?!(?i:auth|token|scheme|error|realm|required|missing))((?:[0-9]{15,16}\|)?[\w.~+/=-]{8,})",
    ),
    ("EARER", r"BEARER[ +]+(?!(?i:auth|token|scheme|error|realm|required|missing))((?:[0-9]{15,16}\|)?[\w.~+/=-]{8,})"),
    ("asic ", r"[Bb]asic +((?=[a-z+/]{0,512}[A-Z0-9=])[A-Za-z0-9+/]{8,}={0,2})"),
)


# Signs that openings have in common and that most texts lack, so that most openings are never looked for.
_SHARED = ("_", "-", "|", "/", "IA", "SK", "AA", "A", "")


def _sign_of(opening: str) -> str:
    return next(sign for sign in _SHARED if sign in opening)


_BY_SIGN = tuple(
    (sign, tuple((opening, Pattern(source)) for opening, source in RULES if sign == _sign_of(opening)))
    for sign in _SHARED
)


_PATH = Pattern(r"/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9A-Za-z])")


def find_shapes(text: str) -> Spans:
    """Spans of secrets by their shape."""
    spans: Spans = []
    for sign, patterns in _BY_SIGN:
        for opening, pattern in patterns if sign in text else ():
            if opening in text:
                compiled = pattern()
                for found in compiled.finditer(text):
                    start, end = found.span(compiled.groups)
                    if not found.group().endswith(MARK):
                        spans.append((start, _before_a_path(text, start, end), MARK))
    return spans


def _before_a_path(text: str, start: int, end: int) -> int:
    """Where a secret ends: a slash belongs to base64 unless an id follows, which is a path (cache/<secret>/<id>)."""
    if "/" in text[start:end]:
        path = _PATH().search(text, start + 8, end + 40)
        if path is not None and path.start() < end:
            return path.start()
    return end
