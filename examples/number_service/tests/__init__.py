"""What the API, the pages and the tasks do."""
