from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami.diagnosis import diagnose
from ami.output import Output, ProvisioningProblem, parse


def output(*lines: str) -> Output:
    gathered = Output()
    for line in lines:
        gathered.take(line)
    return gathered


def ui(text: str, level: str = "error") -> str:
    return f"1700000000,,ui,{level},{text}"


def test_commas_and_line_breaks_come_back() -> None:
    line = parse("1700000000,amazon-ebs.image,ui,say,one%!(PACKER_COMMA) two\\nthree\n")
    assert line is not None
    assert (line.target, line.kind, line.data) == ("amazon-ebs.image", "ui", ("say", "one, two\nthree"))


@given(st.text())
def test_no_line_makes_it_fall_over(raw: str) -> None:
    output(raw, f"1,,ui,{raw}", f"1,,artifact,0,id,{raw}", f"1,,error,{raw}")


def test_images_are_found_by_region() -> None:
    gathered = output("1,b,artifact,0,builder-id,x", "1,b,artifact,0,id,eu-west-1:ami-1%!(PACKER_COMMA)us-east-1:ami-2")
    assert gathered.images == {"eu-west-1": "ami-1", "us-east-1": "ami-2"}


def test_people_see_what_packer_says_to_them_without_colours() -> None:
    gathered = Output()
    assert gathered.take(ui("\x1b[1;32m==> one\\n\\ntwo\x1b[0m", "say")) == ("==> one", "two")
    assert gathered.take("1,,artifact-count,1") == ()
    assert gathered.take("panic: in a plug-in\n") == ("panic: in a plug-in",)


def test_standard_error_of_a_step_is_no_error_of_packer() -> None:
    assert output(ui("a warning of some compiler")).errors == []
    assert output("1,b,error,it broke").errors == ["it broke"]


def test_findings_of_our_own_steps_are_recognised() -> None:
    gathered = output(
        ui("    b: auto-lambda image: PROBLEM logs are left: /var/log/x"),
        ui("    b: auto-lambda image: FAILED [invalid] the image has 1 problem(s)"),
    )
    assert gathered.findings == [
        ProvisioningProblem("", "logs are left: /var/log/x"),
        ProvisioningProblem("invalid", "the image has 1 problem(s)"),
    ]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("write error: No space left on device", "--volume-gb"),
        ("Error: Unable to find a match: libnothing-devel", "no package libnothing-devel"),
        ("E: Unable to locate package libnothing-dev", "no package libnothing-dev"),
        ("InvalidAMIID.NotFound: The image id '[ami-9]' does not exist", "ami-9"),
        ("UnauthorizedOperation: You are not authorized to perform ec2:RunInstances", "ec2:RunInstances"),
        ("Timeout waiting for SSH.", "could not be reached by SSH"),
        ("VcpuLimitExceeded: You have requested more vCPU capacity", "--instance-type"),
        ("VPCIdNotSpecified: No default VPC for this user", "--subnet"),
        ("ExpiredToken: The security token included in the request is expired", "log in again"),
    ],
)
def test_known_troubles_are_told_with_what_to_do(said: str, told: str) -> None:
    assert told in diagnose(output("1,b,error," + said))
    assert told in diagnose(output(ui(said)))


def test_what_the_validation_found_comes_before_all_else() -> None:
    gathered = output(
        ui("auto-lambda image: PROBLEM a key is left"),
        ui("auto-lambda image: FAILED [invalid] the image has 1 problem(s), see above"),
        "1,b,error,Script exited with non-zero exit status: 1",
    )
    assert diagnose(gathered) == "the image is not valid:\n- a key is left"


def test_an_unknown_package_comes_before_the_step_that_ended_for_it() -> None:
    gathered = output(
        ui("auto-lambda image: FAILED [unknown-package] dnf knows no package gc: correct packages.tsv"),
        ui("auto-lambda image: FAILED [10-packages] step 10-packages ended with exit code 1; 9 MB are free"),
    )
    assert diagnose(gathered) == "dnf knows no package gc: correct packages.tsv"


def test_without_a_clue_packers_last_words_are_told() -> None:
    assert diagnose(output("1,b,error,something new")) == "something new"
    assert diagnose(output(ui("only this"))) == "only this"
    assert diagnose(Output()) == "Packer printed no error"
