"""Questions to a network or a picture; works on any `nn.Module` and plain tensors."""
