// Writing: saved by itself.
