"""A site that takes numbers apart in the background."""
