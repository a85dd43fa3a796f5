"""What shows in the writing and not in the words: forged roles and delimiters, markup, commands, addresses inside.

Each mark is a piece of small text with what it adds to the odds of an attack. None is an expression over the whole
text, so that no text makes the search slow.
"""

import re

# Forged turns of a conversation with a model.
_FORGED = (
    "<|im_", "<|end", "<|sys", "<|user", "<|assistant", "<|start", "[inst]", "[/inst]", "<<sys", "<</sys", "<system",
    "</system", "<sistema", "</sistema", "[system]", "[sistema]", "[system:", "[sistema:", "{system", "{{system",
    "\"role\":\"", "\"role\": \"", "\"role\" : \"", "'role': '", "'role':'", "</customer", "</cliente", "</usuario",
    "</mensaje", "</mensagem", "</message", "</user", "</prompt", "<prompt", "</instruc", "<instruc", "### instruc",
    "###instruc", "### system", "### sistema", "### fin de", "### fim d", "### end of", "### new instr",
    "### nuevas instr", "### novas instr", "=== system", "=== end", "---end", "```system", "```sistema", "<<customer",
    "<<end", "begin system prompt", "begin system message", "end system prompt", "end of prompt", "<admin", "[admin:",
    "[admin mode", "[admin over", "[developer", "<developer", "[assistant]", "</context", "</dado", "</dato", "</doc",
    "</conversa", "</histor", "</knowledge",
)  # fmt: skip
# Markup that runs, commands, queries and templates.
_RUNS = (
    "<script", "</script", "javascript:", "vbscript:", "data:text/html", "data:image/svg", "onerror=", "onload=",
    "onclick=", "onmouse", "onfocus=", "ontoggle=", "<iframe", "<svg", "<img ", "<img/", "<object", "<embed",
    "<link ", "<style", "<base ", "<html", "<body", "<meta", "<form", "<math", "<video", "<audio", "<input",
    "<?php", "<?xml", "<!entity", "<!doctype", "<!--", "document.cookie", "document.write", "fromcharcode",
    "__import__", "os.popen", "subprocess.", "console.log(", "window.location", "window.open(", "window.onload",
    "@import url", "@import '", "@import \"", "&#x", "&#0", "\\x3c", "\\u003c", "%3cscript", "%3c%", "union select",
    "union all select", "drop table", "select * from", "select @@", "select case when", "; insert into",
    "; delete from", "or 1=1", "or '1'='1", "or \"1\"=\"1", "' or ''", "' or 'a'='a", "';--", "'; --", "admin'--",
    "admin' --", ";--", "xp_cmdshell", "waitfor delay", "information_schema", "${", "`id`", "`ls", "| sh)", "|sh)",
    "| bash", "; ls /", "&& ls", "; cat /", "&& cat ",
    "rm -rf", "/etc/passwd", "/bin/sh", "/bin/bash", "cmd.exe", "cmd|", "powershell ", "wget http", "curl http",
    " nc -e", "touch /tmp", "chmod ", "/dev/tcp", "{{7", "{{ 7", "{{config", "{% ", "<%=", "#{", "jndi:",
    "=hyperlink(", "=importxml(", "=webservice(", "=cmd|", "+cmd|", "@sum(", "=1+1", "=sum(", "../../", "..\\..\\",
    "file://", "gopher://", "dict://", "ldap://", "php://", "%00", "%0d%0a",
)  # fmt: skip
# Where nobody's link leads.
_INSIDE = (
    "169.254.169.254", "metadata.google", "//localhost", "//127.", "//0.0.0.0", "//[::1", "://10.", "//192.168.",
    "//2130706433",
)  # fmt: skip
_ROLES = ("system", "sistema", "assistant", "asistente", "assistente", "developer", "ai", "ia")
_ROLE = re.compile(rf"^[\W_]{{0,3}}(?:{'|'.join(_ROLES)})\]?\s?:", re.MULTILINE)
# Functions that are called and commands that are run; "system(s)" and "US$(200)" are language.
_CALLED = re.compile(
    r"\b(?:alert|eval|exec|system|sleep|expression)\((?!(?:s|es|ing)\))"
    r"|\$\((?:cat|curl|echo|id|ls|nc|ping|rm|sh|bash|sleep|touch|uname|wget|whoami)\b|\bcurl -[a-z]{1,3} "
)
# Without one of these, or a call of curl, the expression finds nothing, and takes longer to say so.
_CALLS = ("alert(", "eval(", "exec(", "system(", "sleep(", "expression(", "$(")
FORGED, RUNS, INSIDE, ROLE, IMAGE = 4.0, 3.0, 4.0, 0.45, 2.0
# What pieces have in common and people hardly write. Of a piece without it a whole word has to be among the words.
_RARE = (*'{}[]<>|$`#\\@=%&_+"*;()',)
_WORD = re.compile(r"[a-z0-9]+(?=[^a-z0-9])")
# A number or a name may stand before these without a space: *1union select*, *superadmin'--*.
_GLUED = ("union", "drop", "waitfor", "select", "admin")
_COMMON = (*"'/:-. ", "")
_Pieces = dict[str, list[tuple[str, str, float]]]


def _by_what_is_needed() -> tuple[_Pieces, _Pieces]:
    """(piece, rule, odds) by a part and by a word that has to be there, so that most are never looked for."""
    by_part: _Pieces = {}
    by_word: _Pieces = {}
    for rule, odds, listed in (
        ("forged_turn", FORGED, _FORGED),
        ("runs", RUNS, _RUNS),
        ("inside_address", INSIDE, _INSIDE),
    ):
        for piece in listed:
            rare = [part for part in _RARE if part in piece]
            words = [word for word in _WORD.findall(piece) if word not in _GLUED]
            if words and not rare:
                by_word.setdefault(max(words, key=len), []).append((piece, rule, odds))
            else:
                part = next(part for part in (*rare, *_COMMON) if part in piece)
                by_part.setdefault(part, []).append((piece, rule, odds))
    return by_part, by_word


_BY_PART, _BY_WORD = _by_what_is_needed()
_WORDS = frozenset(_BY_WORD)


def marks(low: str, words: list[str]) -> dict[str, float]:
    """Rules and odds of what is found in a canonical text of these words, each rule once."""
    found: dict[str, float] = {}
    for part, pieces in _BY_PART.items():
        if part in low:
            found |= {rule: odds for piece, rule, odds in pieces if piece in low}
    for word in _WORDS.intersection(words):
        found |= {rule: odds for piece, rule, odds in _BY_WORD[word] if piece in low}
    if "](" in low and "![" in low:
        found["image_link"] = IMAGE
    if (("(" in low and any(piece in low for piece in _CALLS)) or "curl -" in low) and _CALLED.search(low):
        found["runs"] = RUNS
    if any(before.rstrip().removesuffix("]").endswith(_ROLES) for before in low.split(":")[:-1]) and _ROLE.search(low):
        found["role"] = ROLE
    return found
