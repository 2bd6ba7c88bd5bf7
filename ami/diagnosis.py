"""From what Packer said to what went wrong and what to do about it."""

from __future__ import annotations

import re

from ami.output import Output

# What stands in the output, and what to say about it; the first that fits wins.
_KNOWN = (
    (r"No space left on device|Disk quota exceeded|needs at least \S+ more space",
     "the disk of the machine that is built on is full: build with a larger --volume-gb"),
    (r"(?:Unable to find a match|No match for argument|Unable to locate package)[: ]+(?P<what>\S+)",
     "the distribution knows no package {what}: mend ami/packages.tsv"),
    (r"InvalidAMIID\.(?:NotFound|Malformed)[^\n]*",
     "there is no such base image in this region: {0}"),
    (r"UnauthorizedOperation[^\n]*|AccessDenied[^\n]*",
     "these credentials may not do what a build needs (docs/how-to/build-the-image.md has the policy): {0}"),
    (r"ExpiredToken[^\n]*|RequestExpired[^\n]*",
     "the credentials ran out while the image was built: log in again and repeat"),
    (r"VcpuLimitExceeded[^\n]*|InsufficientInstanceCapacity[^\n]*|Unsupported: [^\n]*|InstanceLimitExceeded[^\n]*",
     "EC2 has no such machine for you now: try another --instance-type or region: {0}"),
    (r"VPCIdNotSpecified[^\n]*|No default VPC[^\n]*|DefaultVpcNotFound[^\n]*",
     "this region has no default VPC: name a public subnet with --subnet"),
    (r"[Tt]imeout waiting for SSH[^\n]*|no supported methods remain[^\n]*",
     "the machine that is built on could not be reached by SSH: does the subnet have a way in from here? {0}"),
)  # fmt: skip


def diagnose(output: Output) -> str:
    """One paragraph about a failed run: our own findings first, then known troubles, then Packer's own words."""
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
    return "\n".join(output.errors) or "\n".join(output.text[-10:]) or "Packer said nothing"
