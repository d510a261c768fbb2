"""Colours of words and signs that can be read on napari's dark and on its light theme."""

from __future__ import annotations

from typing import Any

# Each at least 4.5:1 on the backgrounds of its theme.
_DARK = {
    "quiet": "#aab0ba",
    "wrong": "#ff8a65",
    "ask": "#ffb74d",
    "now": "#4fc3f7",
    "done": "#81c784",
    "waiting": "#a0a6b0",
}
_LIGHT = {
    "quiet": "#454a52",
    "wrong": "#a52a00",
    "ask": "#7a4300",
    "now": "#015c8f",
    "done": "#1b5e20",
    "waiting": "#4f545c",
}
_tones = _DARK


def follow_theme(theme: Any) -> None:
    """Take the colours that can be read on a theme of napari, by its name."""
    global _tones
    _tones = _LIGHT if is_light(theme) else _DARK


def is_light(theme: Any) -> bool:
    """Return whether a theme of napari, by its name, has a light background."""
    from napari.utils.theme import get_theme

    background = get_theme(str(theme)).background
    red, green, blue = background.as_rgb_tuple()[:3]
    return bool(0.3 * red + 0.6 * green + 0.1 * blue > 127)


def colour(tone: str) -> str:
    """Return the colour of a tone on the theme in use."""
    return _tones[tone]


def sheet() -> str:
    """Return the style sheet of a dock: labels have their colour by the property ``tone``."""
    rules = (f'QLabel[tone="{tone}"] {{ color: {value}; }}' for tone, value in _tones.items())
    return "\n".join(rules)


def set_tone(label: Any, tone: str) -> None:
    """Give a label the colour of a tone, on whichever theme."""
    if label.property("tone") != tone:
        label.setProperty("tone", tone)
        style = label.style()
        if style is not None:
            style.unpolish(label)
            style.polish(label)
