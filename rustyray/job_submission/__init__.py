"""Programs that run on a cluster which stands by itself (as in Ray's ``ray.job_submission``).

client.py    submits them, and asks after them
details.py   what is told of them
"""

from __future__ import annotations

from rustyray.job_submission.client import JobSubmissionClient
from rustyray.job_submission.details import DriverInfo, JobDetails, JobErrorType, JobInfo, JobStatus, JobType

__all__ = ["DriverInfo", "JobDetails", "JobErrorType", "JobInfo", "JobStatus", "JobSubmissionClient", "JobType"]
