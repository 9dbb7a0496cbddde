"""Every error Ego raises, as one tree; each kind knows the exit code of the command line.

EgoError                      1
OutputError                 1   what was to be said or written cannot be written
InputError                  2   what the caller handed over cannot be used
ConceptNameError
ImageError
VideoError
WrongTypeError, NoImageError     also a TypeError
ConfigError
DatasetError
UnknownConceptError         3   no such concept in the store
DuplicateConceptError       3   the name is taken
MemoryFileError             4   a stored memory cannot be used
DamagedMemoryError
ForeignMemoryError
StoreError                  5   the folder of memories cannot be read or written
BackboneError               6   the model cannot be loaded or used
SelfCheckError
SelectionError              7   no visual token could be chosen
ContextBudgetError          7   the prompt does not fit
"""


class EgoError(Exception):
    """Base of all errors of this package. The message says what was given, what was expected and what to do."""

    exit_code = 1


class OutputError(EgoError):
    """Something that was to be said or written cannot be written."""


class InputError(EgoError):
    """What the caller handed over cannot be used."""

    exit_code = 2


class WrongTypeError(InputError, TypeError):
    """A value is of another type than the one that is needed."""


class ConceptNameError(InputError):
    """A concept name is empty, too long, or holds characters that would break a prompt or a file."""


class ImageError(InputError):
    """An image is missing, unreadable, not an image, or too large."""


class NoImageError(ImageError, WrongTypeError):
    """A value is of a type that no image can be read from."""


class VideoError(InputError):
    """A video is missing, unreadable, or has no frames."""


class ConfigError(InputError):
    """A setting is out of range or contradicts another one."""


class DatasetError(InputError):
    """An evaluation data set is missing, half downloaded, or not in the expected form."""


class UnknownConceptError(EgoError):
    """No concept of that name is remembered."""

    exit_code = 3


class DuplicateConceptError(EgoError):
    """A concept of that name is remembered already."""

    exit_code = 3


class MemoryFileError(EgoError):
    """A stored memory cannot be used."""

    exit_code = 4


class DamagedMemoryError(MemoryFileError):
    """A memory file is truncated, altered, or of an unknown version."""


class ForeignMemoryError(MemoryFileError):
    """A memory was made with another model, projector or image processing."""


class StoreError(EgoError):
    """The folder of memories cannot be read or written."""

    exit_code = 5


class BackboneError(EgoError):
    """A model cannot be loaded or used as a backbone."""

    exit_code = 6


class SelfCheckError(BackboneError):
    """The model answers an all-token memory differently from the plain image: something drifted."""


class SelectionError(EgoError):
    """No visual token could be chosen."""

    exit_code = 7


class ContextBudgetError(EgoError):
    """The prompt does not fit into the context of the model."""

    exit_code = 7
