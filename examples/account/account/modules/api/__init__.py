"""The API; each package here is served under /api/ and its name."""
