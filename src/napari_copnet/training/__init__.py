"""Training of contour and closing networks, from annotated stacks and synthetic tissue.

Sources become cases on the disk, true contours are degraded anew for every patch of a closing
network, and nnU-Net's trainer runs in one child process that can be stopped, killed and resumed.
"""
