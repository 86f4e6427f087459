"""Personalize's data deletion job: the CSV it reads, the job, and waiting for its end.

The CSV is the memory of a command that was killed: it is written before the job and deleted after it, and
has the job's name. A file that is there belongs to a job that nobody has seen end.
"""

import csv
import io
import re
from collections.abc import Callable
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from ..contract.columns import USER_ID
from ..errors import ForgetError, ProvisionError
from ..history.logs import split_uri
from ..provision import failures
from ..provision.account import Account, pages
from ..provision.apply import AGAIN, Clients, Pace, account_of, patiently
from ..provision.spec import Spec

#: What the input of one job may have. Source: "Deleting users" in the developer guide.
MAX_BYTES = 50 * 10**6
#: Characters of a dataLocation. Source: botocore's model.
MAX_LOCATION = 256
#: Answers after which a look says how to go on: five jobs of a group wait already, or it is in use.
_LATER = (AGAIN - {"ResourceNotFoundException"}) | {"LimitExceededException"}

Progress = Callable[[str, str], None]


def csv_bytes(users: frozenset[str]) -> bytes:
    """Return the CSV that CreateDataDeletionJob takes. Raises ForgetError if it is too long for one job."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([USER_ID])
    writer.writerows([user] for user in sorted(users))
    made = text.getvalue().encode()
    if len(made) > MAX_BYTES:
        problem = f"are {len(made):,} bytes of ids, and a data deletion job takes {MAX_BYTES:,}"
        raise ForgetError("users", problem, "Split the file and forget its parts one after the other")
    return made


class Deletion:
    """The job of a set of users in a stack; `folder` in S3 takes its CSV and `digest` names the set.

    Raises ForgetError if the folder is none that a job can read.
    """

    def __init__(self, clients: Clients, spec: Spec, pace: Pace, folder: str, digest: str) -> None:
        self._clients, self._spec, self._pace = clients, spec, pace
        self._folder = folder.rstrip("/")
        self._base = f"{spec.name}-forget-{digest}"
        if not folder.startswith("s3://") or len(self._location(f"{self._base}-1000")) > MAX_LOCATION:
            problem = f"is no folder in S3 of which an object's URI has {MAX_LOCATION} characters at most"
            raise ForgetError(folder, problem, "Name one that Personalize may read with --deletions")

    def run(self, users: frozenset[str], progress: Progress, *, wait: bool) -> dict[str, Any]:
        """Delete the users, and return what DescribeDataDeletionJob says; with `wait` once it is COMPLETED.

        A job that an earlier command began and did not see end is taken over. Raises ProvisionError if there is
        no dataset group, Personalize refuses the job, or it fails.
        """
        account = account_of(self._clients, self._spec, self._pace)
        if account.group is None:
            remedy = "Check region and credentials; if there never was one, there is nothing to delete in it"
            raise ProvisionError(f"DatasetGroup {self._spec.name}", "is not there", remedy)
        group = account.group.arn
        name = self._name(self._jobs(group))
        self._put(name, csv_bytes(users))
        while True:
            job = self._jobs(group).get(name)
            if job is not None:
                progress(f"delete {len(users):,} users from {self._spec.name}", job["status"])
                if job["status"] == "FAILED":
                    why = job.get("failureReason") or "no reason given"
                    self.clear(name)
                    raise ProvisionError(f"DataDeletionJob {name}", why, failures.remedy(why))
                if job["status"] == "COMPLETED" or not wait:
                    return self._describe(job["dataDeletionJobArn"])
                self._pace.sleep(self._pace.poll_seconds)
                continue
            busy = _busy(account) if wait else None
            if busy is not None:
                # What is trained or imported meanwhile may keep the users.
                progress(f"wait for {busy}", "before the deletion")
            else:
                self._create(group, name, progress, wait=wait)
            self._pace.sleep(self._pace.poll_seconds if busy is not None else self._pace.backoff(0))
            account = account_of(self._clients, self._spec, self._pace)

    def clear(self, name: str) -> None:
        """Delete the CSV of a job that is over: it holds the ids."""
        bucket, key = split_uri(self._location(name))
        self._s3("delete_object", Bucket=bucket, Key=key)

    def _name(self, jobs: dict[str, dict[str, Any]]) -> str:
        """Return the name of the job that was begun and not seen to its end, or one that no job has."""
        mine = re.compile(rf"{re.escape(self._base)}(?:-(\d+))?")
        bucket, prefix = split_uri(f"{self._folder}/")
        for one in self._s3("list_objects_v2", Bucket=bucket, Prefix=prefix + self._base).get("Contents", []):
            name = one["Key"].removeprefix(prefix).removesuffix(".csv")
            if mine.fullmatch(name) and jobs.get(name, {}).get("status") != "FAILED":
                return str(name)
        numbers = [int(match[1] or 1) for match in map(mine.fullmatch, jobs) if match]
        return f"{self._base}-{max(numbers) + 1}" if numbers else self._base

    def _create(self, group: str, name: str, progress: Progress, *, wait: bool) -> None:
        request: dict[str, Any] = {
            "jobName": name,
            "datasetGroupArn": group,
            "dataSource": {"dataLocation": self._location(name)},
            "roleArn": self._spec.role,
        }
        if self._spec.tags:
            request["tags"] = [{"tagKey": key, "tagValue": value} for key, value in sorted(self._spec.tags.items())]
        try:
            self._personalize("CreateDataDeletionJob", **request)
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
            if code in _LATER and (wait or code == "ResourceAlreadyExistsException"):
                progress(f"create DataDeletionJob {name}", f"waits: {code}")
                return
            problem = f"CreateDataDeletionJob was refused ({code}: {message})"
            raise ProvisionError(f"DataDeletionJob {name}", problem, failures.remedy(message)) from error

    def _jobs(self, group: str) -> dict[str, dict[str, Any]]:
        request = {"datasetGroupArn": group}
        several = pages(lambda **more: self._personalize("ListDataDeletionJobs", **more), "nextToken", **request)
        return {one["jobName"]: one for page in several for one in page["dataDeletionJobs"]}

    def _describe(self, arn: str) -> dict[str, Any]:
        answer = self._personalize("DescribeDataDeletionJob", dataDeletionJobArn=arn)
        return dict(answer["dataDeletionJob"])

    def _personalize(self, operation: str, **request: Any) -> dict[str, Any]:
        call = getattr(self._clients.personalize, xform_name(operation))
        answer: dict[str, Any] = patiently(lambda: call(**request), operation, self._pace)
        return answer

    def _location(self, name: str) -> str:
        return f"{self._folder}/{name}.csv"

    def _put(self, name: str, body: bytes) -> None:
        bucket, key = split_uri(self._location(name))
        self._s3("put_object", Bucket=bucket, Key=key, Body=body, ContentType="text/csv")

    def _s3(self, operation: str, **request: Any) -> dict[str, Any]:
        try:
            call = getattr(self._clients.s3, operation)
            answer: dict[str, Any] = patiently(lambda: call(**request), self._folder, self._pace)
        except ClientError as error:
            remedy = "Name a folder that this user may write to with --deletions"
            raise ForgetError(self._folder, str(error), remedy) from error
        return answer


def _busy(account: Account) -> str | None:
    """Return an import or a training that goes on."""
    several = [*account.imports.values(), *account.versions.values()]
    return next((f"{one.kind} {one.name}" for found in several for one in found if one.busy), None)
