"""The two ways a request ends badly; the command line answers them with different exit codes."""


class UsageError(ValueError):
    """The request is wrong or impossible (exit code 2); one sentence, actual and allowed values."""


class Failure(RuntimeError):
    """The request was sound and could not be carried out (exit code 1): a corrupt checkpoint, a full disk."""
