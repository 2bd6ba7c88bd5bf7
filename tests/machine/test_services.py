"""The image's own services on a machine booted with systemd, started by the launch template's own user data."""

from __future__ import annotations

import json
import os
import urllib.request
from typing import Any

import pytest
from e2e_stack import make_zip as zipped
from e2e_stack import small_chalice, until
from image_machine import Cloud
from service_box import CHECKER, OTHER, SOCKET, UNFIT, WORKER, Box

from auto_lambda_cli.local_stack.imds import imds

PEEK = """
import os, pathlib

print("sees settings:", pathlib.Path("/etc/auto-lambda/worker.env").exists())
print("sees processes:", len([name for name in os.listdir("/proc") if name.isdigit()]) > 20)
print("sees credentials:", "AWS_ACCESS_KEY_ID" in os.environ)
"""
SLOW = "import time\n\ntime.sleep(2)\n"


def app(answer: str, before: str = "") -> bytes:
    """A small app that runs some code when it is imported."""
    files = small_chalice(answer)
    return zipped({**files, "app.py": before + str(files["app.py"])})


def test_both_services_start_by_the_user_data_and_say_that_they_are_ready(box: Box) -> None:
    for unit in (WORKER, CHECKER):
        box.await_state(unit, "active")
        assert box.show(unit, "Type") == "notify"
        assert box.show(unit, "ControlGroup") == f"/autolambda.slice/{unit}"
        assert box.show(unit, "NRestarts") == "0"
        assert "ready" in [entry["event"] for entry in box.journal(unit)]
        shipped = box.machine.run("cat", f"/var/log/{unit.removesuffix('.service')}/log.jsonl").stdout
        assert "ready" in [json.loads(line)["event"] for line in shipped.splitlines()]
    assert box.show(WORKER, "StatusText") == "waiting"
    box.await_status(CHECKER, "QueueVisible 0")


def test_the_doctor_finds_the_machine_and_its_pipeline_well_as_the_worker_sees_them(box: Box) -> None:
    """As docs/reference/command-line.md says, and with the settings that only this test has."""
    done = box.machine.run(
        "systemd-run", "--pipe", "--wait", "--quiet", "--uid=autolambda",
        "-p", "EnvironmentFile=/etc/auto-lambda/worker.env", "-p", "EnvironmentFile=/etc/test.env",
        "-p", f"Environment=AUTO_LAMBDA_BUILDER_SOCKET={SOCKET}",
        "auto-lambda", "doctor", "--json", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = {one["what"]: one["verdict"] for one in json.loads(done.stdout)}
    assert {found[part] for part in ("settings", "Python", "sandbox", "uploads bucket", "queue", "ledger")} == {"fine"}


def test_limits_are_what_they_resolve_to_on_this_machine(box: Box) -> None:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for unit, share in (("autolambda-builders.slice", 0.8), ("autolambda.slice", 0.9)):
        assert int(box.show(unit, "MemoryMax")) == pytest.approx(memory * share, rel=0.001)
    assert box.show(CHECKER, "MemoryMax") == str(256 * 1024**2)
    assert box.show(WORKER, "MemoryMax") == str(1024**3)
    assert box.show(WORKER, "TasksMax") == "1024"


def test_a_dropped_zip_goes_live_through_the_service_and_its_code_is_kept_apart(box: Box) -> None:
    drop = box.stack.drop("peek", app("{'answer': 1}", PEEK))
    receipt = box.stack.live(drop)
    assert receipt["sandbox"] == "bubblewrap"
    assert receipt["worker"] == box.name(WORKER)
    with urllib.request.urlopen(receipt["url"], timeout=60) as answer:
        assert json.load(answer) == {"answer": 1}
    log = box.stack.log(drop)
    for what in ("settings", "processes", "credentials"):
        assert f"sees {what}: False" in log
    box.await_status(WORKER, "waiting")


def test_told_to_stop_in_the_middle_of_a_build_it_hands_back_and_another_worker_finishes(box: Box) -> None:
    stack, first = box.stack, box.name(WORKER)
    drop = stack.drop("moved", app("{'answer': 2}", SLOW))
    line = box.await_status(WORKER, "building: apps/moved ")
    assert line.startswith("1 building: ")
    box.start_other()
    second = box.name(OTHER)
    assert (stack.receipt(drop) or {"worker": first})["worker"] == first
    box.ctl("kill", "--kill-whom=main", "--signal=TERM", WORKER)
    box.await_state(WORKER, "inactive")
    receipt = stack.live(drop)
    assert receipt["worker"] == second
    # It was told to go, so nobody starts it again.
    assert (box.show(WORKER, "Result"), box.show(WORKER, "ActiveState")) == ("success", "inactive")
    assert "handed back" in [entry["event"] for entry in box.journal(WORKER)]


def test_a_restart_in_the_middle_of_builds_loses_nothing(box: Box) -> None:
    stack = box.stack
    drops = [
        stack.drop(f"kept-{number}", app(f"{{'answer': {number}}}", code)) for number, code in enumerate((SLOW, ""))
    ]
    box.await_status(WORKER, "building: apps/kept-")
    box.ctl("restart", WORKER)
    after = box.name(WORKER)
    for number, drop in enumerate(drops):
        receipt = stack.live(drop)
        assert receipt["worker"] == after
        with urllib.request.urlopen(receipt["url"], timeout=60) as answer:
            assert json.load(answer) == {"answer": number}
    queue = stack.sqs.get_queue_attributes(QueueUrl=stack.queue, AttributeNames=["All"])["Attributes"]
    assert queue["ApproximateNumberOfMessages"] == "0"
    # Nor is anything of the interrupted build left on the disk.
    until(lambda: not list(box.machine.path("/var/cache/auto-lambda/work").glob("worker-*/build-*")), 30)
    assert len(list(box.machine.path("/var/cache/auto-lambda/work").glob("worker-*"))) == 1


def test_a_loop_that_hangs_is_killed_by_the_watchdog_and_started_again(box: Box) -> None:
    box.drop_in(WORKER, "[Service]\nWatchdogSec=3s\nRestartSec=100ms\n")
    box.ctl("restart", WORKER)
    hung = box.pid(WORKER)
    box.machine.run("kill", "-STOP", str(hung))
    until(lambda: box.show(WORKER, "NRestarts") == "1", 60)
    box.await_state(WORKER, "active")
    assert box.pid(WORKER) != hung
    assert "Watchdog timeout" in box.whole_journal(WORKER)


def test_settings_that_cannot_work_are_told_once_and_the_machine_is_given_up(box: Box, cloud: Cloud) -> None:
    instance = member_of_a_group(cloud)
    box.drop_in(WORKER, "[Service]\nEnvironment=\nUnsetEnvironment=AUTO_LAMBDA_QUEUE_URL AUTO_LAMBDA_TABLE\n")
    with imds() as service:
        service.values |= {"instance-id": instance, "placement/region": "eu-west-1"}
        words = {**service.environ, "AWS_EC2_METADATA_DISABLED": "false", "AWS_ENDPOINT_URL": cloud.endpoint}
        box.machine.path("/etc/group.env").write_text("".join(f"{name}={text}\n" for name, text in words.items()))
        box.drop_in("autolambda-unhealthy@.service", "[Service]\nEnvironmentFile=/etc/group.env\n")
        before = len(box.journal(WORKER))
        assert box.ctl("restart", WORKER, check=False)
        until(lambda: health_of(cloud) == "Unhealthy", 60, lambda: box.whole_journal(UNFIT))
    assert box.show(WORKER, "NRestarts") == "0"
    (entry,) = [entry for entry in box.journal(WORKER)[before:] if entry["event"] not in ("drained", "draining")]
    assert entry["event"] == "cannot start"
    assert [problem.split()[0] for problem in entry["problems"]] == ["AUTO_LAMBDA_QUEUE_URL", "AUTO_LAMBDA_TABLE"]
    assert "AUTO_LAMBDA_TABLE is not set" in box.show(WORKER, "StatusText")


def test_a_worker_that_fails_again_and_again_is_given_up_off_ec2_without_a_word(box: Box) -> None:
    box.drop_in(WORKER, "[Service]\nExecStart=\nExecStart=/bin/false\nRestartSec=50ms\n")
    since = box.show(UNFIT, "InactiveEnterTimestampMonotonic")
    box.ctl("restart", WORKER, check=False)
    until(lambda: "Start request repeated too quickly" in box.whole_journal(WORKER), 60)
    box.await_state(WORKER, "failed")
    until(lambda: box.show(UNFIT, "InactiveEnterTimestampMonotonic") != since, 60)
    assert (box.show(UNFIT, "Result"), box.show(UNFIT, "ActiveState")) == ("success", "inactive")


def member_of_a_group(cloud: Cloud) -> str:
    """The id of the one machine of a group."""
    autoscaling = cloud.client("autoscaling")
    image = cloud.client("ec2").describe_images()["Images"][0]["ImageId"]
    autoscaling.create_launch_configuration(LaunchConfigurationName="c", ImageId=image, InstanceType="m5.large")
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="workers",
        LaunchConfigurationName="c",
        MinSize=1,
        MaxSize=1,
        AvailabilityZones=["eu-west-1a"],
    )
    return str(the_instance(cloud)["InstanceId"])


def health_of(cloud: Cloud) -> str:
    return str(the_instance(cloud)["HealthStatus"])


def the_instance(cloud: Cloud) -> dict[str, Any]:
    (group,) = cloud.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    return dict(group["Instances"][0])
