"""Walls between cells, drawn or possibly missing, and the decision whether they are real.

For every pair of neighbouring parts of a slice, features of the wall between them are measured
(shapes, the contour probability, the image, the neighbouring slices), and fitted decision trees
judge it. Closing gets its likely gaps from here, and the review queue its candidates. Nothing here
runs a network or changes a contour.
"""
