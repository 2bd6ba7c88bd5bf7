"""From what a framework made to what can be deployed: one template, one code zip, one layer."""
