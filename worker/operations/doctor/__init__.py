"""What keeps a machine or a pipeline from doing its work, looked for before it does. Looks, and changes nothing."""
