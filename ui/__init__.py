"""All that draws: navigation, guard, components, and the HTTP face. Knows no tensors, no SQL."""
