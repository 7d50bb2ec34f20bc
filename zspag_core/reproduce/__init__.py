"""The paper's tables and figures, repeated: every method in one harness, fairly tuned, as JSON and Markdown."""
