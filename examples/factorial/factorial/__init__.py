"""A site that computes factorials beside its event loop, and remembers them."""
