"""Proofreading without a window: a session of contours, cells and marks, its edits and its queue.

Every edit is a value that knows its inverse and is durable before it counts as saved; cells follow
the contour after each one. `queue` lists likely errors first, `edit_tools` turn gestures into
edits, `recover` saves what can be saved of a damaged session. The window of
`napari_copnet.gui.proofreading` and commands work on the same session.
"""
