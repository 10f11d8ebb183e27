"""molvae in the shapes that other toolkits expect, and their scores in ours; none is imported."""
