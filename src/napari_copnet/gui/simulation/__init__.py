"""The dock for simulated gaps: true contours degraded live, and settings fitted to real gaps."""
