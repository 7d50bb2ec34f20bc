"""The Proxies page: a map of stand-ins among real images."""
