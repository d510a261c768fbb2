"""The dock that runs the pipeline: stack, preprocess, contours, closing and cells, in this order.

It takes an image layer, shows the settings of each stage and what the stage did, and adds results
to the viewer as they grow. Plain edits of the contour and the choice of a size belong to it too.
"""
