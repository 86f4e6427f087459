"""Failure reasons that Personalize is known to give, and what to do about them."""

from botocore.exceptions import ClientError

#: A part of the reason -> the remedy. Sources: the developer guide and AWS's public threads.
FIXES = (
    (
        "Insufficient privileges",
        "Give role_arn s3:GetObject and s3:ListBucket, and the bucket the policy that lets Personalize read it "
        "(and both the KMS key, if there is one)",
    ),
    ("Invalid Data location", "Check the location: a folder that exists, in a bucket of the same region"),
    ("missing the following columns", "Export again with the mapping of this spec"),
    ("not in the schema", "Export again with the mapping of this spec"),
    ("expression", "Mend the expression in the spec; docs/emulator.md names what the emulator understands"),
    ("does not match", "Export again with the mapping of this spec"),
    ("1000", "Personalize needs at least 1,000 interactions: export a longer window"),
    ("25 ", "Personalize needs at least 25 users with two interactions each: export a longer window"),
    ("characters", "Export again: the contract keeps texts within 256 characters"),
    ("not authorized", "Check the role's permissions, and that you may pass it (iam:PassRole)"),
    ("limit", "Ask for a higher quota in Service Quotas, or delete what isn't needed"),
)


def remedy(reason: str) -> str:
    """Return what to do about a failure."""
    fixes = (fix for part, fix in FIXES if part.lower() in reason.lower())
    return next(
        fixes,
        "Look it up in the troubleshooting pages of Amazon Personalize, mend it and run the command again",
    )


def code_and_message(error: ClientError) -> tuple[str, str]:
    """Return what AWS said when it refused a call."""
    return error.response["Error"]["Code"], error.response["Error"].get("Message", "")
