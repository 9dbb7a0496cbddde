"""A stock vLLM server as the engine: memories travel as `prompt_embeds` parts of a chat, beside the picture."""
