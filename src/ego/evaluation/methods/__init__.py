"""Ways to make a model know a concept, ours and others', behind one interface (see `base.Method`)."""
