"""Analyses of a network or an image; they work on any `nn.Module` and plain tensors."""
