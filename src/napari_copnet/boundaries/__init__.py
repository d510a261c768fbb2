"""Boundaries between cells as things to judge: walls that are drawn and walls that may be missing.

For every pair of neighbouring parts of a slice it measures what speaks for and against a wall
between them (shapes, the contour probability, the image, the slices around), and judges with
trees that were fitted beforehand. Closing takes likely gaps from here, the proofreading queue its
suspects. Nothing here runs a network or changes a contour.
"""
