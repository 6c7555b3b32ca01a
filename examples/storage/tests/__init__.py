"""What the API does, with the real databases behind it and without some of them."""
