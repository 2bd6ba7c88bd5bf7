# The machine image of worker and checker: Amazon Linux 2023 with the interpreters that Lambda offers, compilers, a
# sandbox, and Auto-Lambda itself. `auto-lambda ami build` fills in the variables; docs/how-to/build-the-image.md.

variable "region" {
  type    = string
  default = "us-east-1"
}

variable "architecture" {
  type        = string
  description = "The architecture of the image: x86_64 or arm64."
  default     = "x86_64"
  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "The architecture must be x86_64 or arm64."
  }
}

variable "instance_type" {
  type        = string
  description = "The instance type to build on; must have the image's architecture."
  default     = "m7i.large"
}

variable "base_image" {
  type        = string
  description = "The Amazon Linux 2023 image to start from; the driver reads it from AWS's public SSM parameter."
  default     = "ami-00000000000000000"
}

variable "base_name" {
  type    = string
  default = "unknown"
}

variable "version" {
  type    = string
  default = "0"
}

variable "commit" {
  type    = string
  default = "unknown"
}

variable "image_name" {
  type    = string
  default = "auto-lambda"
}

variable "payload" {
  type        = string
  description = "The archive that the image is built from: provisioning scripts, rootfs, units, our wheel and its lock."
  default     = "payload.tar.gz"
}

variable "volume_gb" {
  type    = number
  default = 30
}

variable "subnet_id" {
  type        = string
  description = "The subnet to build in; if empty, one of the default VPC."
  default     = ""
}

variable "ssh_from" {
  type        = string
  description = "The addresses that may reach the sshd of the build instance."
  default     = "0.0.0.0/0"
}

variable "ssh_username" {
  type    = string
  default = "ec2-user"
}

variable "ssh_keypair_name" {
  type        = string
  description = "The name of a key pair in EC2. The driver creates an Ed25519 one for each build: the sshd of Amazon Linux 2023 refuses the RSA keys of Packer 1.6."
  default     = ""
}

variable "ssh_private_key_file" {
  type    = string
  default = ""
}

# The variables below are for an emulated EC2, whose instances are not machines.
variable "endpoint" {
  type    = string
  default = ""
}

variable "ssh_host" {
  type    = string
  default = ""
}

variable "ssh_port" {
  type    = number
  default = 22
}

locals {
  emulated = var.endpoint != ""
  tags = {
    Name                       = var.image_name
    "auto-lambda:version"      = var.version
    "auto-lambda:commit"       = var.commit
    "auto-lambda:base-image"   = var.base_image
    "auto-lambda:base-name"    = var.base_name
    "auto-lambda:architecture" = var.architecture
  }
}

source "amazon-ebs" "image" {
  region        = var.region
  source_ami    = var.base_image
  instance_type = var.instance_type
  subnet_id     = var.subnet_id

  ami_name        = var.image_name
  ami_description = "Auto-Lambda ${var.version} (${var.commit}) on ${var.base_name}"
  tags            = local.tags
  snapshot_tags   = local.tags
  run_tags        = merge(local.tags, { Name = "building ${var.image_name}" })
  run_volume_tags = local.tags

  shutdown_behavior                     = "terminate"
  temporary_security_group_source_cidrs = [var.ssh_from]

  launch_block_device_mappings {
    device_name           = "/dev/xvda"
    volume_type           = "gp3"
    volume_size           = var.volume_gb
    iops                  = 3000
    throughput            = 125
    encrypted             = true
    delete_on_termination = true
  }

  communicator         = "ssh"
  ssh_username         = var.ssh_username
  ssh_host             = var.ssh_host
  ssh_port             = var.ssh_port
  ssh_keypair_name     = var.ssh_keypair_name
  ssh_private_key_file = var.ssh_private_key_file
  ssh_timeout          = "10m"

  custom_endpoint_ec2        = var.endpoint
  skip_region_validation     = local.emulated
  skip_credential_validation = local.emulated
  skip_metadata_api_check    = local.emulated
}

build {
  name    = "auto-lambda"
  sources = ["source.amazon-ebs.image"]

  provisioner "file" {
    source      = var.payload
    destination = "/tmp/auto-lambda-image.tar.gz"
  }

  provisioner "shell" {
    inline = [
      "sudo rm -rf /var/tmp/auto-lambda-image && sudo mkdir -p /var/tmp/auto-lambda-image",
      "sudo tar -xzf /tmp/auto-lambda-image.tar.gz -C /var/tmp/auto-lambda-image --no-same-owner",
      "rm /tmp/auto-lambda-image.tar.gz",
      "sudo /var/tmp/auto-lambda-image/provision/all.sh",
      "sudo rm -rf /var/tmp/auto-lambda-image",
    ]
  }
}
