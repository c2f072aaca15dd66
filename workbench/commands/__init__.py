"""The commands of `ferscope`, one module each."""
