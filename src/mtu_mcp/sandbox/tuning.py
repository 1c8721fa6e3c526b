"""Fine-tuning jobs: a file is checked, a job goes through its stages as it is looked at, a model comes out.

Nothing is trained, and the job's events say so: the new name answers as its base does. What is real is the checking of
the training file, whose faults end the job as they would, the stages, the tokens and the names. Source: the API
reference of fine-tuning and its guide (at least ten examples, each a chat that ends with the assistant).
"""

import json
from dataclasses import replace
from typing import Any

from mtu_mcp.sandbox.desk import Desk
from mtu_mcp.sandbox.refusals import Refusal
from mtu_mcp.sandbox.tokens import count_text

Body = dict[str, Any]
LEAST_EXAMPLES = 10
EPOCHS = 3
ENDED = frozenset({"succeeded", "failed", "cancelled"})
DRAWER = "fine_tuning.job"


def begin(desk: Desk, body: Body) -> Body:
    """Make a job that waits for its file to be checked."""
    method: Body = body.get("method", {"type": "supervised"})
    recipe: Body = method.get(method["type"], {})
    told: Body = recipe.get("hyperparameters", body.get("hyperparameters", {}))
    hyper = {name: told.get(name, "auto") for name in ("n_epochs", "batch_size", "learning_rate_multiplier")}
    job: Body = {
        "id": desk.new_id("ftjob-"),
        "object": "fine_tuning.job",
        "created_at": desk.now(),
        "finished_at": None,
        "model": body["model"],
        "fine_tuned_model": None,
        "organization_id": "org-sandbox",
        "status": "validating_files",
        "training_file": body["training_file"],
        "validation_file": body.get("validation_file"),
        "result_files": [],
        "trained_tokens": None,
        "hyperparameters": hyper,
        "error": None,
        "seed": body.get("seed", 42),
        "estimated_finish": None,
        "method": {"type": method["type"], method["type"]: {"hyperparameters": hyper}},
        "integrations": body.get("integrations", []),
        "metadata": body.get("metadata", {}),
    }
    kept: Body = {"job": job, "events": [], "checkpoints": [], "suffix": body.get("suffix", "")}
    desk.keep(DRAWER, job["id"], kept)
    tell(desk, kept, f"Created fine-tuning job: {job['id']}")
    tell(desk, kept, f"Validating training file: {job['training_file']}")
    return kept


def tell(desk: Desk, kept: Body, message: str, level: str = "info", data: Body | None = None) -> None:
    """Add an event."""
    kind = "metrics" if data else "message"
    event = {"id": desk.new_id("ftevent-"), "object": "fine_tuning.job.event", "created_at": desk.now()}
    kept["events"].append(event | {"level": level, "message": message, "type": kind, "data": data or {}})


def advance(desk: Desk, kept: Body) -> None:
    """Take one stage: validating_files, queued, running, succeeded; a faulty file fails."""
    job: Body = kept["job"]
    if job["status"] == "validating_files":
        fault = check_file(desk, job["training_file"])
        if fault:
            job |= {"status": "failed", "error": fault, "finished_at": desk.now()}
            tell(desk, kept, f"The job failed due to an invalid training file. {fault['message']}", "error")
            return
        job["status"] = "queued"
        tell(desk, kept, "Files validated, moving job to queued state")
    elif job["status"] == "queued":
        job["status"] = "running"
        job["estimated_finish"] = desk.now() + 60
        tell(desk, kept, "Fine-tuning job started (the embedded gateway trains nothing)")
    elif job["status"] == "running":
        _finish(desk, kept)


def check_file(desk: Desk, file_id: str) -> Body | None:
    """The error of a training file; None when it can be trained on."""
    stored = desk.files.find(file_id)
    if stored is None:
        return _fault(f"No such File object: {file_id}", "file_not_found")
    lines = [line for line in stored.data.decode("utf-8-sig", "replace").splitlines() if line.strip()]
    for place, line in enumerate(lines, 1):
        if not _is_example(line):
            msg = f"Invalid file format. Line {place} is no example: a chat of messages that ends with the assistant."
            return _fault(msg, "invalid_training_file")
    if len(lines) < LEAST_EXAMPLES:
        msg = f"Training file has {len(lines)} example(s), but must have at least {LEAST_EXAMPLES} examples"
        return _fault(msg, "invalid_n_examples")
    return None


def _fault(message: str, code: str) -> Body:
    return {"code": code, "message": message, "param": "training_file"}


def _is_example(line: str) -> bool:
    try:
        example = json.loads(line)
        if "input" in example:  # preference and reinforcement examples hold the chat under `input` or `messages`
            return isinstance(example["input"], dict)
        messages: list[Body] = example["messages"]
        return bool(messages) and all("role" in each for each in messages) and messages[-1]["role"] == "assistant"
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def _finish(desk: Desk, kept: Body) -> None:
    job: Body = kept["job"]
    stored = desk.files.find(job["training_file"])
    text = stored.data.decode("utf-8-sig", "replace") if stored else ""
    examples = max(len([line for line in text.splitlines() if line.strip()]), 1)
    hyper = {"n_epochs": EPOCHS, "batch_size": 1, "learning_rate_multiplier": 1.0}
    hyper |= {name: value for name, value in job["hyperparameters"].items() if value != "auto"}
    steps = -(-examples // int(hyper["batch_size"])) * int(hyper["n_epochs"])
    suffix = f"{kept['suffix']}:" if kept["suffix"] else ":"
    name = f"ft:{job['model']}:sandbox:{suffix}{job['id'][-8:]}"
    base = desk.roster.find(job["model"])
    if base is not None:
        desk.roster.add(replace(base, id=name, owner="org-sandbox"))
    rows = [f"{step},{_loss(step)}" for step in (1, steps)]
    result = desk.files.add("\n".join(["step,train_loss", *rows]).encode(), "step_metrics.csv", "fine-tune-results")
    for epoch in range(1, int(hyper["n_epochs"]) + 1):
        _checkpoint(desk, kept, name, steps * epoch // int(hyper["n_epochs"]))
    job |= {"status": "succeeded", "fine_tuned_model": name, "finished_at": desk.now(), "hyperparameters": hyper}
    job |= {"trained_tokens": count_text([text]) * int(hyper["n_epochs"]), "result_files": [result.id]}
    tell(desk, kept, f"New fine-tuned model created: {name} (it answers as {job['model']} does)")
    tell(desk, kept, "The job has successfully completed")


def _loss(step: int) -> float:
    """A curve for clients to draw; no loss was measured."""
    return round(2 / (1 + step), 4)


def _checkpoint(desk: Desk, kept: Body, name: str, step: int) -> None:
    metrics = {"step": step, "train_loss": _loss(step)}
    tell(desk, kept, f"Step {step}: training loss={metrics['train_loss']}", data=metrics)
    checkpoint = {"id": desk.new_id("ftckpt_"), "object": "fine_tuning.job.checkpoint", "created_at": desk.now()}
    checkpoint |= {"fine_tuned_model_checkpoint": f"{name}:ckpt-step-{step}", "step_number": step}
    kept["checkpoints"].append(checkpoint | {"fine_tuning_job_id": kept["job"]["id"], "metrics": metrics})


def stop(desk: Desk, kept: Body) -> None:
    """Cancel a job for good."""
    job: Body = kept["job"]
    if job["status"] in ENDED:
        raise Refusal(400, f"Job has already completed: {job['id']}", code="invalid_job_status")
    job |= {"status": "cancelled", "finished_at": desk.now()}
    tell(desk, kept, "Fine-tuning job cancelled")


def pause(desk: Desk, kept: Body, *, resumed: bool) -> None:
    """Pause a job that runs or waits, or let a paused one go on."""
    job: Body = kept["job"]
    allowed = {"paused"} if resumed else {"queued", "running"}
    if job["status"] not in allowed:
        what = "resumed" if resumed else "paused"
        raise Refusal(400, f"Job {job['id']} cannot be {what}: it is {job['status']}.", code="invalid_job_status")
    job["status"] = "queued" if resumed else "paused"
    tell(desk, kept, "Fine-tuning job resumed" if resumed else "Fine-tuning job paused")
