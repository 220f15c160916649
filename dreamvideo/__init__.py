"""DeepDream for moving pictures."""
