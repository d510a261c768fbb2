"""Work beside the window: generators of `Progress` in threads, queues, and work in small pieces.

Whatever takes longer than a frame goes through here, so that the window stays quick, every job can
be cancelled, and an error becomes a sentence in the dock.
"""
