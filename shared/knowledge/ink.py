"""Which glyphs of a page a reader sees: those without which the page would look different.

This covers every way to hide text that ends in the picture of the page: white or transparent text, render mode 3, a
clip, an optional layer, a place off the page, an image above. No way needs a rule of its own.
"""

import math

from shared.knowledge.pdfium import BYTES_PER_PIXEL, Box, Page, Picture
from shared.knowledge.web_looks import MIN_CONTRAST

# Pixels per point: first a coarse picture, then a fine one for the glyphs that it does not show.
SCALES = (1.5, 4.0)
# Points. The letters of a two-point font are about this high; squeezed letters are this narrow on average.
MIN_HEIGHT, MIN_WIDTH = 1.1, 0.25
# Pictures per page. Text that is stacked deeper is not seen.
MAX_LAYERS = 8
# Share of a glyph's box at each side that may touch other text.
_MARGIN = 0.15
# Points. The ink of a neighbour may blur into this much of a coarse picture.
_PIXEL = 0.5
# Cells of the longer side of a page. On a larger page the cells grow, so that memory does not.
MAX_CELLS = 3000


def seen_glyphs(page: Page) -> list[bool]:
    """Return for each glyph of the page whether a reader sees it. Spaces count as seen."""
    glyphs = page.glyphs
    seen = [glyph.owner is None or glyph.char.isspace() for glyph in glyphs]
    owned: dict[int, list[int]] = {}
    for index, glyph in enumerate(glyphs):
        if glyph.owner is not None and glyph.owner in page.texts and not seen[index]:
            owned.setdefault(glyph.owner, []).append(index)
    boxes = {owner: [glyphs[index].box for index in indexes] for owner, indexes in owned.items()}
    letters = {
        owner: [glyphs[index].box for index in indexes if glyphs[index].char.isalnum()]
        for owner, indexes in owned.items()
    }
    legible = {owner: boxes[owner] for owner in owned if _is_legible(boxes[owner], letters[owner])}
    layers = _layers(page, legible)
    waiting = {frozenset(layer): [index for owner in layer for index in owned[owner]] for layer in layers}
    for scale in SCALES:
        if not any(waiting.values()):
            break
        full = page.draw(scale)
        for layer, indexes in waiting.items():
            if indexes:
                rest = page.draw(scale, layer)
                for index in indexes:
                    seen[index] = _differs(full, rest, glyphs[index].box)
                waiting[layer] = [index for index in indexes if not seen[index]]
    return seen


def _is_legible(boxes: list[Box], letters: list[Box]) -> bool:
    """Decide whether a text is large enough, and runs one way: glyphs that it prints on its own glyphs are a blot."""
    sizes = [(right - left, bottom - top) for left, top, right, bottom in letters]
    if sizes and sum(map(max, sizes)) < MIN_HEIGHT * len(sizes):
        return False
    if len(sizes) > 3 and sum(map(min, sizes)) < MIN_WIDTH * len(sizes):
        return False
    middles = [complex(left + right, top + bottom) / 2 for left, top, right, bottom in boxes]
    start = middles[0]
    end = max(middles, key=lambda middle: abs(middle - start))
    way = (end - start) / (abs(end - start) or 1.0)
    reached, back = 0.0, max(max(right - left, bottom - top) for left, top, right, bottom in boxes)
    for middle in middles:
        along = ((middle - start) * way.conjugate()).real
        if along < reached - back:
            return False
        reached = max(reached, along)
    return True


def _layers(page: Page, texts: dict[int, list[Box]]) -> list[list[int]]:
    """Divide texts into layers, so that no text of a layer touches another one of it.

    Each layer is left out of the picture by itself. Together with the text that covers it, a text would seem seen.
    """
    grid = _Grid(page)
    layers: list[tuple[list[int], _Area, _Area]] = []
    for owner, boxes in texts.items():
        outer, inner = grid.area(_around(boxes)), grid.area(_grown(_around(list(map(_inner, boxes)))))
        for layer in layers:
            if not (_touch(layer[1], inner) or _touch(layer[2], outer)):
                break
        else:
            if len(layers) == MAX_LAYERS:
                continue
            layer = ([], {}, {})
            layers.append(layer)
        layer[0].append(owner)
        _add(layer[1], outer)
        _add(layer[2], inner)
    return [owners for owners, _, _ in layers]


# Row -> a bit for each cell that is occupied.
_Area = dict[int, int]


class _Grid:
    """The cells of a page: half a point, larger on a very large page."""

    def __init__(self, page: Page) -> None:
        self._per_point = min(2.0, MAX_CELLS / max(page.width, page.height))
        self._columns, self._rows = (math.ceil(side * self._per_point) for side in (page.width, page.height))

    def area(self, box: Box) -> _Area:
        """Return the cells that a box touches."""
        left, top, right, bottom = (edge * self._per_point for edge in box)
        first, last = max(0, math.floor(left)), min(self._columns, math.ceil(right))
        bits = ((1 << max(0, last - first)) - 1) << first
        return dict.fromkeys(range(max(0, math.floor(top)), min(self._rows, math.ceil(bottom))), bits)


def _touch(area: _Area, other: _Area) -> bool:
    return any(area.get(row, 0) & bits for row, bits in other.items())


def _add(area: _Area, other: _Area) -> None:
    for row, bits in other.items():
        area[row] = area.get(row, 0) | bits


def _around(boxes: list[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _inner(box: Box) -> Box:
    """Return the middle of a glyph's box, which the ink of other text does not touch."""
    left, top, right, bottom = box
    across, down = _MARGIN * (right - left), _MARGIN * (bottom - top)
    return left + across, top + down, right - across, bottom - down


def _grown(box: Box) -> Box:
    left, top, right, bottom = box
    return left - _PIXEL, top - _PIXEL, right + _PIXEL, bottom + _PIXEL


def _differs(full: Picture, rest: Picture, box: Box) -> bool:
    """Decide whether two pictures differ within a box, by a contrast that is seen."""
    left, top, right, bottom = (edge * full.scale for edge in _inner(box))
    first = BYTES_PER_PIXEL * max(0, math.floor(left))
    last = BYTES_PER_PIXEL * min(full.width, max(math.floor(left) + 1, round(right)))
    for row in range(max(0, math.floor(top)), min(full.height, max(math.floor(top) + 1, round(bottom)))):
        start, end = row * full.stride + first, row * full.stride + last
        one, other = full.pixels[start:end], rest.pixels[start:end]
        if one != other and any(abs(a - b) >= MIN_CONTRAST for a, b in zip(one, other, strict=True)):
            return True
    return False
