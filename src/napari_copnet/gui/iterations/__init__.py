"""The dock that looks through the iterations of a closing.

It scrubs through them, compares two side by side, marks what came and went and when each gap
closed, and scores every iteration against a truth.
"""
