"""What a model looks at, and where its features lie."""
