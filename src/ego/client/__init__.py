"""A client of the service, with the same verbs as the library."""
