"""Engines: what answers a conversation with an owner's memories in mind."""
