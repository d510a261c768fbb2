"""What the user set under Preferences > Plugins; defaults where napari has no such page yet."""

from __future__ import annotations

from pathlib import Path

_PLUGIN = "napari-copnet"
ANSWER_SECONDS = 0.4


def device() -> str:
    """Return the device that networks shall run on: one of the choices of `DeviceParams`."""
    return str(_setting("device") or "auto")


def answer_seconds() -> float:
    """Return for how long what an answer to the review queue did is shown, s; 0 for not at all."""
    chosen = _setting("answer_seconds")
    return max(float(chosen), 0.0) if isinstance(chosen, int | float) else ANSWER_SECONDS


def cache_folder() -> Path:
    """Return where downloaded samples are kept."""
    chosen = str(_setting("cache_folder") or "").strip()
    if chosen:
        return Path(chosen).expanduser()
    import pooch

    return Path(pooch.os_cache(_PLUGIN))


def _setting(name: str) -> object:
    try:
        from napari.settings import get_plugin_settings
    except ImportError:  # before napari 0.9
        return None
    try:
        return getattr(get_plugin_settings(_PLUGIN).general, name)
    except (KeyError, AttributeError):  # the plugin is not registered, as in a bare test
        return None
