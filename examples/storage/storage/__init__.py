"""A bookshop that keeps its things in PostgreSQL, MongoDB, Redis and another service."""
