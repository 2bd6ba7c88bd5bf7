"""Diagnosis: from Packer's output to what went wrong and what to do about it."""

from __future__ import annotations

import re

from ami.output import Output

# Patterns in the output and their messages; the first match counts.
_KNOWN = (
    (r"No space left on device|Disk quota exceeded|needs at least \S+ more space",
     "the disk of the build instance is full: use a larger --volume-gb"),
    (r"(?:Unable to find a match|No match for argument|Unable to locate package)[: ]+(?P<what>\S+)",
     "the distribution has no package {what}: correct ami/packages.tsv"),
    (r"InvalidAMIID\.(?:NotFound|Malformed)[^\n]*",
     "there is no such base image in this region: {0}"),
    (r"UnauthorizedOperation[^\n]*|AccessDenied[^\n]*",
     "these credentials lack permissions for a build (docs/how-to/build-the-image.md has the policy): {0}"),
    (r"ExpiredToken[^\n]*|RequestExpired[^\n]*",
     "the credentials have expired during the build: log in again and repeat it"),
    (r"VcpuLimitExceeded[^\n]*|InsufficientInstanceCapacity[^\n]*|Unsupported: [^\n]*|InstanceLimitExceeded[^\n]*",
     "EC2 has no such instance for you now: try another --instance-type or region: {0}"),
    (r"VPCIdNotSpecified[^\n]*|No default VPC[^\n]*|DefaultVpcNotFound[^\n]*",
     "this region has no default VPC: choose a public subnet with --subnet"),
    (r"[Tt]imeout waiting for SSH[^\n]*|no supported methods remain[^\n]*",
     "the build instance could not be reached by SSH: is the subnet reachable from here? {0}"),
)  # fmt: skip


def diagnose(output: Output) -> str:
    """Return a paragraph about a failed run: our own findings, else known problems, else Packer's own errors."""
    told = [finding.text for finding in output.findings if not finding.code]
    named = [finding for finding in output.findings if finding.code]
    everything = "\n".join((*output.text, *output.errors))
    if named and named[0].code in ("unknown-package", "disk-full", "no-python"):
        return named[0].text
    if told:
        return "the image is not valid:\n" + "\n".join(f"- {one}" for one in dict.fromkeys(told))
    for pattern, sentence in _KNOWN:
        if found := re.search(pattern, everything):
            return sentence.format(found.group(0).strip(), **found.groupdict())
    if named:
        return named[0].text
    return "\n".join(output.errors) or "\n".join(output.text[-10:]) or "Packer printed no error"
