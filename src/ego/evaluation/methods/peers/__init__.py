"""Other people's ways to personalize a model, re-implemented from their papers on the same backbone.

Each module says what it keeps of the original and what not. None of the authors' code or fine-tuned weights is in here.
"""
