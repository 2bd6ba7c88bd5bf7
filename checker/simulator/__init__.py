"""The fleet simulator: wait times of drops and cost of the fleet under different scaling policies."""
