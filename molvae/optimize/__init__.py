"""Better molecules by any score: goals, proposals from the model, a surrogate, and the loop."""
