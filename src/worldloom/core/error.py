"""The two ways a request ends badly, told apart because the command line answers them with different exit codes."""


class UsageError(ValueError):
    """The request is wrong or impossible (exit code 2); one sentence with the actual and the allowed values."""


class Failure(RuntimeError):
    """The request was sound and could not be carried out (exit code 1): a corrupt checkpoint, a full disk."""
