"""What operators and functions of elements compute: of constants, and as operations."""
