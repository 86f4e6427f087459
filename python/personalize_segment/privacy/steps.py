"""The steps of a deletion, in an order that makes it safe to interrupt after any of them and rerun.

The list comes first, so that no later export brings the users back. The CSV of the ids is deleted last, when nothing
needs it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..errors import ForgetError, SpecError, number
from ..places import S3Place, place
from ..provision.retries import Polling, StepProgress
from ..provision.spec import Spec
from ..provision.state import ProvisionClients
from . import audit, list_file, parts
from .deletion import COMPLETED, Deletion, csv_bytes
from .profiles import ProfileItems


@dataclass(frozen=True, slots=True)
class Places:
    """The places of the ids: suppression list, exports, their stages, the folder of the job's CSV, audit and table.

    All but the table are files, folders or S3 URIs.
    """

    suppression: str
    exports: tuple[str, ...]
    deletions: str
    audit: str | None
    profiles: ProfileItems | None = None
    stages: tuple[str, ...] = ()


def places(
    spec: Spec,
    suppression: str,
    exports: Sequence[str],
    deletions: str | None,
    log: str | None,
    profiles: ProfileItems | None = None,
    stages: Sequence[str] = (),
) -> Places:
    """Return the places. By default, `deletions` is a folder of the first export in S3.

    Raises ForgetError if the spec imports users from a place outside the exports, because the next import would bring
    them back. Raises SpecError if the spec has no role for the job.
    """
    if spec.role is None:
        raise SpecError("$", "has no 'role_arn'", "Add the role with which Personalize reads the bucket")
    for dataset in spec.datasets:
        if dataset.load is None or dataset.key not in parts.OWNED:
            continue
        if not any(dataset.load.location.startswith(f"{place(out)}/") for out in exports):
            remedy = "Pass its export with --export, or remove the import from the spec"
            raise ForgetError(dataset.load.location, "is imported, but isn't in any of the exports", remedy)
    first = next((out for out in map(place, exports) if isinstance(out, S3Place)), None)
    if deletions is None and first is None:
        raise ForgetError("--deletions", "is missing, and no export is in S3", "Pass one that Personalize can read")
    return Places(suppression, tuple(exports), deletions or f"{first}/deletions", log, profiles, tuple(stages))


def forget(
    clients: ProvisionClients,
    spec: Spec,
    users: frozenset[str],
    where: Places,
    polling: Polling,
    who: str,
    progress: StepProgress = lambda what, status: None,
    *,
    wait: bool = True,
    webhook: str | None = None,
) -> dict[str, Any]:
    """Delete `users` everywhere. Return the audit line, which is also written.

    `who` is the ARN of the caller, and `webhook` the digest of the message that requested the deletion. After an
    interruption or an error, a second run continues. After a success, it repeats all steps with another job. Raises
    ForgetError, OutputError or ProvisionError. Finished steps stay done.
    """
    csv_bytes(users)  # refuse too many for one job before anything is done
    known = list_file.add(where.suppression, users)
    on_it = len(known.hashes)
    progress("suppression list", f"{number(on_it, 'user')} {'is' if on_it == 1 else 'are'} on it")
    hashes = sorted(map(known.hash, users))
    digest = hashlib.sha256("\n".join(hashes).encode()).hexdigest()[:16]
    job = Deletion(clients, spec, polling, where.deletions, digest)
    rows = dict.fromkeys(parts.OWNED, 0)
    staged = 0
    for stage in where.stages:
        from ..history.duckdb.forgetting import forget as forget_staged  # DuckDB isn't needed without a stage

        found = forget_staged(stage, users)
        staged += found
        progress(stage, f"{number(found, 'row')} removed from staged days")
    for out in where.exports:
        removed = parts.remove(out, users)
        for dataset, gone in removed.rows.items():
            rows[dataset] += gone
        counted = ", ".join(f"{number(gone, 'row')} of {dataset}" for dataset, gone in removed.rows.items())
        progress(out, f"{counted} removed from {number(removed.parts, 'part')}")
    if where.profiles is not None:
        where.profiles.remove(users, polling)
        progress(f"table {where.profiles.name}", f"{len(users):,} users removed")
    done = job.run(users, progress, wait=wait)
    if where.profiles is not None and wait:
        # By now the functions, which cache the list for minutes, have read it again.
        where.profiles.remove(users, polling)
    line = {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "by": who,
        "users": len(users),
        "hashes": hashes,
        "suppression": where.suppression,
        "rows": rows,
        "staged_rows": staged,
        "profile_table": where.profiles.name if where.profiles else None,
        "job": done["dataDeletionJobArn"],
        "status": done["status"],
        "deleted": done.get("numDeleted"),
    }
    if webhook is not None:
        line["webhook"] = webhook
    if where.audit is not None:
        audit.write(where.audit, line)
    if done["status"] == COMPLETED:
        job.clear(done["jobName"])
    return line
