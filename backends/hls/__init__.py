"""HLS C++ projects of the fpga dialect. `device` is the manifest of the kind `fpga`."""
