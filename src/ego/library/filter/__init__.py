"""One question: which concepts of a large library may be in this picture?

The score is that of `ego.similarity_filter`: for each row of a memory the best cosine over the picture's tokens,
averaged over the rows. It is a sum over rows, so with rows quantised to centroids a query computes the best cosine once
per centroid, adds up, and computes the score itself only for the best few hundred concepts.
"""
