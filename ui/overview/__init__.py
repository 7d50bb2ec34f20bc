"""The Overview: pictures of what the app is for."""
