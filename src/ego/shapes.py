"""Axis words used in every tensor signature.

layer    selected attention layers of the language model
head     query heads of one layer
keyword  tokens of the description that name the subject
token    generated tokens
visual   visual tokens of one image, in the order the projector gives them
kept     visual tokens that a memory keeps
dim      width of the language model
level    DeepStack levels (0 where a family has none)
box      x0, y0, x1, y1 in fractions of the image, origin top left
rows cols    the token grid of one view, raster order
height width pixels
view     reference images of one concept, or tiles of one image
concept  remembered concepts
prompt   prompts of one batch
vocab    words of the model's vocabulary
"""
