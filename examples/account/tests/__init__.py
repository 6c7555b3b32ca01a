"""What the API and its page do."""
