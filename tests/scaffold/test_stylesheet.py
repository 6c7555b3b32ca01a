"""The stylesheet: readable in the light and in the dark, whatever the hue of a module."""

from __future__ import annotations

import math
import re

import pytest

from tests.scaffold.helpers import answers
from tornkit.scaffold.hues import HUES, SITE_HUE
from tornkit.scaffold.plan import plan_project

CSS = plan_project(answers("short", "none", "minimal"), "1")["s/static/style.css"].decode()
COLOUR = re.compile(r"--([\w-]+): oklch\(([\d.]+)% ([\d.]+) (?:var\(--hue\)|([\d.]+))\);")
# Text on what it stands on; 4.5 is level AA of WCAG 2.2 for text, 3 for the edges of fields.
PAIRS = [
    (text, ground, 4.5)
    for text in ("ink", "ink-soft", "accent", "accent-strong", "danger")
    for ground in ("paper", "surface")
] + [
    ("on-accent", "accent", 4.5),
    ("on-accent", "accent-strong", 4.5),
    ("ink", "wash", 4.5),
    ("ink-soft", "wash", 4.5),
    ("danger", "danger-wash", 4.5),
    ("line-strong", "surface", 3.0),
    ("line-strong", "paper", 3.0),
]


def luminance(lightness: float, chroma: float, hue: float) -> float:
    """Return the relative luminance of an OKLCH colour, clipped to sRGB."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short
    red, green, blue = (min(max(part, 0.0), 1.0) for part in (red, green, blue))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: float, other: float) -> float:
    light, dark = max(one, other), min(one, other)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_whatever_the_hue(scheme: str) -> None:
    first, _, second = CSS.partition("prefers-color-scheme: dark")
    found = COLOUR.findall(first if scheme == "light" else second)
    colours = {name: (float(light), float(chroma), own) for name, light, chroma, own in found}
    for hue in (SITE_HUE, *HUES):
        values = {
            name: luminance(lightness / 100, chroma, float(own or hue))
            for name, (lightness, chroma, own) in colours.items()
        }
        for text, ground, least in PAIRS:
            ratio = contrast(values[text], values[ground])
            assert ratio >= least, f"{scheme}, hue {hue}: {text} on {ground} is {ratio:.2f}"


def test_the_site_has_its_own_hue() -> None:
    assert re.findall(r"--hue: (\d+);", CSS) == [str(SITE_HUE)]


def test_nothing_is_fetched_from_elsewhere() -> None:
    for path, content in plan_project(answers("short", "all", "default"), "1").items():
        if path.endswith((".html", ".css", ".svg")):
            addresses = re.findall(rb"https?://[^\"' )]+", content)
            assert set(addresses) <= {b"http://www.w3.org/2000/svg"}, path
            assert b"<script" not in content
            assert b"style=" not in content
