"""The dock in which corrections teach the networks, one module for each of its sections.

Slices are chosen, corrected and checked, a training is begun and watched, the new model is compared
with the old one, and models are adopted or handed on. The work is done by `napari_copnet.teaching`.
"""
