"""Files of a run's or a session's cells for other programs."""
