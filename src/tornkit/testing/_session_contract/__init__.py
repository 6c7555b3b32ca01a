"""The behaviours of `tornkit.testing.SessionStoreContract`, by what they are about."""
