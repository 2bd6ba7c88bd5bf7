"""The machine image of the fleet: its Packer template and the driver."""
