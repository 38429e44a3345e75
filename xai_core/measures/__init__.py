"""How far a map can be trusted: measures of a map alone, of map and model, and what they say.

Cheap enough to run with every map: `maps`, `faithfulness`, `infidelity`. Only where time does not
matter, for they explain the image again and again: `stability`, `randomisation`. `assess` runs
the former and `thorough` the latter, `badges` turns the numbers into one badge and its reasons, and
`disagreement` draws where two maps differ. Every measure states what a map that knows nothing
reaches.

`maps`, `badges`, `similarity` and `disagreement` need no PyTorch.
"""
