"""The service: OpenAI's, Ollama's and MCP's ways of talking, in front of one engine and the owners' concepts.

Everything here needs the extra `ego-vlm[server]`.
"""
