"""Widgets that several docks use: forms built from `params`, sections, sliders, plots, lists."""
