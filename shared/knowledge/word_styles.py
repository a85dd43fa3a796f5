"""How a run of a Word document looks: size, colour and ground, by its styles and theme (ECMA-376-1, 17.3 and 17.7)."""

from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from shared.knowledge.web_looks import MIN_CONTRAST

_NAMESPACES = (
    "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}",
    "{http://purl.oclc.org/ooxml/wordprocessingml/main}",
)
_PLAIN_NAMESPACES = (
    "{http://schemas.openxmlformats.org/package/2006/content-types}",
    "{http://schemas.openxmlformats.org/package/2006/relationships}",
    "{http://schemas.openxmlformats.org/drawingml/2006/main}",
    "{http://purl.oclc.org/ooxml/drawingml/main}",
)
_EFFECTS = "{http://schemas.microsoft.com/office/word/2010/wordml}"
# Half points: 1.5 points. Percent of the width of a letter.
MIN_SIZE, MIN_WIDTH = 3, 15
# Twips (twentieths of a point): the height of a line, the distance from the margin, the space between letters.
MIN_LINE, MIN_INDENT, MAX_INDENT, MIN_SPACING = 40, -1800, 20_000, -100
# Styles that are based on each other.
_MAX_CHAIN = 20
_THEME_NAMES = {
    "background1": "lt1", "light1": "lt1", "text1": "dk1", "dark1": "dk1", "background2": "lt2", "light2": "lt2",
    "text2": "dk2", "dark2": "dk2", "hyperlink": "hlink", "followedHyperlink": "folHlink",
    "bg1": "lt1", "tx1": "dk1", "bg2": "lt2", "tx2": "dk2",
}  # fmt: skip
# The parts of a table that a style may give looks of their own, the strongest last, and their bits (17.4.55).
_PARTS = {"firstColumn": "firstCol", "lastColumn": "lastCol", "firstRow": "firstRow", "lastRow": "lastRow"}
_PART_BITS = {"firstColumn": 0x80, "lastColumn": 0x100, "firstRow": 0x20, "lastRow": 0x40}
_HIGHLIGHTS = {
    "black": "000000", "blue": "0000FF", "cyan": "00FFFF", "green": "00FF00", "magenta": "FF00FF", "red": "FF0000",
    "yellow": "FFFF00", "white": "FFFFFF", "darkBlue": "000080", "darkCyan": "008080", "darkGreen": "008000",
    "darkMagenta": "800080", "darkRed": "800000", "darkYellow": "808000", "darkGray": "808080", "lightGray": "C0C0C0",
}  # fmt: skip
_OFF = ("0", "false", "off")

Colour = tuple[int, int, int]
_WHITE: Colour = (255, 255, 255)


def local(element: Element) -> str:
    """Return the name of an element of Word, "" of any other: Word passes over what it does not know."""
    for namespace in (*_NAMESPACES, *_PLAIN_NAMESPACES):
        if element.tag.startswith(namespace):
            return element.tag[len(namespace) :]
    return ""


def value(element: Element, name: str = "val") -> str:
    """Return an attribute of Word, "" without it."""
    return next((found for space in _NAMESPACES if (found := element.get(space + name)) is not None), "")


@dataclass(frozen=True)
class Looks:
    """What decides whether text is seen. `colour` None: one that Word chooses for its ground. `size`: half points."""

    colour: Colour | None = None
    ground: Colour = _WHITE
    size: float = 20
    width: float = 100
    is_hidden: bool = False
    # Of the place and not of the letters: a row without height, or a place off the page.
    is_away: bool = False

    def is_seen(self) -> bool:
        """Decide whether a reader sees text that looks so."""
        if self.is_hidden or self.is_away or self.size < MIN_SIZE or self.width < MIN_WIDTH:
            return False
        return self.colour is None or _contrast(self.colour, self.ground) >= MIN_CONTRAST


class Styles:
    """The styles of a document, its theme and its ground."""

    def __init__(self, styles: Element | None, theme: Element | None, document: Element) -> None:
        self._theme = _theme(theme)
        self._styles: dict[str, Element] = {}
        self._default: dict[str, str] = {}
        looks = Looks()
        for one in styles if styles is not None else ():
            if local(one) == "style":
                self._styles[value(one, "styleId")] = one
                if value(one, "default") not in ("", *_OFF):
                    self._default[value(one, "type")] = value(one, "styleId")
            elif local(one) == "docDefaults":
                for properties in one.iter():
                    if local(properties) in ("rPr", "pPr"):
                        looks = self._with_all_of(looks, properties)
        for child in document:
            if local(child) == "background":
                looks = replace(looks, ground=self._colour(child, "color", "theme") or looks.ground)
        self.page = looks

    def is_heading(self, paragraph: Element) -> bool:
        """Decide by the name of its style whether a paragraph is a heading."""
        style = self._styles.get(_style_of(paragraph, "pPr", "pStyle"))
        name = next((value(child) for child in style if local(child) == "name"), "") if style is not None else ""
        return name.lower().startswith(("heading", "title", "título", "titulo"))

    def of_table(self, table: Element, looks: Looks) -> Looks:
        """Return the looks in a table, but for its first and last rows and columns."""
        for style in self._chain(_style_of(table, "tblPr", "tblStyle"), "table"):
            looks = self._with_style(looks, style)
        return self._with(looks, table, "tblPr")

    def of_cell(self, table: Element, row: Element, cell: Element, parts: dict[str, bool], looks: Looks) -> Looks:
        """Return the looks in a cell. `parts`: whether it is in the firstColumn, lastColumn, firstRow, lastRow."""
        styles = self._chain(_style_of(table, "tblPr", "tblStyle"), "table")
        for part in (name for name, kind in _PARTS.items() if parts[name] and _has_part(table, name)):
            for one in (child for style in styles for child in style if local(child) == "tblStylePr"):
                if value(one, "type") == _PARTS[part]:
                    looks = self._with_style(looks, one)
        return self._with(self._with(looks, row, "trPr"), cell, "tcPr")

    def of_paragraph(self, paragraph: Element, looks: Looks) -> Looks:
        """Return the looks of a paragraph's runs."""
        for style in self._chain(_style_of(paragraph, "pPr", "pStyle"), "paragraph"):
            looks = self._with_style(looks, style)
        return self._with(looks, paragraph, "pPr")

    def of_run(self, run: Element, looks: Looks) -> Looks:
        """Return the looks of a run."""
        for style in self._chain(_style_of(run, "rPr", "rStyle"), "character"):
            looks = self._with_style(looks, style)
        return self._with(looks, run, "rPr")

    def _chain(self, name: str, kind: str) -> list[Element]:
        """Return a style and those that it is based on, the named one last."""
        chain: list[Element] = []
        name = name or self._default.get(kind, "")
        while name in self._styles and self._styles[name] not in chain and len(chain) < _MAX_CHAIN:
            chain.append(self._styles[name])
            name = next((value(child) for child in chain[-1] if local(child) == "basedOn"), "")
        return chain[::-1]

    def _with_style(self, looks: Looks, style: Element) -> Looks:
        for name in ("tblPr", "tcPr", "pPr", "rPr"):
            looks = self._with(looks, style, name)
        return looks

    def _with(self, looks: Looks, element: Element, name: str) -> Looks:
        for child in element:
            if local(child) == name:
                looks = self._with_all_of(looks, child)
        return looks

    def _with_all_of(self, looks: Looks, properties: Element) -> Looks:
        for one in properties:
            looks = self._with_one(looks, one)
        return looks

    def _with_one(self, looks: Looks, one: Element) -> Looks:
        match local(one):
            case "vanish" | "hidden":
                return replace(looks, is_hidden=value(one) not in _OFF)
            case "color":
                return replace(looks, colour=self._colour(one, "val", "theme"))
            case "sz":
                return replace(looks, size=_number(value(one), looks.size))
            case "w":
                return replace(looks, width=_number(value(one).rstrip("%"), looks.width))
            case "shd":
                return replace(looks, ground=self._shade(one) or looks.ground)
            case "highlight":
                return replace(looks, ground=_hex(_HIGHLIGHTS.get(value(one), "")) or looks.ground)
            case "ind" | "spacing" | "trHeight" | "framePr":
                return replace(looks, is_away=looks.is_away or _is_away(one))
            case _ if one.tag == f"{_EFFECTS}textFill":
                return self._with_fill(looks, one)
        return looks

    def _with_fill(self, looks: Looks, fill: Element) -> Looks:
        """Apply the fill of an effect, which replaces the colour."""
        for one in fill.iter():
            name, given = one.tag.removeprefix(_EFFECTS), one.get(f"{_EFFECTS}val") or ""
            if name == "noFill" or (name == "alpha" and _number(given, 0) >= 90_000):
                return replace(looks, is_hidden=True)
            if name == "srgbClr":
                looks = replace(looks, colour=_hex(given))
            elif name == "schemeClr":
                looks = replace(looks, colour=self._theme.get(_THEME_NAMES.get(given, given)))
        return looks

    def _shade(self, shade: Element) -> Colour | None:
        """Return the ground of a shading: its fill, or its colour if the pattern is solid."""
        is_solid = value(shade) == "solid"
        return self._colour(shade, "color", "theme") if is_solid else self._colour(shade, "fill", "themeFill")

    def _colour(self, element: Element, plain: str, theme: str) -> Colour | None:
        """Return a colour of the theme or, without one, of six digits."""
        name = value(element, "themeColor" if theme == "theme" else theme)
        colour = self._theme.get(_THEME_NAMES.get(name, name))
        if colour is None:
            return _hex(value(element, plain))
        if tint := value(element, f"{theme}Tint"):
            colour = _blend(colour, _number(tint, 255, 16) / 255, 255)
        if shade := value(element, f"{theme}Shade"):
            colour = _blend(colour, _number(shade, 255, 16) / 255, 0)
        return colour


def _is_away(one: Element) -> bool:
    """Decide whether a property moves text off the page, or takes its height or its width."""
    match local(one):
        case "ind":
            left = max((_number(value(one, side), 0) for side in ("left", "start")), key=abs)
            return not MIN_INDENT <= left - _number(value(one, "hanging"), 0) <= MAX_INDENT
        case "framePr":
            edges = [_number(value(one, edge), 0) for edge in ("x", "y")]
            return min(edges) < MIN_INDENT or max(edges) > MAX_INDENT
        case "spacing" if value(one):  # between letters
            return _number(value(one), 0) < MIN_SPACING
        case _:
            is_exact = "exact" in (value(one, "lineRule"), value(one, "hRule"))
            return is_exact and _number(value(one, "line") or value(one), MIN_LINE) < MIN_LINE


def _style_of(element: Element, properties: str, name: str) -> str:
    """Return the name of the style that an element is given, "" without one."""
    named = (one for part in element if local(part) == properties for one in part if local(one) == name)
    return next(map(value, named), "")


def _has_part(table: Element, part: str) -> bool:
    """Decide whether a table takes the looks of a part from its style."""
    for look in (one for properties in table if local(properties) == "tblPr" for one in properties):
        if local(look) == "tblLook":
            if given := value(look, part):
                return given not in _OFF
            return bool(int(_number(value(look), 0, 16)) & _PART_BITS[part])
    return False


def _theme(theme: Element | None) -> dict[str, Colour]:
    """Return the colours of a theme by their names."""
    colours: dict[str, Colour] = {"lt1": _WHITE, "dk1": (0, 0, 0)}
    for scheme in theme.iter() if theme is not None else ():
        if local(scheme) == "clrScheme":
            for named, given in ((one, given) for one in scheme for given in one):
                if colour := _hex(given.get("lastClr") or given.get("val") or ""):
                    colours[local(named)] = colour
    return colours


def _hex(text: str) -> Colour | None:
    try:
        red, green, blue = bytes.fromhex(text)
    except ValueError:
        return None
    return red, green, blue


def _number(text: str, default: float, base: int = 10) -> float:
    try:
        return float(int(text, base))
    except (ValueError, OverflowError):
        return default


def _contrast(one: Colour, other: Colour) -> int:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _blend(colour: Colour, share: float, other: int) -> Colour:
    red, green, blue = (round(part * share + other * (1 - share)) for part in colour)
    return red, green, blue
