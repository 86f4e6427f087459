"""Known causes why warehouses refuse a statement, with their remedies."""

import re
from collections.abc import Sequence

_COLUMNS = "Leave --columns out or save them again: the warehouse doesn't have, or doesn't show you, something in them"
_ROLE = (
    "Associate the role with the cluster or the namespace, and let redshift.amazonaws.com and"
    " redshift-serverless.amazonaws.com assume it"
)
_BUCKET = (
    "Give the role s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket there, and the key of the bucket's"
    " encryption if it has one"
)
_REGION = "Name the bucket's region with --bucket-region: Redshift assumes its own otherwise"
_SETUP = "Run the setup statements as ACCOUNTADMIN, and grant the integration's usage to your role"
_STAGE = "Give your role a schema in the connection's database, and the permission to create stages there"
_WAREHOUSE = "Name a running warehouse that your role may use in the connection"

#: Pattern of the warehouse's message -> remedy. The first match counts. Patterns are whole phrases, because a user's
#: places and names appear in messages too. Source: each warehouse's guide, and reports of its messages.
REDSHIFT = (
    (r"is not authorized to assume IAM role", _ROLE),
    (r"not authorized to get credentials of role", _ROLE),
    (r"UnauthorizedException", _ROLE),
    (r"in a different region from this cluster", _REGION),
    (r"must be addressed using the specified endpoint", _REGION),
    (r"Error (PermanentRedirect|AuthorizationHeaderMalformed)", _REGION),
    (r"S3ServiceException", _BUCKET),
    (r"\bAccess ?Denied\b", _BUCKET),
    (r"permission denied for", "Grant usage of the schema and select on its tables to this user"),
    (r"(relation|column|schema) .* does not exist", _COLUMNS),
)
SNOWFLAKE = (
    (r"Failure using stage area", _BUCKET),
    (r"AccessDenied|Access Denied|\(Status Code: 403", _BUCKET),
    (r"integration \S+ (does not exist|associated with)", _SETUP),
    (r"insufficient privileges to operate on integration", _SETUP),
    (
        r"stage \S+ does not exist|insufficient privileges to operate on schema|not have a current (database|schema)",
        _STAGE,
    ),
    (r"no active warehouse selected|warehouse \S+ (does not exist|cannot be resumed|was suspended)", _WAREHOUSE),
    (r"insufficient privileges to operate on warehouse", _WAREHOUSE),
    (r"invalid identifier", _COLUMNS),
    (r"(object|schema|database|table) \S+ does not exist", _COLUMNS),
)


def one_line(text: str) -> str:
    """Return a warehouse's message as one line without its full stop."""
    return " ".join(text.split()).rstrip(". ")


def remedy(reason: str, fixes: Sequence[tuple[str, str]]) -> str:
    """Return the remedy for a failed statement from the patterns of its warehouse."""
    line = one_line(reason)
    fitting = (fix for pattern, fix in fixes if re.search(pattern, line, re.IGNORECASE))
    return next(fitting, "Look the query up in the warehouse's history, fix the cause, and run the command again")
