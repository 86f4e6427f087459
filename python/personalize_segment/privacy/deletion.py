"""Personalize's data deletion job: write its CSV, start it, and wait for it to finish.

The CSV records the progress of a command that may be killed. It has the name of the job, is written before the job
starts, and is deleted after it has finished. So an existing CSV belongs to a job that no command has seen finish.
"""

import csv
import io
import re
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from ..contract.columns import USER_ID
from ..errors import ForgetError, ProvisionError, number
from ..places import S3Place, errors_at, place
from ..provision import failures
from ..provision.checks import MAX_LOCATION
from ..provision.retries import QUEUED, Answer, Polling, StepProgress, call, retry
from ..provision.spec import Spec
from ..provision.state import ProvisionClients, StackState, pages, read_state

#: Maximum bytes of a job's input. Source: "Deleting users" in the developer guide.
MAX_BYTES = 50 * 10**6
#: The status of a finished job.
COMPLETED = "COMPLETED"


def csv_bytes(users: frozenset[str]) -> bytes:
    """Return the CSV for CreateDataDeletionJob. Raises ForgetError if it is too long for one job."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([USER_ID])
    writer.writerows([user] for user in sorted(users))
    body = text.getvalue().encode()
    if len(body) > MAX_BYTES:
        problem = f"have {len(body):,} bytes of ids, but a data deletion job takes {MAX_BYTES:,}"
        raise ForgetError("users", problem, "Split the file, and forget its parts one after the other")
    return body


class Deletion:
    """The job that deletes a set of users from a stack. Its CSV goes to the S3 `folder`, and `digest` names the set.

    Raises ForgetError if a job can't read the folder.
    """

    def __init__(self, clients: ProvisionClients, spec: Spec, polling: Polling, folder: str, digest: str) -> None:
        self._clients, self._spec, self._polling = clients, spec, polling
        where = place(folder, clients.s3)
        self._base = f"{spec.name}-forget-{digest}"
        if not isinstance(where, S3Place) or len(str(where / f"{self._base}-1000.csv")) > MAX_LOCATION:
            problem = f"isn't an S3 folder whose object URIs have {MAX_LOCATION} characters at most"
            raise ForgetError(folder, problem, "Pass a folder that Personalize can read with --deletions")
        self._folder = where

    def run(self, users: frozenset[str], progress: StepProgress, *, wait: bool) -> dict[str, Any]:
        """Delete the users and return the job's description from DescribeDataDeletionJob. `wait` until it is COMPLETED.

        Continues a job that an earlier command has started and not seen finish. Raises ProvisionError if the dataset
        group doesn't exist, or if Personalize refuses the job or it fails.
        """
        state = read_state(self._clients, self._spec, self._polling)
        if state.group is None:
            remedy = "Check region and credentials. If it never existed, it has nothing to delete"
            raise ProvisionError(f"DatasetGroup {self._spec.name}", "doesn't exist", remedy)
        group = state.group.arn
        name = self._name(self._jobs(group))
        data = csv_bytes(users)
        self._s3(lambda: self._csv(name).put(data, "text/csv"))
        while True:
            job = self._jobs(group).get(name)
            if job is not None:
                progress(f"delete {number(len(users), 'user')} from {self._spec.name}", job["status"])
                if job["status"] == "FAILED":
                    why = job.get("failureReason") or "no reason given"
                    self.clear(name)
                    raise ProvisionError(f"DataDeletionJob {name}", why, failures.remedy(why))
                if job["status"] == COMPLETED or not wait:
                    answer = self._personalize("DescribeDataDeletionJob", dataDeletionJobArn=job["dataDeletionJobArn"])
                    return dict(answer["dataDeletionJob"])
                self._polling.sleep(self._polling.poll_seconds)
                continue
            busy = _busy(state) if wait else None
            if busy is not None:
                # Imports and trainings in progress may keep the users.
                progress(f"wait for {busy}", "before the deletion")
            else:
                self._create(group, name, progress, wait=wait)
            self._polling.sleep(self._polling.poll_seconds if busy is not None else self._polling.backoff(0))
            state = read_state(self._clients, self._spec, self._polling)

    def clear(self, name: str) -> None:
        """Delete the CSV of a finished job, because it has the ids."""
        self._s3(self._csv(name).delete)

    def _name(self, jobs: dict[str, dict[str, Any]]) -> str:
        """Return the name of the job that was started and not seen finish, or an unused name."""
        mine = re.compile(rf"{re.escape(self._base)}(?:-(\d+))?")
        files = self._s3(lambda: self._folder.objects(f"/{self._base}"))
        for name in (self._base + file.inner.removesuffix(".csv") for file in files):
            if mine.fullmatch(name) and jobs.get(name, {}).get("status") != "FAILED":
                return name
        numbers = [int(match[1] or 1) for match in map(mine.fullmatch, jobs) if match]
        return f"{self._base}-{max(numbers) + 1}" if numbers else self._base

    def _create(self, group: str, name: str, progress: StepProgress, *, wait: bool) -> None:
        request = {
            "jobName": name,
            "datasetGroupArn": group,
            "dataSource": {"dataLocation": str(self._csv(name))},
            "roleArn": self._spec.role,
        }
        try:
            self._personalize("CreateDataDeletionJob", **request, **self._spec.tagging)
        except ClientError as error:
            code, message = failures.code_and_message(error)
            # The group has five waiting jobs, or is in use.
            if code in QUEUED and (wait or code == "ResourceAlreadyExistsException"):
                progress(f"create DataDeletionJob {name}", f"waiting: {code}")
                return
            problem = f"CreateDataDeletionJob was refused ({code}: {message})"
            raise ProvisionError(f"DataDeletionJob {name}", problem, failures.remedy(message)) from error

    def _jobs(self, group: str) -> dict[str, dict[str, Any]]:
        def listed(**request: str) -> dict[str, Any]:
            return self._personalize("ListDataDeletionJobs", **request)

        jobs = (job for page in pages(listed, "nextToken", datasetGroupArn=group) for job in page["dataDeletionJobs"])
        return {job["jobName"]: job for job in jobs}

    def _personalize(self, operation: str, **request: Any) -> dict[str, Any]:
        return call(self._clients.personalize, operation, request, operation, self._polling)

    def _csv(self, name: str) -> S3Place:
        return self._folder / f"{name}.csv"

    def _s3(self, action: Callable[[], Answer]) -> Answer:
        folder = str(self._folder)
        with errors_at(folder, ForgetError, "Pass a folder that this user can write to with --deletions"):
            return retry(action, folder, self._polling)


def _busy(state: StackState) -> str | None:
    """Return an import or a training in progress."""
    started = [job for jobs in (*state.imports.values(), *state.versions.values()) for job in jobs]
    return next((f"{job.kind} {job.name}" for job in started if job.busy), None)
