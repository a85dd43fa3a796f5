"""How an element of a web page looks: whether its styles hide it, and its colour and ground.

Styles are read from the page: its attributes and its style sheets. A sheet that lies elsewhere is not known.
"""

import re
from dataclasses import dataclass, replace

# Of 255, in one colour. A smaller difference between text and ground is not seen.
MIN_CONTRAST = 24
# Rules of one page. A page with more is a program's, and each rule is compared with each element.
_MAX_RULES = 2000

_ZERO = r"0*(?:\.0*)?"
_FAR = r"-\d{3,}"
# Below two points, a seventh of the size around, or nothing.
_TINY = r"(?:(?:0*\.\d+|0*[01](?:\.\d*)?)(?:px|pt)|(?:0+|0*\.(?:0|1[0-4])\d*)r?em|(?:\d|1[0-4])(?:\.\d*)?%|0+(?:\.0*)?)"
_HIDES = re.compile(
    rf"(?<![\w-])(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|content-visibility\s*:\s*hidden"
    rf"|opacity\s*:\s*(?:0?\.0\d*|{_ZERO}|[0-4]?(?:\.\d*)?%)\s*(?:[;!]|$)"
    rf"|font(?:-size)?\s*:\s*(?:[a-z]+\s+)*{_TINY}\s*(?:[;!/\s]|$)"
    rf"|text-indent\s*:\s*{_FAR}|(?:left|top|right|bottom|margin(?:-left|-top)?)\s*:\s*{_FAR}"
    rf"|(?:transform|scale|translate)\s*:[^;]*(?:scale[xy]?\(\s*{_ZERO}\s*[,)]|{_FAR})|scale\s*:\s*{_ZERO}\s*(?:[;!]|$)"
    rf"|(?:max-)?(?:height|width)\s*:\s*{_ZERO}(?:px|pt|em|rem|%)?\s*(?:[;!]|$)"
    rf"|clip\s*:\s*rect\(\s*[01](?:px)?[\s,]+[01](?:px)?[\s,]+[01](?:px)?[\s,]+[01](?:px)?\s*\)"
    rf"|clip-path\s*:\s*(?:inset\(\s*(?:[5-9]\d|100)%|circle\(\s*{_ZERO}|polygon\(\s*\))"
    rf"|filter\s*:[^;]*opacity\(\s*{_ZERO}%?\s*\))"
)
_COMMENTS = re.compile(r"/\*.*?\*/", re.DOTALL)
_RULE = re.compile(r"([^{}]*)\{([^{}]*)\}")
_COLOUR = re.compile(r"(?<![\w-])color\s*:\s*([^;!]+)")
_GROUND = re.compile(r"(?<![\w-])background(?:-color|-image)?\s*:\s*([^;!]+)")
_NAMES = re.compile(r"[.#]?[a-z_][\w-]*")
_DIGITS = re.compile(r"#([0-9a-f]{3,8})\b")
_FUNCTION = re.compile(r"rgba?\(\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)(?:[\s,/]+([\d.]+)(%?))?")
_KEYWORDS = {
    "white": (255, 255, 255), "snow": (255, 250, 250), "ivory": (255, 255, 240), "ghostwhite": (248, 248, 255),
    "whitesmoke": (245, 245, 245), "floralwhite": (255, 250, 240), "mintcream": (245, 255, 250),
    "azure": (240, 255, 255), "aliceblue": (240, 248, 255), "seashell": (255, 245, 238), "black": (0, 0, 0),
}  # fmt: skip

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Looks:
    """What decides whether text is seen. A colour or ground of None is not known, and taken to contrast."""

    is_hidden: bool = False
    colour: Colour | None = (0, 0, 0)
    ground: Colour | None = (255, 255, 255)

    def is_seen(self) -> bool:
        """Decide whether a reader sees text that looks so."""
        if self.is_hidden:
            return False
        if self.colour is None or self.ground is None:
            return True
        return max(abs(one - other) for one, other in zip(self.colour, self.ground, strict=True)) >= MIN_CONTRAST


class Sheet:
    """The rules of a page's style sheets, by the last of the names in a selector."""

    def __init__(self) -> None:
        self._rules: list[tuple[frozenset[str], str]] = []

    def add(self, text: str) -> None:
        """Add the rules of a style element. Rules for paper count too: what they hide is shown, but they are few."""
        for selectors, declarations in _RULE.findall(_COMMENTS.sub("", text.lower())):
            for selector in selectors.split(","):
                last = re.split(r"[\s>+~]+", selector.strip())[-1]
                names = frozenset(_NAMES.findall(re.sub(r"::?[\w-]+(?:\([^)]*\))?|\[[^\]]*\]", "", last)))
                if ":" not in last and (names or last == "*") and len(self._rules) < _MAX_RULES:
                    self._rules.append((names, declarations))

    def declarations(self, tag: str, attributes: dict[str, str | None]) -> list[str]:
        """Return what applies to an element, its own style last."""
        names = {tag, *(f".{name}" for name in (attributes.get("class") or "").lower().split())}
        if given := attributes.get("id"):
            names.add(f"#{given.lower()}")
        found = [declarations for wanted, declarations in self._rules if wanted <= names]
        return [*found, (attributes.get("style") or "").lower()]


def with_element(looks: Looks, sheet: Sheet, tag: str, attributes: dict[str, str | None]) -> Looks:
    """Return the looks within an element."""
    if "hidden" in attributes or (tag == "dialog" and "open" not in attributes):
        looks = replace(looks, is_hidden=True)
    for attribute, name in (("color", "color"), ("text", "color"), ("bgcolor", "background"), ("background", "")):
        if given := attributes.get(attribute):
            looks = _with_colours(looks, f"{name or 'background'}:{given.lower() if name else 'url'}")
    for declarations in sheet.declarations(tag, attributes):
        text = _COMMENTS.sub("", declarations)
        looks = _with_colours(looks, text)
        if _HIDES.search(text):
            looks = replace(looks, is_hidden=True)
    return looks


def _with_colours(looks: Looks, declarations: str) -> Looks:
    for text in _COLOUR.findall(declarations):
        if _is_transparent(text):
            return replace(looks, is_hidden=True)
        looks = replace(looks, colour=looks.colour if "inherit" in text else _colour(text))
    for text in _GROUND.findall(declarations):
        if not _is_transparent(text) and "none" not in text and "inherit" not in text:
            looks = replace(looks, ground=None if "url" in text or "gradient" in text else _colour(text))
    return looks


def _is_transparent(text: str) -> bool:
    if "transparent" in text:
        return True
    if digits := _DIGITS.search(text):
        alpha = digits[1][6:] or digits[1][3:] * 2 if len(digits[1]) in (4, 8) else "ff"
        return int(alpha[:2], 16) < MIN_CONTRAST
    function = _FUNCTION.search(text)
    return function is not None and bool(function[4]) and _number(function[4]) < (10 if function[5] else 0.1)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0


def _colour(text: str) -> Colour | None:
    if digits := _DIGITS.search(text):
        pairs = [pair * 2 for pair in digits[1][:3]] if len(digits[1]) < 6 else re.findall("..", digits[1])
        red, green, blue = (int(pair, 16) for pair in pairs[:3])
        return red, green, blue
    if function := _FUNCTION.search(text):
        red, green, blue = (min(255, int(part[:4])) for part in function.groups()[:3])
        return red, green, blue
    return next((_KEYWORDS[word] for word in re.findall("[a-z]+", text) if word in _KEYWORDS), None)
