"""The page: add things, see who is where and why, correct, chat, look through albums. A leaf over the personalizer."""
