"""The dock for proofreading: a session in the window, its tools, queue, keys and history.

A session itself (`napari_copnet.proofreading`) knows nothing of a window. Here strokes and clicks
become its edits, its edits become pixels of layers, and its queue is walked by keys.
"""
