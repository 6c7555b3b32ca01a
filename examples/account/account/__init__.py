"""Accounts as a JSON API, and a single-page client of it."""
