"""The control: the path in force, or what stands in its place. One module per control mode."""
