"""Why warehouses are known to refuse a statement, and what to do about it."""

_COLUMNS = "Leave --columns out, or save them anew: the warehouse hasn't, or doesn't show you, what they name"
_SIZE = "Name fewer schemas, or run what `personalize-segment sql` prints in an SQL client, which takes 16 MB"
_ROLE = (
    "Associate the role with the cluster or the namespace, and let redshift.amazonaws.com and"
    " redshift-serverless.amazonaws.com assume it"
)
_BUCKET = (
    "Give the role s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket there, and the key of the bucket's"
    " encryption if it has one"
)

#: A part of what the warehouse says -> the remedy; the first that fits. Sources: Redshift's and Snowflake's guides.
FIXES = (
    ("authorized to assume", _ROLE),
    ("authorized to get credentials of role", _ROLE),
    ("UnauthorizedException", _ROLE),
    ("S3ServiceException", _BUCKET),
    ("Access Denied", _BUCKET),
    ("AccessDenied (Status", _BUCKET),
    ("Failure using stage area", _BUCKET),
    ("Forbidden", _BUCKET),
    ("integration", "Run the set-up statements as ACCOUNTADMIN, and grant the integration's usage to your role"),
    ("stage", "Run the set-up statements, and grant the stage's usage to your role"),
    ("warehouse", "Name a running warehouse that your role may use in the connection"),
    ("permission denied", "Grant usage of the schema and select on its tables to this user"),
    ("AccessDeniedException", "Give this user redshift-data:* on the statements below and the right to log in there"),
    ("ActiveStatementsExceeded", "Wait until other statements are done, then run it again"),
    ("ActiveSessionsExceeded", "Wait until other sessions are closed, then run it again"),
    ("larger than 100", _SIZE),
    ("invalid identifier", _COLUMNS),
    ("does not exist", _COLUMNS),
)


def one_line(text: str) -> str:
    """Return what a warehouse says as one line without its full stop."""
    return " ".join(text.split()).rstrip(". ")


def remedy(reason: str) -> str:
    """Return what to do about a statement that failed."""
    fixes = (fix for part, fix in FIXES if part.lower() in reason.lower())
    return next(fixes, "Look the query up in the warehouse's history, mend it and run the command again")
