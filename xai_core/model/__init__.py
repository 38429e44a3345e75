"""A model as a site states it: card, weights, input and answer."""
