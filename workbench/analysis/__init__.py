"""Questions to a network or an image; works on any `nn.Module` and plain tensors."""
