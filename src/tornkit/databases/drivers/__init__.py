"""The drivers' connections, made to keep deadlines; each is imported when its scheme is used."""
