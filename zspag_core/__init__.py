"""The engine: zero-shot machine unlearning with proxy adversarial data (Chen et al., ZS-PAG)."""
