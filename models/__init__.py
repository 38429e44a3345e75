"""The demo models: cards, small weights, and the script that trains them."""
