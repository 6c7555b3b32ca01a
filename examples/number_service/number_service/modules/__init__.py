"""The parts of the site: every package here with a ``module`` is served."""
