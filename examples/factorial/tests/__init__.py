"""What the page and the API do, with Redis and without."""
