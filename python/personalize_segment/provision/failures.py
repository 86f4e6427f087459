"""Known failure reasons of Personalize, and their remedies."""

from botocore.exceptions import ClientError

#: A part of the reason -> the remedy. Sources: the developer guide and AWS's public threads.
FIXES = (
    (
        "Insufficient privileges",
        "Allow role_arn s3:GetObject and s3:ListBucket, and add the bucket policy that allows Personalize to read the "
        "bucket. If a KMS key encrypts the bucket, allow both to use it",
    ),
    ("Invalid Data location", "Check the location: a folder that exists, in a bucket of the same region"),
    ("missing the following columns", "Export again with the mapping of this spec"),
    ("not in the schema", "Export again with the mapping of this spec"),
    ("expression", "Fix the expression in the spec. docs/emulator.md lists the syntax that the emulator supports"),
    ("does not match", "Export again with the mapping of this spec"),
    ("1000", "Personalize needs at least 1,000 interactions. Export a longer window"),
    ("25 ", "Personalize needs at least 25 users with two interactions each. Export a longer window"),
    ("characters", "Export again: exports keep texts within 256 characters"),
    ("not authorized", "Check the role's permissions, and that you may pass it (iam:PassRole)"),
    ("limit", "Request a higher quota in Service Quotas, or delete unused resources"),
)


def remedy(reason: str) -> str:
    """Return the remedy for a failure reason."""
    fixes = (fix for part, fix in FIXES if part.lower() in reason.lower())
    return next(
        fixes,
        "Find the reason in Amazon Personalize's troubleshooting pages, fix it and rerun the command",
    )


def code_and_message(error: ClientError) -> tuple[str, str]:
    """Return the error code and message of a call that AWS refused."""
    return error.response["Error"]["Code"], error.response["Error"].get("Message", "")
