"""The offices' side: it stands on `app`, and nothing of `app` knows it."""
