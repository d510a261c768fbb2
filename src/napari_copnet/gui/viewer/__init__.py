"""What docks do with napari's viewer: add stacks, find and place layers, move the camera.

The layers of a run are known by their role, not by their name; arrays of layers are computed for
the slice in view; a second canvas can be opened beside the first.
"""
