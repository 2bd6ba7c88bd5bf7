# Packer 1.7 and newer fetch their builders as plugins. 1.6 has them built in and refuses this block, so the driver
# leaves this file out for 1.6.
packer {
  required_version = ">= 1.7.0"
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = "~> 1.3"
    }
  }
}
