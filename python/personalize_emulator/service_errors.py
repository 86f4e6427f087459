"""The service's errors: a code and a message, as in AWS.

They are the emulator's wire format, not exceptions of ours. A client gets botocore's ClientError.
"""


class ServiceError(Exception):
    """An error response. `code` is the exception's name in the service model. `status` overrides the model's."""

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def invalid(message: str) -> ServiceError:
    """Return InvalidInputException."""
    return ServiceError("InvalidInputException", message)


def not_found(arn: str) -> ServiceError:
    """Return ResourceNotFoundException about an ARN."""
    return ServiceError("ResourceNotFoundException", f"Resource Arn {arn} does not exist.")


def in_use(message: str) -> ServiceError:
    """Return ResourceInUseException."""
    return ServiceError("ResourceInUseException", message)


def already_exists(message: str) -> ServiceError:
    """Return ResourceAlreadyExistsException."""
    return ServiceError("ResourceAlreadyExistsException", message)


def unsupported(what: str) -> ServiceError:
    """Return the one error code that AWS doesn't have, for a feature that the emulator lacks."""
    return ServiceError("UnsupportedOperationException", f"The emulator does not support {what}.")
