"""Long work in many pieces: batched, resumable, each result written exactly once; on one device or on many."""
