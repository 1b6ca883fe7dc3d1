"""Gives schemathesis what it cannot make up: jobs in the state that an operation needs, digests, upload tokens.

Of four valid cases of an operation three are steered towards success; the others, and all invalid ones, stay as schemathesis
made them. In stateful tests the ids that came through a link stay.
"""

import itertools
import json
import os
from collections import defaultdict

import schemathesis
from schemathesis.generation import GenerationMode

with open(os.environ["CONTRACT_SHELF"], encoding="utf-8") as file:
    SHELF = json.load(file)

SAMPLE = SHELF["sample"]
counts = defaultdict(itertools.count)
tokens = {}
direct_uploads = defaultdict(list)
known = set()


def take(name):
    """One of the prepared things that can be used only once; None when all are used."""
    return SHELF[name].pop() if SHELF[name] else None


def content_body(token):
    return {"uploadToken": token, "contentBase64": SAMPLE["base64"]}


def steer_path(case, name, value):
    if value is not None and case.path_parameters.get(name) not in known:
        case.path_parameters[name] = value


def registration(case):
    for entry in case.body["files"][:1]:
        entry.update(fileSize=SAMPLE["sizeBytes"], sha256=SAMPLE["sha256"])


def content(case):
    document = case.path_parameters.get("documentId")
    if document not in tokens:
        prepared = take("registered")
        if prepared is None:
            return
        case.path_parameters.update(jobId=prepared["jobId"], documentId=prepared["documentId"])
        tokens[document := prepared["documentId"]] = prepared["uploadToken"]
    case.body = content_body(tokens[document])


def completion(case):
    job = case.path_parameters.get("jobId")
    if not direct_uploads[job]:
        prepared = take("completable")
        if prepared is None:
            return
        job = case.path_parameters["jobId"] = prepared["jobId"]
        direct_uploads[job] = prepared["directUploads"]
    case.body = {"directUploads": direct_uploads[job]}


def form(case):
    case.body = {
        "metadata": json.dumps({"files": [{"partName": "file0", "fileName": "sample.pdf", "contentType": "application/pdf"}]}),
        "file0": SAMPLE["text"],
    }


def artifact(case):
    finished = SHELF["finished"]
    name = "jobId" if "{jobId}" in case.operation.path else "projectId"
    case.path_parameters[name] = finished[name]
    case.query["path"] = finished["path"]


def path_only(name, choose):
    return lambda case: steer_path(case, name, choose())


def in_open_job(fill):
    def steer(case):
        steer_path(case, "jobId", next(open_jobs))
        fill(case)

    return steer


open_jobs = itertools.cycle(SHELF["open"])
STEERED = {
    "listProjects": lambda case: None,
    "createProject": lambda case: case.body.update(name=f"Project {next(counts['name'])}"),
    "getProject": path_only("projectId", lambda: SHELF["projectId"]),
    "listJobs": path_only("projectId", lambda: SHELF["quietProjectId"]),
    "createJob": path_only("projectId", lambda: SHELF["projectId"]),
    "getJob": path_only("jobId", lambda: SHELF["finished"]["jobId"]),
    # Hardly any job that came through a link is at its end.
    "getJobResult": lambda case: case.path_parameters.update(jobId=SHELF["finished"]["jobId"]),
    "cancelJob": path_only("jobId", lambda: take("cancellable")),
    "resumeJob": path_only("jobId", lambda: take("blocked")),
    "uploadFiles": in_open_job(form),
    "registerUploads": in_open_job(registration),
    "uploadRegisteredFile": content,
    "completeUploads": completion,
    "getJobArtifact": artifact,
    "headJobArtifact": artifact,
    "getProjectArtifact": artifact,
    "headProjectArtifact": artifact,
}


SELDOM_VALID = dict.fromkeys(["listProjects", "getJobArtifact", "headJobArtifact", "getProjectArtifact", "headProjectArtifact"])
SELDOM_VALID["uploadFiles"] = "multipart/form-data"


def is_valid(case):
    # A wrong method or part of a request is the point of a case, whatever the case as a whole is called.
    if case.meta is None or case.method.upper() != case.operation.method.upper():
        return False
    modes = [case.meta.generation.mode, *(component.mode for component in case.meta.components.values())]
    return all(mode == GenerationMode.POSITIVE for mode in modes)


@schemathesis.hook
def before_add_examples(context, examples):
    # Of these the tool makes too few valid requests: there is no input, or nearly every case is about an invalid one.
    name = context.operation.definition.raw.get("operationId")
    for _ in range(20 if name in SELDOM_VALID else 0):
        case = context.operation.Case(path_parameters={}, query={}, media_type=SELDOM_VALID[name])
        STEERED[name](case)
        examples.append(case)


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = case.operation.definition.raw.get("operationId")
    steer = STEERED.get(operation)
    if steer is None or not is_valid(case):
        return
    if next(counts[operation]) % 4 != 3:
        steer(case)


@schemathesis.hook
def after_call(context, case, response):
    if response.status_code >= 300:
        return
    operation = case.operation.definition.raw.get("operationId")
    if operation == "createProject":
        known.add(response.json()["project"]["id"])
    elif operation == "createJob":
        known.add(response.json()["job"]["id"])
    elif operation == "registerUploads":
        for upload in response.json()["uploads"]:
            tokens[upload["documentId"]] = upload["uploadToken"]
    elif operation == "uploadRegisteredFile":
        direct_uploads[case.path_parameters["jobId"]].append(response.json()["directUpload"])
