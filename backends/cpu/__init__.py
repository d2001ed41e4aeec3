"""C++ of the nest dialect. `device` is the manifest of the kind `cpu`."""
