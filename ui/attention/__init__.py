"""The Attention page: where models look, before and after."""
