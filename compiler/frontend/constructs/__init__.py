"""What the built-in functions mean: each file has the rule of one and the operations that it becomes."""
