"""C++ text that every device programmed in C++ shares: names, numbers and expressions."""
