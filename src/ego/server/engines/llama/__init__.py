"""The engine that lets llama.cpp speak: prompts go in as rows, words come out."""
