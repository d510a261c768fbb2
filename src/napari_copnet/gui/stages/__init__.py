"""The one dock of the plugin: its stages in the order of work, with Teach beside them.

`stage_list.STAGES` says which there are. A stage is a line while others are at work, and unfolds
the panel of another folder when it is its turn.
"""
