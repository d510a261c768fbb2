"""Where the arrays of a run live, and which of its blocks are done.

A step works on blocks of slices. What has the size of the stack lies in arrays that its `Stage`
makes: in memory (`memory`), or as chunks in a folder (`folder`). `blocks.over_blocks` runs a
function over all blocks, and keeps the few numbers that each returns, so that a run that was
stopped goes on at its block. The same functions run on other machines (`distributed`).
"""
